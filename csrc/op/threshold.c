// y = clamp(x, -s, s) / s with s = min(max, max(1, the quantile of |x|)), one s for every item of the first axis
// (Saharia et al. 2022, arXiv 2205.11487, section 2.3).
//
//   dx = dy / s where |x| <= s, else 0: s counts as a constant                                          saved: x, s
#include "op/threshold.h"

#include <math.h>

#include "base/threads.h"
#include "op/arith.h"

typedef struct {
    int64_t size; // of an item
    const float *x;
    float *s, *y;
    double quantile, max;
} job;

// Between two values in a straight line, as torch.quantile; NaN if one of them is.
static double quantile_of(const float *x, int64_t n, double q)
{
    if (lt_k.threshold->has_nan(n, x))
        return NAN;
    const double at = q * (double)(n - 1);
    int64_t k = (int64_t)at;
    k = k < n - 1 ? k : n - 1;
    const double low = lt_k.threshold->nth(n, x, k), part = at - (double)k;
    return part > 0 ? low + part * (lt_k.threshold->nth(n, x, k + 1) - low) : low;
}

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = j->x + i * j->size;
        float *y = j->y + i * j->size;
        const double quantile = quantile_of(x, j->size, j->quantile);
        const float s = isnan(quantile) ? NAN : (float)fmin(fmax(quantile, 1), j->max);
        const float border[] = {-s, s}, scale[] = {1 / s, 0};
        lt_k.pointwise->clamp.forward(j->size, x, y, border);
        lt_k.pointwise->mul_scalar.forward(j->size, y, y, scale);
        j->s[i] = s;
    }
}

static int threshold_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_tensor *x = lt_saved(node, 0), *s = lt_saved(node, 1);
    lt_tensor *factor = lt_tensor_like(x);
    const int64_t size = x->size ? x->size / s->size : 0;
    for (int64_t i = 0; factor && i < s->size; i++)
        lt_k.threshold->slope(size, lt_f32(x) + i * size, lt_f32(s)[i], lt_f32(factor) + i * size);
    dx[0] = factor ? lt_mul(dy, factor) : NULL;
    lt_release(factor);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_threshold(lt_tensor *x, double quantile, double max)
{
    static const lt_op op = {"threshold", threshold_backward};
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    if (x->ndim < 1)
        return lt_fail_arg(1, "x: expected pictures along the first axis, got a scalar"), NULL;
    lt_tensor *y = lt_tensor_like(x), *s = lt_tensor_new(LT_FLOAT32, 1, x->shape);
    if (y && s && y->size) {
        job j = {x->size / x->shape[0], lt_f32(x), lt_f32(s), lt_f32(y), quantile, max};
        lt_parallel(x->shape[0], 1, piece, &j);
    }
    if (y && s) {
        y = lt_record(y, &op, LT_LIST(x), LT_LIST(x, s), NULL, 0);
    } else {
        lt_release(y);
        y = NULL;
    }
    lt_release(s);
    return y;
}
