// Group, layer and RMS norm. Batch norm's own rules are in batch_norm.c.
//
//   xhat = (x - mean) * rstd,  rstd = 1 / sqrt(var + eps)
//   u = (xhat * weight + bias) * (1 + scale) + shift,  y = activation(u)
//   dx = rstd (g - m(g) - xhat m(g xhat)) with du = dy activation'(u), g = du * weight * (1 + scale) and m the mean
//   over what was normalised; the other gradients are in kernel/norm.h
//
// Saved: what u is made of, mean and rstd; neither u nor y, both can be made again. Backward is one fused kernel; when
// it is itself recorded, it is made of operations (norm_composed.c).
#include "op/norm.h"

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

static float *numbers(lt_tensor *t)
{
    return t ? lt_f32(t) : NULL;
}

static lt_norm_call call_of(const lt_norm *a, const lt_norm_inputs *in)
{
    return (lt_norm_call){.n = a->n,
                          .hw = a->hw,
                          .c = in->x->shape[in->x->ndim - 1],
                          .groups = a->groups,
                          .eps = a->eps,
                          .weight = numbers(in->weight),
                          .bias = numbers(in->bias),
                          .scale = numbers(in->scale),
                          .shift = numbers(in->shift),
                          .activation = a->activation,
                          .slope = a->slope};
}

static bool by_group(const lt_norm *a)
{
    return a->kind == LT_GROUP_NORM || a->kind == LT_BATCH_NORM;
}

static lt_norm_inputs saved_inputs(lt_node *node)
{
    return (lt_norm_inputs){lt_saved(node, LT_NORM_X), lt_saved(node, LT_NORM_WEIGHT), lt_saved(node, LT_NORM_BIAS),
                            lt_saved(node, LT_NORM_SCALE), lt_saved(node, LT_NORM_SHIFT)};
}

static int fused(const lt_norm *a, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_norm_inputs in = saved_inputs(node);
    lt_tensor *mean = lt_saved(node, LT_NORM_MEAN), *rstd = lt_saved(node, LT_NORM_RSTD);
    if (lt_wants(node, LT_NORM_X) && lt_is_spare(dy)) // the kernels may write dx there
        dx[LT_NORM_X] = lt_retain(dy);
    for (int i = 0; i < LT_NORM_INPUTS; i++)
        if (lt_wants(node, i) && !dx[i] &&
            !(dx[i] = lt_tensor_new(LT_FLOAT32, node->input[i]->ndim, node->input[i]->shape)))
            return LT_FAIL;
    lt_tensor *work = a->activation && !dx[LT_NORM_X] ? lt_tensor_like(in.x) : lt_retain(dx[LT_NORM_X]);
    if (a->activation && !work)
        return LT_FAIL;
    lt_tensor *sum = lt_take_sum(node, LT_NORM_X);
    const lt_norm_grads out = {numbers(work),
                               numbers(dx[LT_NORM_WEIGHT]),
                               numbers(dx[LT_NORM_BIAS]),
                               numbers(dx[LT_NORM_SCALE]),
                               numbers(dx[LT_NORM_SHIFT]),
                               numbers(sum)};
    const lt_norm_call call = call_of(a, &in);
    const int status = by_group(a)
                           ? lt_k.norm->group_grad(&call, lt_f32(in.x), lt_f32(dy), lt_f32(mean), lt_f32(rstd), &out)
                           : lt_k.norm->layer_grad(&call, lt_f32(in.x), lt_f32(dy), numbers(mean), lt_f32(rstd), &out);
    lt_release(work);
    lt_release(sum);
    return status;
}

static int norm_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_norm *a = node->attributes;
    return lt_grad_mode() ? lt_norm_composed(a, node, dy, dx) : fused(a, node, dy, dx);
}

// y, and mean and rstd into tensors of their size, where they are not there already; mean is NULL for RMS norm.
static int run(const lt_norm *a, const lt_norm_inputs *in, lt_tensor *y, lt_tensor *mean, lt_tensor *rstd, bool again)
{
    lt_norm_call call = call_of(a, in);
    call.again = again;
    if (in->x->size == 0)
        return LT_OK;
    return (by_group(a) ? lt_k.norm->group : lt_k.norm->layer)(&call, lt_f32(in->x), lt_f32(y), numbers(mean),
                                                               lt_f32(rstd));
}

static lt_tensor *recompute(lt_node *node)
{
    const lt_norm_inputs in = saved_inputs(node);
    lt_tensor *y = lt_tensor_like(in.x);
    if (y && run(node->attributes, &in, y, lt_saved(node, LT_NORM_MEAN), lt_saved(node, LT_NORM_RSTD), true) == LT_OK)
        return y;
    lt_release(y);
    return NULL;
}

