// Sums, means and extremes over any axes. Products, lengths and deviations are in reduce_middle.c.
#include "op/reduce.h"

#include <string.h>

#include "op/compose.h"
#include "op/reduce_shared.h"
#include "op/strided.h"

// One kernel call for each run of neighbouring axes, last run first. The result has size 1 in every reduced axis.
static lt_tensor *reduce(lt_tensor *x, const lt_axis_set *s, lt_reduce_kernel f, lt_extreme_kernel extreme)
{
    lt_tensor *y = lt_retain(x);
    for (int last = s->n - 1; last >= 0 && y;) {
        int first = last;
        while (first > 0 && s->axes[first - 1] == s->axes[first] - 1)
            first--;
        int a = s->axes[first], b = s->axes[last] + 1;
        int64_t shape[LT_MAX_DIM], outer = lt_sizes_product(y->shape, 0, a), r = lt_sizes_product(y->shape, a, b),
                                   inner = lt_sizes_product(y->shape, b, y->ndim);
        memcpy(shape, y->shape, sizeof shape);
        for (int i = a; i < b; i++)
            shape[i] = 1;
        lt_tensor *next = lt_tensor_new(LT_FLOAT32, y->ndim, shape);
        if (next && extreme)
            extreme(outer, r, inner, lt_f32(y), lt_f32(next), NULL);
        else if (next)
            f(outer, r, inner, lt_f32(y), lt_f32(next));
        lt_release(y);
        y = next;
        last = first - 1;
    }
    if (y == x) { // no axis at all: a scalar reduced to itself
        lt_release(y);
        y = lt_copy_of(x);
    }
    return y;
}

// Drops the reduced axes of `kept` unless they are to stay. Takes the reference.
static lt_tensor *finish(lt_tensor *kept, const lt_tensor *x, const lt_axis_set *s, bool keepdim)
{
    int64_t shape[LT_MAX_DIM];
    int ndim = lt_reduced_shape(x, s, keepdim, shape);
    if (!kept || keepdim)
        return kept;
    lt_tensor *y = lt_tensor_window(kept, 0, ndim, shape);
    lt_release(kept);
    return y;
}

// dy with the reduced axes back as size 1, so that it broadcasts against x.
static lt_tensor *with_axes(lt_tensor *dy, int ndim, const int64_t *input, const lt_axis_set *s)
{
    int64_t shape[LT_MAX_DIM];
    for (int i = 0; i < ndim; i++)
        shape[i] = lt_reduced(s, i) ? 1 : input[i];
    return lt_view(dy, ndim, shape);
}

// y = sum of x                  dx = dy, stretched          saved: nothing
static int sum_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_node *in = node->input[0];
    lt_tensor *kept = with_axes(dy, in->ndim, in->shape, node->attributes);
    dx[0] = kept ? lt_expand(kept, in->ndim, in->shape) : NULL;
    lt_release(kept);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_sum(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    static const lt_op op = {"sum", sum_backward};
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    lt_axis_set s = lt_axes_or_all(x, n, axes);
    lt_tensor *y = finish(reduce(x, &s, lt_k.reduce->sum, NULL), x, &s, keepdim);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, &s, sizeof s);
}

lt_tensor *lt_mean(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    lt_tensor *sum = lt_sum(x, n, axes, keepdim);
    if (!sum)
        return NULL;
    lt_axis_set s = lt_axes_or_all(x, n, axes);
    lt_tensor *y =
        lt_mul_scalar(sum, 1.0f / (float)lt_reduced_count(x, &s)); // 0 values: 0 * inf = NaN, as it should be
    lt_release(sum);
    return y;
}

// y = max of x                  dx = dy / number of those, where x = y, else 0        saved: x, y
static int extreme_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_axis_set *set = node->attributes;
    lt_tensor *x = lt_saved(node, 0);
    lt_scratch s = {0};
    lt_tensor *y = lt_keep(&s, with_axes(lt_saved(node, 1), x->ndim, x->shape, set));
    lt_tensor *kept = lt_keep(&s, with_axes(dy, x->ndim, x->shape, set)), *is = lt_then(&s, lt_eq, x, y);
    lt_tensor *share = lt_then(&s, lt_div, kept, lt_then_sum(&s, is, set->n, set->axes));
    lt_tensor *zero = lt_keep(&s, lt_tensor_scalar(0)); // not a product: an infinite dy stays where it belongs
    dx[0] = lt_finish(&s, share && zero ? lt_keep(&s, lt_where(is, share, zero)) : NULL);
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *extreme(lt_tensor *x, int n, const int *axes, bool keepdim, lt_extreme_kernel f, const lt_op *op)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    lt_axis_set s = lt_axes_or_all(x, n, axes);
    if (lt_reduced_count(x, &s) == 0) {
        lt_fail_arg(1, "x: no values to take the %s of, shape %s", op->name, lt_shape_text(x));
        return NULL;
    }
    lt_tensor *y = finish(reduce(x, &s, NULL, f), x, &s, keepdim);
    return lt_record(y, op, LT_LIST(x), LT_LIST(x, y), &s, sizeof s);
}

