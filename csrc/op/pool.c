#include "op/pool.h"

#include "kernel/kernel.h"

static int shape_of(const lt_tensor *x, const lt_pool_options *o, lt_pool_shape *s)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return LT_FAIL;
    if (x->ndim != 4 || x->shape[1] < 1 || x->shape[2] < 1)
        return lt_fail_arg(1, "x: expected (n,h,w,c) with a pixel at least, got %s", lt_shape_text(x));
    if (x->shape[1] > INT32_MAX / x->shape[2])
        return lt_fail_arg(1, "x: a picture of %s is too large", lt_shape_text(x));
    int64_t out[2];
    for (int i = 0; i < 2; i++) {
        if (o->kernel[i] < 1 || o->kernel[i] > INT32_MAX)
            return lt_fail_arg(2, "kernel: expected 1 or more, got %lld", (long long)o->kernel[i]);
        if (o->stride[i] < 1 || o->stride[i] > INT32_MAX)
            return lt_fail_arg(3, "stride: expected 1 or more, got %lld", (long long)o->stride[i]);
        if (o->padding[i] < 0 || o->padding[i] > o->kernel[i] / 2)
            return lt_fail_arg(3, "padding: expected at most half of the kernel, %lld, got %lld",
                               (long long)(o->kernel[i] / 2), (long long)o->padding[i]);
        int64_t room = x->shape[1 + i] + 2 * o->padding[i] - o->kernel[i];
        if (room < 0)
            return lt_fail_arg(2, "kernel: %lld does not fit pictures %s", (long long)o->kernel[i], lt_shape_text(x));
        out[i] = room / o->stride[i] + 1;
    }
    *s = (lt_pool_shape){.n = x->shape[0],
                         .h = x->shape[1],
                         .w = x->shape[2],
                         .c = x->shape[3],
                         .oh = out[0],
                         .ow = out[1],
                         .kh = o->kernel[0],
                         .kw = o->kernel[1],
                         .stride_h = o->stride[0],
                         .stride_w = o->stride[1],
                         .padding_h = o->padding[0],
                         .padding_w = o->padding[1]};
    return LT_OK;
}

static lt_tensor *input_like(const lt_pool_shape *s)
{
    return lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->n, s->h, s->w, s->c});
}

static lt_tensor *output_like(const lt_pool_shape *s, lt_dtype dtype)
{
    return lt_tensor_new(dtype, 4, (int64_t[]){s->n, s->oh, s->ow, s->c});
}

// ---- average: linear, so its adjoint's gradient is itself
// ------------------------------------------------------------

static lt_tensor *average(const lt_pool_shape *s, lt_tensor *x);

static lt_tensor *average_adjoint(const lt_pool_shape *s, lt_tensor *dy);

// y = mean of each window            dx = adjoint (dy)             saved: nothing
static int average_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = average_adjoint(node->attributes, dy);
    return dx[0] ? LT_OK : LT_FAIL;
}

static int average_adjoint_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    dx[0] = average(node->attributes, g);
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *average(const lt_pool_shape *s, lt_tensor *x)
{
    static const lt_op op = {"avg_pool2d", average_backward};
    lt_tensor *y = output_like(s, LT_FLOAT32);
    if (y && y->size)
        lt_k.pool->average(s, lt_f32(x), lt_f32(y));
    return lt_record(y, &op, LT_LIST(x), LT_NONE, s, sizeof *s);
}

static lt_tensor *average_adjoint(const lt_pool_shape *s, lt_tensor *dy)
{
    static const lt_op op = {"avg_pool2d gradient", average_adjoint_backward};
    lt_tensor *dx = input_like(s);
    if (dx && dx->size)
        lt_k.pool->average_adjoint(s, lt_f32(dy), lt_f32(dx));
    return lt_record(dx, &op, LT_LIST(dy), LT_NONE, s, sizeof *s);
}

lt_tensor *lt_avg_pool2d(lt_tensor *x, const lt_pool_options *o)
{
    lt_pool_shape s;
    return shape_of(x, o, &s) == LT_OK ? average(&s, x) : NULL;
}

// ---- maximum: linear once it is known where the largest values are --------------------------------------------------

static lt_tensor *max_gather(const lt_pool_shape *s, lt_tensor *x, lt_tensor *index);

static lt_tensor *max_scatter(const lt_pool_shape *s, lt_tensor *dy, lt_tensor *index);

// y = max of each window             dx = dy at those pixels       saved: their indices
static int max_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = max_scatter(node->attributes, dy, lt_saved(node, 0));
    return dx[0] ? LT_OK : LT_FAIL;
}

static int max_scatter_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    dx[0] = max_gather(node->attributes, g, lt_saved(node, 0));
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *max_gather(const lt_pool_shape *s, lt_tensor *x, lt_tensor *index)
{
    static const lt_op op = {"max_pool2d", max_backward};
    lt_tensor *y = output_like(s, LT_FLOAT32);
    if (y && y->size)
        lt_k.pool->max_gather(s, lt_f32(x), lt_i32(index), lt_f32(y));
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), s, sizeof *s);
}

static lt_tensor *max_scatter(const lt_pool_shape *s, lt_tensor *dy, lt_tensor *index)
{
    static const lt_op op = {"max_pool2d gradient", max_scatter_backward};
    lt_tensor *dx = input_like(s);
    if (dx && dx->size)
        lt_k.pool->max_adjoint(s, lt_f32(dy), lt_i32(index), lt_f32(dx));
    return lt_record(dx, &op, LT_LIST(dy), LT_LIST(index), s, sizeof *s);
}

lt_tensor *lt_max_pool2d(lt_tensor *x, const lt_pool_options *o)
{
    static const lt_op op = {"max_pool2d", max_backward};
    lt_pool_shape s;
    if (shape_of(x, o, &s) != LT_OK)
        return NULL;
    lt_tensor *y = output_like(&s, LT_FLOAT32), *index = y ? output_like(&s, LT_INT32) : NULL;
    if (!index) {
        lt_release(y);
        return NULL;
    }
    if (y->size)
        lt_k.pool->max(&s, lt_f32(x), lt_f32(y), lt_i32(index));
    y = lt_record(y, &op, LT_LIST(x), LT_LIST(index), &s, sizeof s);
    lt_release(index);
    return y;
}
