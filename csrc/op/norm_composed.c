// The backward of a norm when it is itself recorded: it starts again from x and is made of operations. Everything is
// seen as `shape`: (n, hw, groups, c / groups), (n, hw, c) or (rows, c); `axes` are those that were normalised.
#include <math.h>
#include <string.h>

#include "op/norm_shared.h"

static const lt_unary_kernel *kernel_of(lt_activation f, float slope)
{
    const lt_pointwise_kernels *k = lt_k.pointwise;
    const lt_unary_kernel *const kernels[LT_ACTIVATIONS] = {[LT_RELU] = &k->relu,
                                                            [LT_LEAKY_RELU] = lt_leaky_kernel(slope),
                                                            [LT_SILU] = &k->silu,
                                                            [LT_GELU] = &k->gelu,
                                                            [LT_GELU_TANH] = &k->gelu_tanh};
    return kernels[f];
}

lt_tensor *lt_then_activate(lt_scratch *s, lt_activation f, float slope, lt_tensor *x)
{
    return f == LT_LINEAR ? x : lt_then_unary(s, kernel_of(f, slope), x, slope, 0);
}

// What the recorded form works with, each as a view against `shape`.
typedef struct {
    const lt_norm *a;
    lt_scratch *s;
    lt_tensor *weight, *bias, *gain; // gain: 1 + scale, or NULL
    lt_tensor *rstd, *xhat, *affine; // affine: xhat * weight + bias
    lt_tensor *du;
} parts;

static lt_tensor *times(parts *p, lt_tensor *a, lt_tensor *b) // b NULL: 1
{
    return b ? lt_then(p->s, lt_mul, a, b) : a;
}

// Is a rstd so small or large that a square of x's size may leave the range of float?
static bool is_wide(const lt_tensor *rstd)
{
    float least, most;
    if (rstd->size == 0)
        return false;
    lt_k.reduce->min(1, rstd->size, 1, lt_f32(rstd), &least, NULL);
    lt_k.reduce->max(1, rstd->size, 1, lt_f32(rstd), &most, NULL);
    return !(least > 1e-15f && most < 1e15f);
}

// rstd and xhat from xs = x - mean (or x), recorded. Where xs is wide, from z = r xs with r the rstd of forward, a
// constant: rstd = r / sqrt(mean of z^2 + eps r^2) for any r, and z is of size 1.
static int standardise(parts *p, lt_tensor *xs, lt_tensor *saved_rstd)
{
    const lt_norm *a = p->a;
    lt_scratch *s = p->s;
    lt_tensor *r = NULL, *z = xs;
    if (is_wide(saved_rstd)) {
        int64_t shape[4];
        memcpy(shape, a->shape, sizeof shape);
        for (int i = 0; i < a->naxes; i++)
            shape[a->axes[i]] = 1;
        r = lt_then_view(s, saved_rstd, a->ndim, shape);
        z = lt_then(s, lt_mul, xs, r);
    }
    lt_tensor *var = lt_then_mean(s, lt_then_unary(s, &lt_k.pointwise->square, z, 0, 0), a->naxes, a->axes);
    if (r)
        var = lt_then(s, lt_add, var,
                      lt_then_unary(s, &lt_k.pointwise->square, lt_then_scale(s, r, sqrtf(a->eps)), 0, 0));
    else
        var = lt_then_shift(s, var, a->eps);
    lt_tensor *inverse = lt_then_unary(s, &lt_k.pointwise->rsqrt, var, 0, 0);
    p->xhat = lt_then(s, lt_mul, z, inverse);
    p->rstd = times(p, inverse, r);
    return p->xhat && p->rstd ? LT_OK : LT_FAIL;
}

