// Monotone rational-quadratic splines. See kernel/spline.c for the formula.
#include "op/spline.h"

#include <string.h>

#include "kernel/kernel.h"

static int spline_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_spline_settings *set = node->attributes;
    lt_tensor *x = lt_saved(node, 0), *said = lt_saved(node, 1);
    if (lt_grad_mode())
        return lt_fail("the second derivative of 'spline' is not available");
    for (int i = 0; i < 2; i++)
        if (lt_wants(node, i) && !(dx[i] = lt_tensor_like(i == 0 ? x : said)))
            return LT_FAIL;
    if (x->size)
        lt_k.spline->backward(set, x->size, lt_f32(x), lt_f32(said), lt_f32(dy), lt_f32(dy) + x->size,
                              dx[0] ? lt_f32(dx[0]) : NULL, dx[1] ? lt_f32(dx[1]) : NULL);
    return LT_OK;
}

static int check(const lt_tensor *x, const lt_tensor *said, lt_spline_settings *set)
{
    if (lt_want_float(x, 1, "x") != LT_OK || lt_want_float(said, 2, "said") != LT_OK)
        return LT_FAIL;
    if (x->ndim >= LT_MAX_DIM)
        return lt_fail_arg(1, "x: expected at most %d axes, got %d", LT_MAX_DIM - 1, x->ndim);
    const int64_t last = said->ndim > 0 ? said->shape[said->ndim - 1] : 0;
    set->bins = (last + 1) / 3;
    const bool like =
        said->ndim == x->ndim + 1 && memcmp(said->shape, x->shape, (size_t)x->ndim * sizeof *x->shape) == 0;
    if (!like || last != 3 * set->bins - 1 || set->bins < 1)
        return lt_fail_arg(2, "said: expected an axis of 3k-1 numbers more than x %s, got %s", lt_shape_text(x),
                           lt_shape_text(said));
    if (set->bins > LT_SPLINE_BINS || set->least * (float)set->bins >= 1)
        return lt_fail_arg(2, "said: %lld bins are too many; at most %d, and none below %g of the whole",
                           (long long)set->bins, LT_SPLINE_BINS, (double)set->least);
    return LT_OK;
}

lt_tensor *lt_spline(lt_tensor *x, lt_tensor *said, lt_spline_settings set)
{
    static const lt_op op = {"spline", spline_backward};
    if (check(x, said, &set) != LT_OK)
        return NULL;
    int64_t shape[LT_MAX_DIM] = {2};
    memcpy(shape + 1, x->shape, (size_t)x->ndim * sizeof *shape);
    lt_tensor *out = lt_tensor_new(LT_FLOAT32, x->ndim + 1, shape);
    if (out && x->size)
        lt_k.spline->forward(&set, x->size, lt_f32(x), lt_f32(said), lt_f32(out), lt_f32(out) + x->size);
    return lt_record(out, &op, LT_LIST(x, said), LT_LIST(x, said), &set, sizeof set);
}
