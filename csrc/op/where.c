// y = condition != 0 ? a : b
#include "op/arith.h"
#include "op/broadcast.h"
#include "op/reduce.h"

typedef struct {
    lt_broadcast plan;
    const float *c, *a, *b;
} job;

static void choose(const job *j, float *y)
{
    int last = j->plan.ndim - 1;
    int64_t n = j->plan.size[last], runs = lt_broadcast_runs(&j->plan), at[LT_OPERANDS];
    const int64_t cs = j->plan.step[0][last], as = j->plan.step[1][last], bs = j->plan.step[2][last];
    for (int64_t run = 0; run < runs; run++, y += n) {
        lt_broadcast_at(&j->plan, run, at);
        const float *c = j->c + at[0], *a = j->a + at[1], *b = j->b + at[2];
        for (int64_t i = 0; i < n; i++)
            y[i] = c[i * cs] != 0 ? a[i * as] : b[i * bs];
    }
}

// da = dy where the condition holds, db = dy elsewhere          saved: condition
static int where_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *c = lt_saved(node, 0), *zero = lt_tensor_scalar(0);
    for (int i = 1; zero && i <= 2; i++) {
        if (!lt_wants(node, i))
            continue;
        lt_tensor *full = i == 1 ? lt_where(c, dy, zero) : lt_where(c, zero, dy);
        dx[i] = full ? lt_sum_to(full, node->input[i]->ndim, node->input[i]->shape) : NULL;
        lt_release(full);
        if (!dx[i]) {
            lt_release(zero);
            return LT_FAIL;
        }
    }
    lt_release(zero);
    return zero ? LT_OK : LT_FAIL;
}

lt_tensor *lt_where(lt_tensor *condition, lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"where", where_backward};
    lt_tensor *x[] = {condition, a, b};
    static const char *const names[] = {"condition", "a", "b"};
    int64_t shape[LT_MAX_DIM];
    int ndim;
    for (int i = 0; i < 3; i++)
        if (lt_want_float(x[i], i + 1, names[i]) != LT_OK)
            return NULL;
    if (lt_broadcast_shape(3, x, shape, &ndim) != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim, shape);
    if (y && y->size) {
        job j = {lt_broadcast_plan(3, x, ndim, shape), lt_f32(condition), lt_f32(a), lt_f32(b)};
        choose(&j, lt_f32(y));
    }
    return lt_record(y, &op, 3, x, LT_LIST(condition), NULL, 0);
}