static lt_tensor *record(const lt_norm *a, const lt_norm_inputs *in, lt_tensor *y, lt_tensor *mean, lt_tensor *rstd)
{
    static const lt_op ops[] = {{"group_norm", norm_backward},
                                {"layer_norm", norm_backward},
                                {"rms_norm", norm_backward},
                                {"batch_norm", norm_backward}};
    y = lt_record(y, &ops[a->kind], LT_LIST(in->x, in->weight, in->bias, in->scale, in->shift),
                  LT_LIST(in->x, in->weight, in->bias, in->scale, in->shift, mean, rstd), a, sizeof *a);
    lt_recomputable(y, recompute);
    return y;
}

lt_tensor *lt_norm_run(const lt_norm *a, const lt_norm_inputs *in, lt_tensor **mean_out, lt_tensor **rstd_out)
{
    const int64_t count = by_group(a) ? a->n * a->groups : a->n * a->hw;
    lt_tensor *y = lt_tensor_like(in->x), *rstd = lt_tensor_new(LT_FLOAT32, 1, &count),
              *mean = a->kind == LT_RMS_NORM ? NULL : lt_tensor_new(LT_FLOAT32, 1, &count);
    int status = y && rstd && (mean || a->kind == LT_RMS_NORM) ? LT_OK : LT_FAIL;
    if (status == LT_OK)
        status = run(a, in, y, mean, rstd, false);
    if (status == LT_OK)
        y = record(a, in, y, mean, rstd);
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

static int check_per_picture(const lt_tensor *x, const lt_tensor *t, int arg, const char *name) // scale or shift
{
    if (!t)
        return LT_OK;
    if (lt_want_float(t, arg, name) != LT_OK)
        return LT_FAIL;
    const int64_t want[2] = {x->shape[0], x->shape[x->ndim - 1]};
    if (t->ndim != 2 || t->shape[0] != want[0] || t->shape[1] != want[1])
        return lt_fail_arg(arg, "%s: expected %s, a row a picture, got %s", name, lt_shape_text_of(2, want),
                           lt_shape_text(t));
    return LT_OK;
}

lt_tensor *lt_group_norm(lt_tensor *x, int64_t groups, lt_tensor *weight, lt_tensor *bias,
                         const lt_norm_settings *settings)
{
    if (check(x, weight, 3, bias, 2) != LT_OK || check_per_picture(x, settings->scale, 5, "scale") != LT_OK ||
        check_per_picture(x, settings->shift, 5, "shift") != LT_OK)
        return NULL;
    const int64_t c = x->shape[x->ndim - 1], n = x->shape[0], hw = lt_sizes_product(x->shape, 1, x->ndim - 1);
    if (groups < 1 || c % groups != 0 || c == 0) {
        lt_fail_arg(2, "groups: %lld does not divide %lld channels", (long long)groups, (long long)c);
        return NULL;
    }
    const lt_norm a = {.kind = LT_GROUP_NORM,
                       .eps = settings->eps,
                       .activation = settings->activation,
                       .slope = settings->slope,
                       .n = n,
                       .hw = hw,
                       .groups = groups,
                       .ndim = 4,
                       .shape = {n, hw, groups, c / groups},
                       .naxes = 2,
                       .axes = {1, 3},
                       .weight_ndim = 2,
                       .weight_shape = {groups, c / groups},
                       .scale_shape = {n, 1, groups, c / groups}};
    return lt_norm_run(&a, &(lt_norm_inputs){x, weight, bias, settings->scale, settings->shift}, NULL, NULL);
}

static lt_tensor *rows_norm(lt_norm_kind kind, const lt_norm_inputs *in, const lt_norm_settings *settings)
{
    const lt_tensor *x = in->x;
    const int64_t c = x->shape[x->ndim - 1], n = x->ndim > 1 ? x->shape[0] : 1;
    const int64_t hw = lt_sizes_product(x->shape, 1, x->ndim - 1);
    const lt_norm a = {.kind = kind,
                       .eps = settings->eps,
                       .activation = settings->activation,
                       .slope = settings->slope,
                       .n = n,
                       .hw = hw,
                       .groups = 1,
                       .ndim = 3,
                       .shape = {n, hw, c},
                       .naxes = 1,
                       .axes = {2},
                       .weight_ndim = 1,
                       .weight_shape = {c},
                       .scale_shape = {n, 1, c}};
    return lt_norm_run(&a, in, NULL, NULL);
}

lt_tensor *lt_layer_norm(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_norm_settings *settings)
{
    const bool per_picture = settings->scale || settings->shift;
    if (check(x, weight, 2, bias, per_picture ? 2 : 1) != LT_OK ||
        check_per_picture(x, settings->scale, 4, "scale") != LT_OK ||
        check_per_picture(x, settings->shift, 4, "shift") != LT_OK)
        return NULL;
    return rows_norm(LT_LAYER_NORM, &(lt_norm_inputs){x, weight, bias, settings->scale, settings->shift}, settings);
}

lt_tensor *lt_rms_norm(lt_tensor *x, lt_tensor *weight, float eps)
{
    if (check(x, weight, 2, NULL, 1) != LT_OK)
        return NULL;
    return rows_norm(LT_RMS_NORM, &(lt_norm_inputs){.x = x, .weight = weight}, &(lt_norm_settings){.eps = eps});
}