lt_tensor *lt_max(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    static const lt_op op = {"max", extreme_backward};
    return extreme(x, n, axes, keepdim, lt_k.reduce->max, &op);
}

lt_tensor *lt_min(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    static const lt_op op = {"min", extreme_backward};
    return extreme(x, n, axes, keepdim, lt_k.reduce->min, &op);
}

// y_i = x_1 + ... + x_i         dx = the same from the other end
static int cumsum_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_cumsum(dy, *(int *)node->attributes, true);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_cumsum(lt_tensor *x, int axis, bool reverse)
{
    static const lt_op op = {"cumsum", cumsum_backward};
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    if (reverse) {
        lt_tensor *turned = lt_flip(x, 1, &axis), *sums = turned ? lt_cumsum(turned, axis, false) : NULL,
                  *y = sums ? lt_flip(sums, 1, &axis) : NULL;
        lt_release(turned);
        lt_release(sums);
        return y;
    }
    lt_tensor *y = lt_tensor_like(x);
    if (y && y->size)
        lt_k.reduce->cumsum(lt_sizes_product(x->shape, 0, axis), x->shape[axis],
                            lt_sizes_product(x->shape, axis + 1, x->ndim), lt_f32(x), lt_f32(y));
    return lt_record(y, &op, LT_LIST(x), LT_NONE, &axis, sizeof axis);
}

// The axes of x that broadcasting stretched from (ndim, shape).
static int stretched(const lt_tensor *x, int ndim, const int64_t *shape, int *axes)
{
    int n = 0;
    for (int i = 0; i < x->ndim; i++) {
        int own = i - (x->ndim - ndim);
        if (own < 0 || (shape[own] == 1 && x->shape[i] != 1))
            axes[n++] = i;
    }
    return n;
}

lt_tensor *lt_sum_to(lt_tensor *x, int ndim, const int64_t *shape)
{
    int axes[LT_MAX_DIM], n = stretched(x, ndim, shape, axes);
    if (n == 0)
        return lt_retain(x);
    lt_tensor *sum = lt_sum(x, n, axes, true), *y = sum ? lt_view(sum, ndim, shape) : NULL;
    lt_release(sum);
    return y;
}

lt_tensor *lt_sum_products_to(lt_tensor *a, lt_tensor *b, int ndim, const int64_t *shape)
{
    int axes[LT_MAX_DIM], n = stretched(a, ndim, shape, axes);
    const int first = n ? axes[0] : 0, last = n ? axes[n - 1] : 0;
    bool together = n > 0; // in one run; axes of size 1 between them do not count
    for (int i = first, k = 0; i <= last && together; i++)
        if (axes[k] == i)
            k++;
        else
            together = a->shape[i] == 1;
    if (!together) {
        lt_tensor *full = lt_mul(a, b), *y = full ? lt_sum_to(full, ndim, shape) : NULL;
        lt_release(full);
        return y;
    }
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim, shape);
    if (y)
        lt_k.reduce->sum_products(lt_sizes_product(a->shape, 0, first), lt_sizes_product(a->shape, first, last + 1),
                                  lt_sizes_product(a->shape, last + 1, a->ndim), lt_f32(a), lt_f32(b), lt_f32(y));
    return y;
}

static lt_tensor *arg_extreme(lt_tensor *x, int axis, lt_extreme_kernel f)
{
    lt_axis_set s = {1, {axis}};
    int64_t shape[LT_MAX_DIM];
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    if (x->shape[axis] == 0 || x->shape[axis] > INT32_MAX) {
        lt_fail_arg(1, "x: cannot index an axis of size %lld", (long long)x->shape[axis]);
        return NULL;
    }
    int ndim = lt_reduced_shape(x, &s, false, shape);
    lt_tensor *index = lt_tensor_new(LT_INT32, ndim, shape), *values = lt_tensor_new(LT_FLOAT32, ndim, shape);
    if (index && values)
        f(lt_sizes_product(x->shape, 0, axis), x->shape[axis], lt_sizes_product(x->shape, axis + 1, x->ndim), lt_f32(x),
          lt_f32(values), lt_i32(index));
    else {
        lt_release(index);
        index = NULL;
    }
    lt_release(values);
    return index;
}

lt_tensor *lt_argmax(lt_tensor *x, int axis)
{
    return arg_extreme(x, axis, lt_k.reduce->max);
}

lt_tensor *lt_argmin(lt_tensor *x, int axis)
{
    return arg_extreme(x, axis, lt_k.reduce->min);
}
