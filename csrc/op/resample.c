// Both ways are linear, so an operation and its adjoint are each other's gradient.
#include "op/resample.h"

#include "kernel/kernel.h"

typedef struct {
    lt_resample_shape shape;
    bool bilinear;
} settings;

static lt_tensor *resample(const settings *a, lt_tensor *x);

static lt_tensor *adjoint(const settings *a, lt_tensor *dy);

// y = R x              dx = R' dy          saved: nothing
static int resample_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = adjoint(node->attributes, dy);
    return dx[0] ? LT_OK : LT_FAIL;
}

static int adjoint_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    dx[0] = resample(node->attributes, g);
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *resample(const settings *a, lt_tensor *x)
{
    static const lt_op nearest = {"upsample_nearest", resample_backward},
                       bilinear = {"resize_bilinear", resample_backward};
    const lt_resample_shape *s = &a->shape;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->n, s->oh, s->ow, s->c});
    if (y && y->size && !a->bilinear)
        lt_k.resample->nearest(s, lt_f32(x), lt_f32(y));
    if (y && y->size && a->bilinear && lt_k.resample->bilinear(s, lt_f32(x), lt_f32(y)) != LT_OK) {
        lt_release(y);
        return NULL;
    }
    return lt_record(y, a->bilinear ? &bilinear : &nearest, LT_LIST(x), LT_NONE, a, sizeof *a);
}

static lt_tensor *adjoint(const settings *a, lt_tensor *dy)
{
    static const lt_op nearest = {"upsample_nearest gradient", adjoint_backward},
                       bilinear = {"resize_bilinear gradient", adjoint_backward};
    const lt_resample_shape *s = &a->shape;
    lt_tensor *dx = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->n, s->h, s->w, s->c});
    if (dx && dx->size && !a->bilinear)
        lt_k.resample->nearest_adjoint(s, lt_f32(dy), lt_f32(dx));
    if (dx && dx->size && a->bilinear && lt_k.resample->bilinear_adjoint(s, lt_f32(dy), lt_f32(dx)) != LT_OK) {
        lt_release(dx);
        return NULL;
    }
    return lt_record(dx, a->bilinear ? &bilinear : &nearest, LT_LIST(dy), LT_NONE, a, sizeof *a);
}

enum { LARGEST_SIDE = 1 << 28 };

static int check(const lt_tensor *x)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return LT_FAIL;
    if (x->ndim != 4 || x->shape[1] < 1 || x->shape[2] < 1)
        return lt_fail_arg(1, "x: expected (n,h,w,c) with a pixel at least, got %s", lt_shape_text(x));
    if (x->shape[1] > LARGEST_SIDE || x->shape[2] > LARGEST_SIDE)
        return lt_fail_arg(1, "x: a picture of %s is too large", lt_shape_text(x));
    return LT_OK;
}

lt_tensor *lt_upsample_nearest(lt_tensor *x, int64_t scale)
{
    if (check(x) != LT_OK)
        return NULL;
    if (scale < 1 || scale > LARGEST_SIDE) {
        lt_fail_arg(2, "scale: expected 1 or more, got %lld", (long long)scale);
        return NULL;
    }
    settings a = {.shape = {.n = x->shape[0],
                            .h = x->shape[1],
                            .w = x->shape[2],
                            .c = x->shape[3],
                            .oh = x->shape[1] * scale,
                            .ow = x->shape[2] * scale}};
    return resample(&a, x);
}

lt_tensor *lt_resize_bilinear(lt_tensor *x, int64_t h, int64_t w)
{
    if (check(x) != LT_OK)
        return NULL;
    if (h < 1 || w < 1 || h > LARGEST_SIDE || w > LARGEST_SIDE) {
        lt_fail_arg(2, "size: expected {h, w} of 1 or more, got {%lld, %lld}", (long long)h, (long long)w);
        return NULL;
    }
    settings a = {.shape = {.n = x->shape[0], .h = x->shape[1], .w = x->shape[2], .c = x->shape[3], .oh = h, .ow = w},
                  .bilinear = true};
    return resample(&a, x);
}
