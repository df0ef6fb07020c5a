// The same values in another arrangement.
#include "op/shape.h"

#include <string.h>

#include "lua/check.h"

static int axis_at(lua_State *L, int arg, const lt_tensor *t)
{
    int axis;
    LT_TRY(L, lt_axis(t, lt_arg_integer(L, arg, "axis", INT64_MIN, INT64_MAX), arg, &axis));
    return axis;
}

/*** The same memory under another shape; one size may be -1. `reshape` is another name for it.
@function view
@function reshape
@tparam Tensor x
@param ... sizes, or a table of them
@treturn Tensor */
static int view(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t shape[LT_MAX_DIM];
    int next, ndim = lt_arg_shape(L, 2, "sizes", shape, &next);
    if (!lua_isnone(L, next))
        return lt_bad_argument(L, next, "sizes: expected integer, got %s", lt_type_name(L, next));
    LT_PUSH(L, lt_view(x, ndim, shape));
    return 1;
}

/*** Joins all axes from `first` on into one.
@function flatten
@tparam Tensor x
@tparam[opt=1] integer first
@treturn Tensor */
static int flatten(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int first = x->ndim == 0 || lua_isnoneornil(L, 2) ? 0 : axis_at(L, 2, x);
    int64_t shape[LT_MAX_DIM], rest = 1;
    memcpy(shape, x->shape, sizeof shape);
    for (int i = first; i < x->ndim; i++)
        rest *= x->shape[i];
    shape[first] = rest;
    LT_PUSH(L, lt_view(x, first + 1, shape));
    return 1;
}

/*** Drops an axis of size 1 (all of them without an axis), or puts one in before the asked place.
@function squeeze
@function unsqueeze
@tparam Tensor x
@tparam integer axis
@treturn Tensor */
static int squeeze(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int only = lua_isnoneornil(L, 2) ? -1 : axis_at(L, 2, x), ndim = 0;
    int64_t shape[LT_MAX_DIM];
    for (int i = 0; i < x->ndim; i++)
        if (x->shape[i] != 1 || (only >= 0 && i != only))
            shape[ndim++] = x->shape[i];
    LT_PUSH(L, lt_view(x, ndim, shape));
    return 1;
}

static int unsqueeze(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t axis = lt_arg_integer(L, 2, "axis", -x->ndim - 1, x->ndim + 1), shape[LT_MAX_DIM + 1];
    if (axis == 0 || x->ndim == LT_MAX_DIM)
        return lt_bad_argument(L, 2, "axis: no room for an axis at %I in %s", (LUAI_UACINT)axis, lt_shape_text(x));
    int at = (int)(axis < 0 ? x->ndim + 1 + axis : axis - 1);
    for (int i = 0; i <= x->ndim; i++)
        shape[i] = i == at ? 1 : x->shape[i < at ? i : i - 1];
    LT_PUSH(L, lt_view(x, x->ndim + 1, shape));
    return 1;
}

/*** The axes in another order; copies. `transpose` swaps two.
@function permute
@tparam Tensor x
@param ... for each axis of the result, which axis of x it is
@treturn Tensor */
static int permute(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t asked[LT_MAX_DIM];
    int next, order[LT_MAX_DIM], seen = 0, n = lt_arg_shape(L, 2, "axes", asked, &next);
    if (n != x->ndim)
        return lt_bad_argument(L, 2, "axes: expected %d of them, got %d", x->ndim, n);
    for (int i = 0; i < n; i++) {
        LT_TRY(L, lt_axis(x, asked[i], 2, &order[i]));
        if (seen & 1 << order[i])
            return lt_bad_argument(L, 2, "axes: axis %d is named twice", order[i] + 1);
        seen |= 1 << order[i];
    }
    LT_PUSH(L, lt_permute(x, order));
    return 1;
}

/*** Two axes swapped; copies. Without axes, the last two.
@function transpose
@tparam Tensor x
@tparam[opt=-2] integer a
@tparam[opt=-1] integer b
@treturn Tensor */
static int transpose(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int order[LT_MAX_DIM], a, b;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 2, "a", INT64_MIN, INT64_MAX, -2), 2, &a));
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 3, "b", INT64_MIN, INT64_MAX, -1), 3, &b));
    for (int i = 0; i < x->ndim; i++)
        order[i] = i == a ? b : i == b ? a : i;
    LT_PUSH(L, lt_permute(x, order));
    return 1;
}

