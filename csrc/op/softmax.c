// Softmax and its logarithm along one axis.
#include "op/softmax.h"

#include "op/compose.h"

static lt_tensor *forward(lt_tensor *x, int axis, lt_reduce_kernel f, const lt_op *op)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_like(x);
    if (y && y->size)
        f(lt_sizes_product(x->shape, 0, axis), x->shape[axis], lt_sizes_product(x->shape, axis + 1, x->ndim), lt_f32(x),
          lt_f32(y));
    return lt_record(y, op, LT_LIST(x), LT_LIST(y), &axis, sizeof axis);
}

typedef void (*gradient)(int64_t outer, int64_t r, int64_t inner, const float *y, const float *dy, float *dx);

static lt_tensor *fused_grad(lt_tensor *y, lt_tensor *dy, int axis, gradient f)
{
    lt_tensor *dx = lt_tensor_like(y);
    if (dx && dx->size)
        f(lt_sizes_product(y->shape, 0, axis), y->shape[axis], lt_sizes_product(y->shape, axis + 1, y->ndim), lt_f32(y),
          lt_f32(dy), lt_f32(dx));
    return dx;
}

// y = exp(x) / sum exp(x)            dx = y (dy - sum dy y)             saved: y
static int softmax_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *y = lt_saved(node, 0);
    const int axis = *(int *)node->attributes;
    lt_scratch s = {0};
    if (!lt_grad_mode())
        dx[0] = fused_grad(y, dy, axis, lt_k.softmax->softmax_grad);
    else
        dx[0] = lt_finish(
            &s, lt_then(&s, lt_mul, y, lt_then(&s, lt_sub, dy, lt_then_sum(&s, lt_then(&s, lt_mul, dy, y), 1, &axis))));
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_softmax(lt_tensor *x, int axis)
{
    static const lt_op op = {"softmax", softmax_backward};
    return forward(x, axis, lt_k.softmax->softmax, &op);
}

// y = x - log sum exp(x)             dx = dy - exp(y) sum dy            saved: y
static int log_softmax_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *y = lt_saved(node, 0);
    const int axis = *(int *)node->attributes;
    lt_scratch s = {0};
    if (!lt_grad_mode()) {
        dx[0] = fused_grad(y, dy, axis, lt_k.softmax->log_softmax_grad);
    } else {
        lt_tensor *p = lt_then_unary(&s, &lt_k.pointwise->exp, y, 0, 0), *sum = lt_then_sum(&s, dy, 1, &axis);
        dx[0] = lt_finish(&s, lt_then(&s, lt_sub, dy, lt_then(&s, lt_mul, p, sum)));
    }
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_log_softmax(lt_tensor *x, int axis)
{
    static const lt_op op = {"log_softmax", log_softmax_backward};
    return forward(x, axis, lt_k.softmax->log_softmax, &op);
}
