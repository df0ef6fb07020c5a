// Batch norm: each channel over every other axis, with running statistics for when there is no batch to ask.
#include "op/norm.h"
#include "op/norm_shared.h"

static int check(const lt_tensor *x, const lt_tensor *weight, const lt_tensor *bias, const lt_tensor *mean,
                 const lt_tensor *var, const lt_batch_norm_settings *set)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return LT_FAIL;
    if (x->ndim < 2)
        return lt_fail_arg(1, "x: expected at least 2 axes, got %s", lt_shape_text(x));
    if (lt_norm_check_affine(x, weight, 2, "weight") != LT_OK || lt_norm_check_affine(x, bias, 3, "bias") != LT_OK ||
        lt_norm_check_affine(x, mean, 4, "running_mean") != LT_OK ||
        lt_norm_check_affine(x, var, 5, "running_var") != LT_OK)
        return LT_FAIL;
    if (!mean != !var)
        return lt_fail_arg(mean ? 5 : 4, "running_mean and running_var: both or neither");
    if (!set->training && !mean)
        return lt_fail_arg(4, "running_mean: needed when not training");
    if (set->training && mean && (lt_may_edit(mean, 4) != LT_OK || lt_may_edit(var, 5) != LT_OK))
        return LT_FAIL;
    const int64_t c = x->shape[x->ndim - 1];
    if (set->training && c && x->size / c < 2)
        return lt_fail_arg(1, "x: the batch's variance needs at least 2 values a channel, got %s", lt_shape_text(x));
    return LT_OK;
}

static lt_tensor *train(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor *running_mean,
                        lt_tensor *running_var, const lt_batch_norm_settings *set)
{
    const int64_t c = x->shape[x->ndim - 1], rows = c ? x->size / c : 0;
    const lt_norm a = {.kind = LT_BATCH_NORM,
                       .eps = set->eps,
                       .activation = set->activation,
                       .slope = set->slope,
                       .n = 1,
                       .hw = rows,
                       .groups = c,
                       .ndim = 2,
                       .shape = {rows, c},
                       .naxes = 1,
                       .axes = {0},
                       .weight_ndim = 1,
                       .weight_shape = {c}};
    lt_tensor *mean = NULL, *rstd = NULL, *y;
    y = lt_norm_run(&a, &(lt_norm_inputs){.x = x, .weight = weight, .bias = bias}, &mean, &rstd);
    if (y && running_mean && x->size) {
        lt_k.norm->running(c, rows, set->eps, set->momentum, lt_f32(mean), lt_f32(rstd), lt_f32(running_mean),
                           lt_f32(running_var));
        lt_touch(running_mean);
        lt_touch(running_var);
    }
    lt_release(mean);
    lt_release(rstd);
    return y;
}

// y = activation((x - running_mean) * gain + bias), gain = weight / sqrt(running_var + eps)
static lt_tensor *evaluate(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor *running_mean,
                           lt_tensor *running_var, const lt_batch_norm_settings *set)
{
    const int64_t c = x->shape[x->ndim - 1];
    lt_scratch s = {0};
    lt_tensor *gain = lt_then_unary(&s, &lt_k.pointwise->rsqrt, lt_then_shift(&s, running_var, set->eps), 0, 0);
    if (weight)
        gain = lt_then(&s, lt_mul, gain, weight);
    if (lt_recording(5, (lt_tensor *[]){x, weight, bias, running_mean, running_var})) {
        lt_tensor *y = lt_then(&s, lt_mul, lt_then(&s, lt_sub, x, running_mean), gain);
        y = bias ? lt_then(&s, lt_add, y, bias) : y;
        return lt_finish(&s, lt_then_activate(&s, set->activation, set->slope, y));
    }
    lt_tensor *y = gain ? lt_keep(&s, lt_tensor_like(x)) : NULL;
    const lt_norm_call call = {.n = 1,
                               .hw = c ? x->size / c : 0,
                               .c = c,
                               .bias = bias ? lt_f32(bias) : NULL,
                               .activation = set->activation,
                               .slope = set->slope};
    if (y && lt_k.norm->affine(&call, lt_f32(x), lt_f32(running_mean), lt_f32(gain), lt_f32(y)) != LT_OK)
        y = NULL;
    return lt_finish(&s, y);
}

lt_tensor *lt_batch_norm(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor *running_mean,
                         lt_tensor *running_var, lt_batch_norm_settings settings)
{
    if (check(x, weight, bias, running_mean, running_var, &settings) != LT_OK)
        return NULL;
    return settings.training ? train(x, weight, bias, running_mean, running_var, &settings)
                             : evaluate(x, weight, bias, running_mean, running_var, &settings);
}