/*** `count` places of an axis from `start` on. Shares memory on the leading axis, copies elsewhere.
@function narrow
@tparam Tensor x
@tparam integer axis
@tparam integer start from 1
@tparam integer count
@treturn Tensor */
static int narrow(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis = axis_at(L, 2, x);
    int64_t size = x->shape[axis], start = lt_arg_integer(L, 3, "start", 1, size + 1),
            count = lt_arg_integer(L, 4, "count", 0, size - start + 1);
    LT_PUSH(L, lt_narrow(x, axis, start - 1, count));
    return 1;
}

/*** An axis cut into n equal parts, or into parts of the sizes asked.
@function chunk
@function split
@tparam Tensor x
@tparam integer|table n number of parts; for split a table of sizes
@tparam[opt=1] integer axis
@treturn Tensor... the parts */
static int parts(lua_State *L, lt_tensor *x, int axis, int n, const int64_t *sizes)
{
    int64_t start = 0;
    luaL_checkstack(L, n + 8, "too many parts");
    LT_PUSH(L, lt_split(x, axis, n, sizes));
    lt_tensor **trunk = lua_touserdata(L, -1);
    for (int i = 0; i < n; i++) {
        LT_PUSH(L, lt_split_part(*trunk, axis, start, sizes[i], i));
        start += sizes[i];
    }
    lt_release(*trunk); // it would keep x's memory until it is collected
    *trunk = NULL;
    return n;
}

enum { MAX_PARTS = 4096 };

static int chunk(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int n = (int)lt_arg_integer(L, 2, "n", 1, MAX_PARTS), axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 3, "axis", INT64_MIN, INT64_MAX, 1), 3, &axis));
    if (x->shape[axis] % n != 0)
        return lt_bad_argument(L, 2, "n: axis %d of %s cannot be cut into %d equal parts", axis + 1, lt_shape_text(x),
                               n);
    int64_t *sizes = lua_newuserdatauv(L, (size_t)n * sizeof *sizes, 0);
    for (int i = 0; i < n; i++)
        sizes[i] = x->shape[axis] / n;
    return parts(L, x, axis, n, sizes);
}

static int split(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 3, "axis", INT64_MIN, INT64_MAX, 1), 3, &axis));
    if (!lua_istable(L, 2) || lua_rawlen(L, 2) > MAX_PARTS)
        return lt_bad_argument(L, 2, "sizes: expected table of at most %d, got %s", MAX_PARTS, lt_type_name(L, 2));
    int n = (int)lua_rawlen(L, 2);
    int64_t total = 0, *sizes = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *sizes, 0);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 2, i + 1);
        int exact;
        sizes[i] = lua_tointegerx(L, -1, &exact);
        if (!exact || sizes[i] < 0 || sizes[i] > x->shape[axis])
            return lt_bad_argument(L, 2, "sizes: number %d is no size within %s", i + 1, lt_shape_text(x));
        total += sizes[i];
        lua_pop(L, 1);
    }
    if (total != x->shape[axis])
        return lt_bad_argument(L, 2, "sizes: they add up to %I, axis %d of %s is not that", (LUAI_UACINT)total,
                               axis + 1, lt_shape_text(x));
    return parts(L, x, axis, n, sizes);
}

/*** Tensors joined along an axis they have (cat), or along a new one (stack).
@function cat
@function stack
@tparam table tensors at least one; same type, same sizes but for the axis of cat
@tparam[opt=1] integer axis
@treturn Tensor */
static int cat(lua_State *L)
{
    int n, axis;
    lua_settop(L, 2);
    lt_tensor **list = lt_arg_tensors(L, 1, "tensors", &n);
    if (n == 0)
        return lt_bad_argument(L, 1, "tensors: at least one expected");
    LT_TRY(L, lt_axis(list[0], lt_arg_integer_or(L, 2, "axis", INT64_MIN, INT64_MAX, 1), 2, &axis));
    LT_PUSH(L, lt_cat(n, list, axis));
    return 1;
}

static int stack(lua_State *L)
{
    int n;
    lua_settop(L, 2);
    lt_tensor **list = lt_arg_tensors(L, 1, "tensors", &n);
    if (n == 0)
        return lt_bad_argument(L, 1, "tensors: at least one expected");
    int64_t room = list[0]->ndim + 1, axis = lt_arg_integer_or(L, 2, "axis", -room, room, 1);
    if (axis == 0)
        return lt_bad_argument(L, 2, "axis: 0 is no axis");
    LT_PUSH(L, lt_stack(n, list, (int)(axis < 0 ? room + axis : axis - 1)));
    return 1;
}

