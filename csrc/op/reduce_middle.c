// Products, lengths, variances and deviations: over the middle axis of x (outer, r, inner), with a result (outer, 1,
// inner). Axes that are no neighbours are first brought together.
#include <math.h>
#include <string.h>

#include "op/compose.h"
#include "op/reduce_shared.h"

typedef lt_tensor *(*middle_function)(lt_tensor *x, float setting);

// x as (outer, r, inner): a view where the reduced axes are neighbours, else a copy with them last.
static lt_tensor *as_middle(lt_scratch *s, lt_tensor *x, const lt_axis_set *set)
{
    int order[LT_MAX_DIM], first = set->n ? set->axes[0] : x->ndim;
    bool together = true;
    for (int i = 1; i < set->n; i++)
        together = together && set->axes[i] == set->axes[i - 1] + 1;
    if (!together) {
        first = 0;
        for (int i = 0; i < x->ndim; i++)
            if (!lt_reduced(set, i))
                order[first++] = i;
        memcpy(order + first, set->axes, (size_t)set->n * sizeof *order);
        x = lt_keep(s, lt_permute(x, order));
    }
    if (!x)
        return NULL;
    const int last = first + set->n;
    return lt_then_view(s, x, 3,
                        (int64_t[]){lt_sizes_product(x->shape, 0, first), lt_sizes_product(x->shape, first, last),
                                    lt_sizes_product(x->shape, last, x->ndim)});
}

static lt_tensor *over_middle(lt_tensor *x, int n, const int *axes, bool keepdim, middle_function f, float setting)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    const lt_axis_set set = lt_axes_or_all(x, n, axes);
    int64_t shape[LT_MAX_DIM];
    const int ndim = lt_reduced_shape(x, &set, keepdim, shape);
    lt_scratch s = {0};
    lt_tensor *middle = as_middle(&s, x, &set), *y = middle ? lt_keep(&s, f(middle, setting)) : NULL;
    return lt_finish(&s, lt_then_view(&s, y, ndim, shape));
}

static lt_tensor *one_a_column(const lt_tensor *x, lt_reduce_kernel f)
{
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, 3, (int64_t[]){x->shape[0], 1, x->shape[2]});
    if (y && y->size)
        f(x->shape[0], x->shape[1], x->shape[2], lt_f32(x), lt_f32(y));
    return y;
}

// y_k = product of all x but x_k        dx_k = sum over i of dy_i (product of all x but x_i and x_k)       saved: x
static lt_tensor *prod_others(lt_tensor *x, lt_tensor *g);

static int prod_others_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    if (lt_grad_mode())
        return lt_fail("the third derivative of 'prod' is not available");
    dx[0] = prod_others(lt_saved(node, 0), dy);
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *prod_others(lt_tensor *x, lt_tensor *g) // g NULL: the products, else their derivative
{
    static const lt_op op = {"prod gradient", prod_others_backward};
    lt_tensor *y = lt_tensor_like(x);
    if (y && lt_k.reduce->prod_others(x->shape[0], x->shape[1], x->shape[2], lt_f32(x), g ? lt_f32(g) : NULL,
                                      lt_f32(y)) != LT_OK) {
        lt_release(y);
        return NULL;
    }
    return g ? y : lt_record(y, &op, LT_LIST(x), LT_LIST(x), NULL, 0);
}

// y = product of x              dx_k = dy (product of all x but x_k)   saved: x       (no division: x may be 0)
static int prod_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_scratch s = {0};
    dx[0] = lt_finish(&s, lt_then(&s, lt_mul, dy, lt_keep(&s, prod_others(lt_saved(node, 0), NULL))));
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *prod_middle(lt_tensor *x, float setting)
{
    static const lt_op op = {"prod", prod_backward};
    return lt_record(one_a_column(x, lt_k.reduce->prod), &op, LT_LIST(x), LT_LIST(x), NULL, 0);
}

lt_tensor *lt_prod(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    return over_middle(x, n, axes, keepdim, prod_middle, 0);
}

// y = |x|                       dx = dy x / y, where y = 0: 0, a subgradient    saved: x, y
static int norm_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 0), *y = lt_saved(node, 1);
    lt_scratch s = {0};
    lt_tensor *zero = lt_keep(&s, lt_tensor_scalar(0)), *far = lt_keep(&s, lt_tensor_scalar(INFINITY));
    lt_tensor *is_zero = zero ? lt_then(&s, lt_eq, y, zero) : NULL;
    lt_tensor *length = is_zero && far ? lt_keep(&s, lt_where(is_zero, far, y)) : NULL; // 0 / infinity = 0, all orders
    dx[0] = lt_finish(&s, lt_then(&s, lt_mul, lt_then(&s, lt_div, x, length), dy));
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *norm_middle(lt_tensor *x, float setting)
{
    static const lt_op op = {"norm", norm_backward};
    lt_tensor *y = one_a_column(x, lt_k.reduce->norm);
    return lt_record(y, &op, LT_LIST(x), LT_LIST(x, y), NULL, 0);
}

lt_tensor *lt_vector_norm(lt_tensor *x, int n, const int *axes, bool keepdim)
{
    return over_middle(x, n, axes, keepdim, norm_middle, 0);
}

// y = sum of (x - mean)^2 / dof        dx = 2 dy (x - mean) / dof        saved: x        dof = r - correction
static int var_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    static const int middle = 1;
    lt_tensor *x = lt_saved(node, 0);
    lt_scratch s = {0};
    lt_tensor *d = lt_then(&s, lt_sub, x, lt_then_mean(&s, x, 1, &middle));
    dx[0] = lt_finish(&s, lt_then(&s, lt_mul, d, lt_then_scale(&s, dy, 2.0f / *(float *)node->attributes)));
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *var_middle(lt_tensor *x, float dof)
{
    static const lt_op op = {"var", var_backward};
    const float scale = (float)x->shape[1] / dof;
    lt_tensor *y = one_a_column(x, lt_k.reduce->var);
    if (y)
        lt_k.pointwise->mul_scalar.forward(y->size, lt_f32(y), lt_f32(y), &scale);
    return lt_record(y, &op, LT_LIST(x), LT_LIST(x), &dof, sizeof dof);
}

static float degrees_of_freedom(const lt_tensor *x, int n, const int *axes, int correction)
{
    const lt_axis_set set = lt_axes_or_all(x, n, axes);
    return (float)(lt_reduced_count(x, &set) - correction);
}

lt_tensor *lt_var(lt_tensor *x, int n, const int *axes, bool keepdim, int correction)
{
    return over_middle(x, n, axes, keepdim, var_middle, degrees_of_freedom(x, n, axes, correction));
}

// |x - mean| / sqrt(dof): its range is that of x itself, and its gradient where all values are equal that of the norm.
lt_tensor *lt_std(lt_tensor *x, int n, const int *axes, bool keepdim, int correction)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    const float dof = degrees_of_freedom(x, n, axes, correction);
    lt_scratch s = {0};
    if (dof <= 0) { // no value, or one: NaN, and so is the gradient
        lt_tensor *var = lt_keep(&s, lt_var(x, n, axes, keepdim, correction));
        return lt_finish(&s, lt_then_unary(&s, &lt_k.pointwise->sqrt, var, 0, 0));
    }
    lt_tensor *d = lt_then(&s, lt_sub, x, lt_then_mean(&s, x, n, axes));
    lt_tensor *length = d ? lt_keep(&s, lt_vector_norm(d, n, axes, keepdim)) : NULL;
    return lt_finish(&s, lt_then_scale(&s, length, 1.0f / sqrtf(dof)));
}
