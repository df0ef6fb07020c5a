// Group, layer and RMS norm. Batch norm's own rules are in batch_norm.c.
//
//   xhat = (x - mean) * rstd,  rstd = 1 / sqrt(var + eps),  y = xhat * weight + bias
//   dx = rstd (g - m(g) - xhat m(g xhat)) with g = dy * weight and m the mean over what was normalised
//   dweight = sum dy xhat, dbias = sum dy
//
// Saved: x, weight, mean, rstd. Backward is one fused kernel; when it is itself recorded, it starts again from x and
// is made of operations.
#include "op/norm.h"

#include "op/compose.h"
#include "op/norm_shared.h"

int lt_norm_check_affine(const lt_tensor *x, const lt_tensor *t, int arg, const char *name)
{
    if (!t)
        return LT_OK;
    if (lt_want_float(t, arg, name) != LT_OK)
        return LT_FAIL;
    const int64_t c = x->shape[x->ndim - 1];
    if (t->ndim != 1 || t->shape[0] != c)
        return lt_fail_arg(arg, "%s: expected (%lld), got %s", name, (long long)c, lt_shape_text(t));
    return LT_OK;
}

static lt_tensor *affine_gradient(lt_scratch *s, lt_tensor *full, int64_t c) // summed to (c), with its own reference
{
    return full ? lt_retain(lt_keep(s, lt_sum_to(full, 1, &c))) : NULL;
}

// The gradients made of recorded operations. Everything is seen as `view`: (n, hw, groups, c / groups) or (rows, c);
// `axes` are those that were normalised, c is the size of the last axis of x.
static int composed(const lt_norm *a, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 0), *weight = lt_saved(node, 1);
    const int64_t c = x->shape[x->ndim - 1];
    lt_scratch s = {0};
    lt_tensor *w = weight ? lt_then_view(&s, weight, a->weight_ndim, a->weight_shape) : NULL;
    lt_tensor *xs = lt_then_view(&s, x, a->ndim, a->shape), *d = lt_then_view(&s, dy, a->ndim, a->shape);
    if (a->kind != LT_RMS_NORM)
        xs = lt_then(&s, lt_sub, xs, lt_then_mean(&s, xs, a->naxes, a->axes));
    lt_tensor *var = lt_then_mean(&s, lt_then_unary(&s, &lt_k.pointwise->square, xs, 0, 0), a->naxes, a->axes);
    lt_tensor *rstd = lt_then_unary(&s, &lt_k.pointwise->rsqrt, lt_then_shift(&s, var, a->eps), 0, 0);
    lt_tensor *xhat = lt_then(&s, lt_mul, xs, rstd), *g = weight ? lt_then(&s, lt_mul, d, w) : d;
    int status = xhat && g ? LT_OK : LT_FAIL;
    if (status == LT_OK && lt_wants(node, 0)) {
        lt_tensor *m2 = lt_then_mean(&s, lt_then(&s, lt_mul, g, xhat), a->naxes, a->axes), *inner = g;
        if (a->kind != LT_RMS_NORM)
            inner = lt_then(&s, lt_sub, g, lt_then_mean(&s, g, a->naxes, a->axes));
        inner = lt_then(&s, lt_sub, inner, lt_then(&s, lt_mul, xhat, m2));
        dx[0] = lt_retain(lt_then_view(&s, lt_then(&s, lt_mul, inner, rstd), x->ndim, x->shape));
        status = dx[0] ? LT_OK : LT_FAIL;
    }
    if (status == LT_OK && lt_wants(node, 1)) {
        lt_tensor *full = lt_then_view(&s, lt_then(&s, lt_mul, d, xhat), x->ndim, x->shape);
        dx[1] = affine_gradient(&s, full, c);
        status = dx[1] ? LT_OK : LT_FAIL;
    }
    if (status == LT_OK && lt_wants(node, 2)) {
        dx[2] = affine_gradient(&s, dy, c);
        status = dx[2] ? LT_OK : LT_FAIL;
    }
    lt_finish(&s, NULL);
    return status;
}

static int fused(const lt_norm *a, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 0), *weight = lt_saved(node, 1), *mean = lt_saved(node, 2), *rstd = lt_saved(node, 3);
    const int64_t c = x->shape[x->ndim - 1], rows = c ? x->size / c : 0;
    if (lt_wants(node, 0) && !(dx[0] = lt_tensor_like(x)))
        return LT_FAIL;
    for (int i = 1; i < 3; i++)
        if (lt_wants(node, i) && !(dx[i] = lt_tensor_new(LT_FLOAT32, 1, &c)))
            return LT_FAIL;
    float *out[3], *w = weight ? lt_f32(weight) : NULL;
    for (int i = 0; i < 3; i++)
        out[i] = dx[i] ? lt_f32(dx[i]) : NULL;
    if (a->kind == LT_RMS_NORM)
        return lt_k.norm->rms_grad(rows, c, lt_f32(x), lt_f32(dy), lt_f32(rstd), w, out[0], out[1]);
    if (a->kind == LT_LAYER_NORM)
        return lt_k.norm->layer_grad(rows, c, lt_f32(x), lt_f32(dy), lt_f32(mean), lt_f32(rstd), w, out[0], out[1],
                                     out[2]);
    return lt_k.norm->group_grad(a->n, a->hw, c, a->groups, lt_f32(x), lt_f32(dy), lt_f32(mean), lt_f32(rstd), w,
                                 out[0], out[1], out[2]);
}