/*** x between constants: {{before, after}, ...} for each axis in order; missing axes are left alone.
@function pad
@tparam Tensor x
@tparam table padding e.g. {{0,0},{1,1},{2,2}}
@tparam[opt=0] number value
@treturn Tensor */
static int pad(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t before[LT_MAX_DIM] = {0}, after[LT_MAX_DIM] = {0}, pair[LT_MAX_DIM];
    if (!lua_istable(L, 2))
        return lt_bad_argument(L, 2, "padding: expected table, got %s", lt_type_name(L, 2));
    if (lua_rawlen(L, 2) > (lua_Unsigned)x->ndim)
        return lt_bad_argument(L, 2, "padding: more entries than axes in %s", lt_shape_text(x));
    float value = (float)lt_arg_number_or(L, 3, "value", 0);
    lua_settop(L, 2);
    for (int i = 0; i < (int)lua_rawlen(L, 2); i++) {
        int next;
        lua_rawgeti(L, 2, i + 1);
        if (!lua_istable(L, 3) || lt_arg_shape(L, 3, "padding", pair, &next) != 2 || pair[0] < 0 || pair[1] < 0)
            return lt_bad_argument(L, 2, "padding: entry %d: {before, after} expected", i + 1);
        before[i] = pair[0];
        after[i] = pair[1];
        lua_pop(L, 1);
    }
    LT_PUSH(L, lt_pad(x, before, after, value));
    return 1;
}

/*** Some axes backwards.
@function flip
@tparam Tensor x
@tparam integer|table axes
@treturn Tensor */
static int flip(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axes[LT_MAX_DIM], n;
    if (lua_isnoneornil(L, 2))
        return lt_bad_argument(L, 2, "axes: expected number or table, got %s", lt_type_name(L, 2));
    lt_arg_axes(L, 2, x, axes, &n);
    LT_PUSH(L, lt_flip(x, n, axes));
    return 1;
}

/*** x stretched to a shape that it broadcasts to; copies.
@function expand
@tparam Tensor x
@param ... sizes, or a table of them
@treturn Tensor */
static int expand(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t shape[LT_MAX_DIM];
    int next, ndim = lt_arg_shape(L, 2, "sizes", shape, &next);
    LT_PUSH(L, lt_expand(x, ndim, shape));
    return 1;
}

/*** Each place of an axis `n` times in a row: 1,2 becomes 1,1,2,2.
@function repeat_interleave
@tparam Tensor x
@tparam integer n
@tparam[opt=1] integer axis
@treturn Tensor */
static int repeat_interleave(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t n = lt_arg_integer(L, 2, "n", 1, INT32_MAX), wide[LT_MAX_DIM + 1], shape[LT_MAX_DIM];
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 3, "axis", INT64_MIN, INT64_MAX, 1), 3, &axis));
    if (x->ndim == LT_MAX_DIM)
        return lt_bad_argument(L, 1, "x: at most %d axes expected", LT_MAX_DIM - 1);
    for (int i = 0; i <= x->ndim; i++)
        wide[i] = i == axis + 1 ? 1 : x->shape[i <= axis ? i : i - 1];
    LT_PUSH(L, lt_view(x, x->ndim + 1, wide));
    wide[axis + 1] = n;
    lt_tensor *thin = lt_arg_tensor(L, lua_gettop(L), "view");
    LT_PUSH(L, lt_expand(thin, x->ndim + 1, wide));
    lt_tensor *full = lt_arg_tensor(L, lua_gettop(L), "expanded");
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] *= n;
    LT_PUSH(L, lt_view(full, x->ndim, shape));
    return 1;
}

void lt_open_shape(lua_State *L)
{
    static const lt_function functions[] = {
        {"view", view, LT_IN_BOTH},
        {"reshape", view, LT_IN_BOTH},
        {"flatten", flatten, LT_IN_BOTH},
        {"squeeze", squeeze, LT_IN_BOTH},
        {"unsqueeze", unsqueeze, LT_IN_BOTH},
        {"permute", permute, LT_IN_BOTH},
        {"transpose", transpose, LT_IN_BOTH},
        {"narrow", narrow, LT_IN_BOTH},
        {"chunk", chunk, LT_IN_BOTH},
        {"split", split, LT_IN_BOTH},
        {"cat", cat, LT_IN_MODULE},
        {"stack", stack, LT_IN_MODULE},
        {"pad", pad, LT_IN_BOTH},
        {"flip", flip, LT_IN_BOTH},
        {"expand", expand, LT_IN_BOTH},
        {"repeat_interleave", repeat_interleave, LT_IN_BOTH},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
