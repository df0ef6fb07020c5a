// y = condition != 0 ? a : b
#include "op/arith.h"
#include "op/broadcast.h"
#include "op/reduce.h"

enum { BLOCK = 512 };

typedef struct {
    lt_broadcast plan;
    const float *x[LT_OPERANDS]; // condition, a, b
    float *y;
} job;

// n values of a run. An operand that is one value all along is first written out in a block.
static void run(const void *context, int64_t n, const int64_t *at, int64_t out)
{
    const job *j = context;
    const int64_t most = n < BLOCK ? n : BLOCK;
    float block[LT_OPERANDS][BLOCK];
    const float *x[LT_OPERANDS];
    int64_t step[LT_OPERANDS];
    for (int k = 0; k < LT_OPERANDS; k++) {
        x[k] = j->x[k] + at[k];
        step[k] = j->plan.step[k][j->plan.ndim - 1];
        if (step[k] == 0) {
            lt_k.pointwise->fill(most, *x[k], block[k]);
            x[k] = block[k];
        }
    }
    for (int64_t i = 0; i < n; i += BLOCK)
        lt_k.pointwise->where(n - i < BLOCK ? n - i : BLOCK, x[0] + i * step[0], x[1] + i * step[1], x[2] + i * step[2],
                              j->y + out + i);
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
        job j = {lt_broadcast_plan(3, x, ndim, shape), {lt_f32(condition), lt_f32(a), lt_f32(b)}, lt_f32(y)};
        lt_broadcast_each(&j.plan, run, &j);
    }
    return lt_record(y, &op, 3, x, LT_LIST(condition), NULL, 0);
}
