// y = x + a * b in one pass: a residual branch behind a gate.
//
//   dx = dy, da = sum of dy * b, db = sum of dy * a, each over what was stretched         saved: a, b
#include "op/broadcast.h"
#include "op/compose.h"

typedef struct {
    lt_broadcast plan;
    const float *x, *a, *b;
    float *y;
} job;

static void run(const void *context, int64_t n, const int64_t *at, int64_t out)
{
    const job *j = context;
    const int last = j->plan.ndim - 1;
    lt_k.pointwise->add_products(n, j->x + at[0], j->plan.step[0][last], j->a + at[1], j->plan.step[1][last],
                                 j->b + at[2], j->plan.step[2][last], j->y + out);
}

static int addcmul_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    if (lt_wants(node, 0) && !(dx[0] = lt_sum_to(dy, node->input[0]->ndim, node->input[0]->shape)))
        return LT_FAIL;
    for (int i = 1; i < 3; i++) {
        const lt_node *in = node->input[i];
        if (!lt_wants(node, i))
            continue;
        lt_tensor *other = lt_saved(node, 2 - i); // of the two that are saved
        if (!lt_grad_mode() && lt_same_shape(other, dy) && lt_sizes_product(in->shape, 0, in->ndim) != dy->size) {
            dx[i] = lt_sum_products_to(dy, other, in->ndim, in->shape);
        } else {
            lt_tensor *full = lt_mul(dy, other);
            dx[i] = full ? lt_sum_to(full, in->ndim, in->shape) : NULL;
            lt_release(full);
        }
        if (!dx[i])
            return LT_FAIL;
    }
    return LT_OK;
}

lt_tensor *lt_addcmul(lt_tensor *x, lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"addcmul", addcmul_backward};
    static const char *const names[] = {"x", "a", "b"};
    lt_tensor *in[] = {x, a, b};
    int64_t shape[LT_MAX_DIM];
    int ndim;
    for (int i = 0; i < 3; i++)
        if (lt_want_float(in[i], i + 1, names[i]) != LT_OK)
            return NULL;
    if (lt_broadcast_shape(3, in, shape, &ndim) != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim, shape);
    if (y && y->size) {
        job j = {lt_broadcast_plan(3, in, ndim, shape), lt_f32(x), lt_f32(a), lt_f32(b), lt_f32(y)};
        lt_broadcast_each(&j.plan, run, &j);
    }
    return lt_record(y, &op, 3, in, LT_LIST(b->node ? a : NULL, a->node ? b : NULL), NULL, 0);
}
