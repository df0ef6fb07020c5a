// Sums and the like.
#include "op/reduce.h"

#include "lua/check.h"
#include "op/index.h"
#include "op/shape.h"

typedef struct {
    lt_tensor *x;
    int axes[LT_MAX_DIM], n;
    bool keepdim;
    int64_t correction;
} call;

// f(x, axes, {keepdim = , correction = }); f(x, {keepdim = true}) leaves the axes out.
static call read_call(lua_State *L)
{
    call c = {.x = lt_arg_tensor(L, 1, "x"), .correction = 1};
    lt_option options[] = {{"keepdim", LT_OPTION_BOOLEAN, &c.keepdim, 0, 0},
                           {"correction", LT_OPTION_INTEGER, &c.correction, 0, 1},
                           {NULL, 0, NULL, 0, 0}};
    bool only_options = lua_istable(L, 2) && lua_rawlen(L, 2) == 0;
    if (!only_options)
        lt_arg_axes(L, 2, c.x, c.axes, &c.n);
    lt_arg_options(L, only_options ? 2 : 3, options);
    return c;
}

/*** Sum, mean, or product over axes: all of them, one, or a table of them. The product has its gradients, the first
and the second, where values are 0 too.
@function sum
@function mean
@function prod
@tparam Tensor x
@tparam[opt] integer|table axes
@tparam[opt] table options keepdim
@treturn Tensor */
static int sum(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_sum(c.x, c.n, c.axes, c.keepdim));
    return 1;
}

static int mean(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_mean(c.x, c.n, c.axes, c.keepdim));
    return 1;
}

static int prod(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_prod(c.x, c.n, c.axes, c.keepdim));
    return 1;
}

/*** Variance, or standard deviation, over axes. Divides by the number of values less `correction` (1, as PyTorch).
Where all values are equal the gradient of std is 0, as in PyTorch. Values whose squares leave the range of float32 are
no exception as long as the result is in it.
@function var
@function std
@tparam Tensor x
@tparam[opt] integer|table axes
@tparam[opt] table options keepdim, correction (0 or 1)
@treturn Tensor */
static int var(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_var(c.x, c.n, c.axes, c.keepdim, (int)c.correction));
    return 1;
}

static int std(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_std(c.x, c.n, c.axes, c.keepdim, (int)c.correction));
    return 1;
}

static int extreme(lua_State *L, lt_tensor *(*f)(lt_tensor *, int, const int *, bool),
                   lt_tensor *(*where)(lt_tensor *, int))
{
    call c = read_call(L);
    LT_PUSH(L, f(c.x, c.n, c.axes, c.keepdim));
    if (c.n != 1)
        return 1;
    int at = lua_gettop(L);
    LT_PUSH(L, where(c.x, c.axes[0]));
    lt_tensor *index = lt_arg_tensor(L, at + 1, "index");
    for (int64_t i = 0; i < index->size; i++)
        lt_i32(index)[i]++;
    if (c.keepdim)
        LT_PUSH(L, lt_view_as(index, lt_arg_tensor(L, at, "values")));
    if (c.keepdim)
        lua_remove(L, -2);
    return 2;
}

/*** The largest (smallest) value over axes; over one axis also where it is (int32, from 1, the first if several). The
gradient is shared by ties. NaN wins.
@function max
@function min
@tparam Tensor x
@tparam[opt] integer|table axes
@tparam[opt] table options keepdim
@treturn Tensor
@treturn[opt] Tensor index */
static int max(lua_State *L)
{
    return extreme(L, lt_max, lt_argmax);
}

static int min(lua_State *L)
{
    return extreme(L, lt_min, lt_argmin);
}

static int arg_extreme(lua_State *L, lt_tensor *(*where)(lt_tensor *, int))
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    if (lua_isnoneornil(L, 2)) { // over everything, as if x had one axis
        int64_t n = x->size;
        LT_PUSH(L, lt_view(x, 1, &n));
        x = lt_arg_tensor(L, lua_gettop(L), "x");
        axis = 0;
    } else
        LT_TRY(L, lt_axis(x, lt_arg_integer(L, 2, "axis", INT64_MIN, INT64_MAX), 2, &axis));
    LT_PUSH(L, where(x, axis));
    lt_tensor *index = lt_arg_tensor(L, lua_gettop(L), "index");
    for (int64_t i = 0; i < index->size; i++)
        lt_i32(index)[i]++;
    return 1;
}

/*** Where the largest (smallest) value of an axis is; without an axis, among all elements in order.
@function argmax
@function argmin
@tparam Tensor x
@tparam[opt] integer axis
@treturn Tensor int32, from 1 */
static int argmax(lua_State *L)
{
    return arg_extreme(L, lt_argmax);
}

static int argmin(lua_State *L)
{
    return arg_extreme(L, lt_argmin);
}

/*** Running sums along an axis.
@function cumsum
@tparam Tensor x
@tparam integer axis
@treturn Tensor x's shape */
static int cumsum(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer(L, 2, "axis", INT64_MIN, INT64_MAX), 2, &axis));
    LT_PUSH(L, lt_cumsum(x, axis, false));
    return 1;
}

/*** Euclidean length over axes: sqrt(sum of x^2), also where a square leaves the range of float32. At 0 the gradient
is 0, as in PyTorch.
@function norm
@tparam Tensor x
@tparam[opt] integer|table axes
@tparam[opt] table options keepdim
@treturn Tensor */
static int norm(lua_State *L)
{
    call c = read_call(L);
    LT_PUSH(L, lt_vector_norm(c.x, c.n, c.axes, c.keepdim));
    return 1;
}

void lt_open_reduce(lua_State *L)
{
    static const lt_function functions[] = {
        {"sum", sum, LT_IN_BOTH},       {"mean", mean, LT_IN_BOTH},     {"prod", prod, LT_IN_BOTH},
        {"var", var, LT_IN_BOTH},       {"std", std, LT_IN_BOTH},       {"max", max, LT_IN_BOTH},
        {"min", min, LT_IN_BOTH},       {"argmax", argmax, LT_IN_BOTH}, {"argmin", argmin, LT_IN_BOTH},
        {"cumsum", cumsum, LT_IN_BOTH}, {"norm", norm, LT_IN_BOTH},     {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