static int start(parts *p, lt_node *node, lt_tensor *dy)
{
    const lt_norm *a = p->a;
    lt_scratch *s = p->s;
    lt_tensor *weight = lt_saved(node, LT_NORM_WEIGHT), *bias = lt_saved(node, LT_NORM_BIAS);
    lt_tensor *scale = lt_saved(node, LT_NORM_SCALE), *shift = lt_saved(node, LT_NORM_SHIFT);
    p->weight = weight ? lt_then_view(s, weight, a->weight_ndim, a->weight_shape) : NULL;
    bias = a->activation || scale ? bias : NULL; // else no gradient asks for it
    p->bias = bias ? lt_then_view(s, bias, a->weight_ndim, a->weight_shape) : NULL;
    p->gain = scale ? lt_then_shift(s, lt_then_view(s, scale, a->ndim, a->scale_shape), 1) : NULL;
    if ((weight && !p->weight) || (bias && !p->bias) || (scale && !p->gain))
        return LT_FAIL;
    lt_tensor *xs = lt_then_view(s, lt_saved(node, LT_NORM_X), a->ndim, a->shape);
    if (a->kind != LT_RMS_NORM)
        xs = lt_then(s, lt_sub, xs, lt_then_mean(s, xs, a->naxes, a->axes));
    if (standardise(p, xs, lt_saved(node, LT_NORM_RSTD)) != LT_OK)
        return LT_FAIL;
    p->affine = times(p, p->xhat, p->weight);
    p->affine = bias ? lt_then(s, lt_add, p->affine, p->bias) : p->affine;
    p->du = lt_then_view(s, dy, a->ndim, a->shape);
    if (a->activation) {
        lt_tensor *u = times(p, p->affine, p->gain);
        if (shift)
            u = lt_then(s, lt_add, u, lt_then_view(s, shift, a->ndim, a->scale_shape));
        p->du = u && p->du ? lt_keep(s, lt_unary_gradient(kernel_of(a->activation, a->slope), u, p->du, a->slope, 0))
                           : NULL;
    }
    return p->affine && p->du ? LT_OK : LT_FAIL;
}

static lt_tensor *dx_of(parts *p)
{
    const lt_norm *a = p->a;
    lt_tensor *g = times(p, times(p, p->du, p->gain), p->weight);
    lt_tensor *m2 = lt_then_mean(p->s, lt_then(p->s, lt_mul, g, p->xhat), a->naxes, a->axes), *inner = g;
    if (a->kind != LT_RMS_NORM)
        inner = lt_then(p->s, lt_sub, g, lt_then_mean(p->s, g, a->naxes, a->axes));
    inner = lt_then(p->s, lt_sub, inner, lt_then(p->s, lt_mul, p->xhat, m2));
    return lt_then(p->s, lt_mul, inner, p->rstd);
}

// The gradient of input i as `shape` or smaller: what it still has to be summed to is `ndim` and `to`.
static lt_tensor *gradient(parts *p, int i, int *ndim, const int64_t **to)
{
    const bool of_channels = i == LT_NORM_WEIGHT || i == LT_NORM_BIAS;
    *ndim = of_channels ? p->a->weight_ndim : p->a->ndim;
    *to = i == LT_NORM_X ? p->a->shape : of_channels ? p->a->weight_shape : p->a->scale_shape;
    switch (i) {
    case LT_NORM_X:
        return dx_of(p);
    case LT_NORM_WEIGHT:
        return lt_then(p->s, lt_mul, times(p, p->du, p->gain), p->xhat);
    case LT_NORM_BIAS:
        return times(p, p->du, p->gain);
    case LT_NORM_SCALE:
        return lt_then(p->s, lt_mul, p->du, p->affine);
    default:
        return p->du;
    }
}

int lt_norm_composed(const lt_norm *a, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_scratch s = {0};
    parts p = {.a = a, .s = &s};
    int status = start(&p, node, dy);
    for (int i = 0; i < LT_NORM_INPUTS && status == LT_OK; i++) {
        int ndim;
        const int64_t *to;
        if (!lt_wants(node, i))
            continue;
        lt_tensor *full = gradient(&p, i, &ndim, &to);
        lt_tensor *sum = full ? lt_keep(&s, lt_sum_to(full, ndim, to)) : NULL;
        dx[i] = sum ? lt_view(sum, node->input[i]->ndim, node->input[i]->shape) : NULL;
        status = dx[i] ? LT_OK : LT_FAIL;
    }
    lt_finish(&s, NULL);
    return status;
}