static int norm_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_norm *a = node->attributes;
    return lt_grad_mode() ? composed(a, node, dy, dx) : fused(a, node, dy, dx);
}

lt_tensor *lt_norm_run(const lt_norm *a, lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor **mean_out,
                       lt_tensor **rstd_out)
{
    static const lt_op ops[] = {{"group_norm", norm_backward},
                                {"layer_norm", norm_backward},
                                {"rms_norm", norm_backward},
                                {"batch_norm", norm_backward}};
    const bool group = a->kind == LT_GROUP_NORM || a->kind == LT_BATCH_NORM;
    const int64_t c = x->shape[x->ndim - 1], rows = c ? x->size / c : 0, count = group ? a->n * a->groups : rows;
    float *w = weight ? lt_f32(weight) : NULL, *b = bias ? lt_f32(bias) : NULL;
    lt_tensor *y = lt_tensor_like(x), *rstd = lt_tensor_new(LT_FLOAT32, 1, &count),
              *mean = a->kind == LT_RMS_NORM ? NULL : lt_tensor_new(LT_FLOAT32, 1, &count);
    int status = y && rstd && (mean || a->kind == LT_RMS_NORM) ? LT_OK : LT_FAIL;
    if (status == LT_OK && x->size) {
        if (group)
            status = lt_k.norm->group(a->n, a->hw, c, a->groups, lt_f32(x), w, b, a->eps, lt_f32(y), lt_f32(mean),
                                      lt_f32(rstd));
        else if (a->kind == LT_LAYER_NORM)
            lt_k.norm->layer(rows, c, lt_f32(x), w, b, a->eps, lt_f32(y), lt_f32(mean), lt_f32(rstd));
        else
            lt_k.norm->rms(rows, c, lt_f32(x), w, a->eps, lt_f32(y), lt_f32(rstd));
    }
    if (status == LT_OK)
        y = lt_record(y, &ops[a->kind], LT_LIST(x, weight, bias), LT_LIST(x, weight, mean, rstd), a, sizeof *a);
    if (status != LT_OK) {
        lt_release(y);
        y = NULL;
    }
    if (mean_out && y) {
        *mean_out = lt_retain(mean);
        *rstd_out = lt_retain(rstd);
    }
    lt_release(mean);
    lt_release(rstd);
    return y;
}

static int check(const lt_tensor *x, const lt_tensor *weight, int weight_arg, const lt_tensor *bias, int min_ndim)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return LT_FAIL;
    if (x->ndim < min_ndim)
        return lt_fail_arg(1, "x: expected at least %d axes, got %s", min_ndim, lt_shape_text(x));
    if (lt_norm_check_affine(x, weight, weight_arg, "weight") != LT_OK)
        return LT_FAIL;
    return lt_norm_check_affine(x, bias, weight_arg + 1, "bias");
}

lt_tensor *lt_group_norm(lt_tensor *x, int64_t groups, lt_tensor *weight, lt_tensor *bias, float eps)
{
    if (check(x, weight, 3, bias, 2) != LT_OK)
        return NULL;
    const int64_t c = x->shape[x->ndim - 1], n = x->shape[0];
    if (groups < 1 || c % groups != 0 || c == 0) {
        lt_fail_arg(2, "groups: %lld does not divide %lld channels", (long long)groups, (long long)c);
        return NULL;
    }
    int64_t hw = 1;
    for (int i = 1; i < x->ndim - 1; i++)
        hw *= x->shape[i];
    const lt_norm a = {.kind = LT_GROUP_NORM,
                       .eps = eps,
                       .n = n,
                       .hw = hw,
                       .groups = groups,
                       .ndim = 4,
                       .shape = {n, hw, groups, c / groups},
                       .naxes = 2,
                       .axes = {1, 3},
                       .weight_ndim = 2,
                       .weight_shape = {groups, c / groups}};
    return lt_norm_run(&a, x, weight, bias, NULL, NULL);
}

static lt_norm rows_norm(lt_norm_kind kind, const lt_tensor *x, float eps)
{
    const int64_t c = x->shape[x->ndim - 1];
    return (lt_norm){.kind = kind,
                     .eps = eps,
                     .ndim = 2,
                     .shape = {c ? x->size / c : 0, c},
                     .naxes = 1,
                     .axes = {1},
                     .weight_ndim = 1,
                     .weight_shape = {c}};
}

lt_tensor *lt_layer_norm(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, float eps)
{
    if (check(x, weight, 2, bias, 1) != LT_OK)
        return NULL;
    const lt_norm a = rows_norm(LT_LAYER_NORM, x, eps);
    return lt_norm_run(&a, x, weight, bias, NULL, NULL);
}

lt_tensor *lt_rms_norm(lt_tensor *x, lt_tensor *weight, float eps)
{
    if (check(x, weight, 2, NULL, 1) != LT_OK)
        return NULL;
    const lt_norm a = rows_norm(LT_RMS_NORM, x, eps);
    return lt_norm_run(&a, x, weight, NULL, NULL, NULL);
}
