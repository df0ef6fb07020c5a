// t[i], t[{i, j}], t[{{i, j}, k}], t.name, and assignment.
#include <string.h>

#include "lua/check.h"
#include "lua/tensor.h"
#include "op/cast.h"
#include "op/index.h"
#include "op/shape.h"
#include "tensor/tape.h"

// A place counted from 1, or from the end when negative, as an index from 0.
static int64_t place(lua_State *L, int index, const lt_tensor *t, int axis)
{
    int exact = 0;
    int64_t i = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0, size = t->shape[axis];
    if (!exact)
        return lt_bad_argument(L, 2, "index: expected integer, got %s", luaL_tolstring(L, index, NULL));
    if (i < 0 ? i < -size : i < 1 || i > size)
        return lt_bad_argument(L, 2, "index: %I is outside axis %d of shape %s", (LUAI_UACINT)i, axis + 1,
                               lt_shape_text(t));
    return i < 0 ? size + i : i - 1;
}

// The range {first, last} at the top of the stack along an axis: start from 0, and count.
static void range(lua_State *L, const lt_tensor *t, int axis, int64_t *start, int64_t *count)
{
    lua_Unsigned n = lua_rawlen(L, -1);
    *start = 0;
    *count = t->shape[axis];
    if (n == 0) // {}: all of it
        return;
    if (n != 2)
        lt_bad_argument(L, 2, "index: a range is {first, last}");
    lua_rawgeti(L, -1, 1);
    *start = place(L, -1, t, axis);
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 2);
    int64_t last = place(L, -1, t, axis);
    lua_pop(L, 1);
    if (last < *start)
        lt_bad_argument(L, 2, "index: the range ends before it starts");
    *count = last - *start + 1;
}

// Replaces the tensor at the top of the stack by what one entry of an index list picks from `axis`; the entry is below
// it. Returns the axis that the next entry is about.
static int pick(lua_State *L, int axis)
{
    lt_tensor *t = lt_arg_tensor(L, lua_gettop(L), "self");
    if (axis >= t->ndim)
        return lt_bad_argument(L, 2, "index: more entries than axes in %s", lt_shape_text(t));
    lua_pushvalue(L, -2);
    if (lua_istable(L, -1)) {
        int64_t start, count;
        range(L, t, axis, &start, &count);
        LT_PUSH(L, lt_narrow(t, axis, start, count));
        lua_replace(L, -3);
        lua_pop(L, 1);
        return axis + 1;
    }
    int64_t i = place(L, -1, t, axis);
    LT_PUSH(L, lt_select(t, axis, i));
    lua_replace(L, -3);
    lua_pop(L, 1);
    return axis;
}

// What t[key] is, pushed on the stack; t and key are at 1 and 2.
static void push_selection(lua_State *L, lt_tensor *t)
{
    if (t->ndim == 0)
        lt_bad_argument(L, 2, "index: a scalar has no axes (item() gives its value)");
    if (!lua_istable(L, 2)) {
        int64_t i = place(L, 2, t, 0);
        LT_PUSH(L, lt_select(t, 0, i));
        return;
    }
    bool nested = false;
    lua_Unsigned n = lua_rawlen(L, 2);
    for (lua_Unsigned i = 1; i <= n && i <= LT_MAX_DIM; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i);
        nested = nested || lua_istable(L, -1);
        lua_pop(L, 1);
    }
    if (!nested) { // {first, last} rows
        int64_t start, count;
        lua_pushvalue(L, 2);
        range(L, t, 0, &start, &count);
        LT_PUSH(L, lt_narrow(t, 0, start, count));
        return;
    }
    int axis = 0;
    lua_pushvalue(L, 1);
    for (lua_Unsigned i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i);
        lua_insert(L, -2);
        axis = pick(L, axis);
        lua_remove(L, -2);
    }
}

// t[i]: row i, a view; t[{i, j}]: rows i to j, a view; t[{{i, j}, k, {}}]: a range, one place, everything, axis by
// axis. Negative places count from the end. A name: a method or property.
static int index_get(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL)
            return 1;
        lt_tensor *t = lt_arg_tensor(L, 1, "self");
        if (lt_push_property(L, t, lua_tostring(L, 2)))
            return 1;
        return lt_no_field(L, "a tensor", lua_upvalueindex(3), lt_properties);
    }
    push_selection(L, lt_arg_tensor(L, 1, "self"));
    return 1;
}

// source, stretched to t's shape and turned into its type, over t's elements.
static int copy_into(lt_tensor *t, lt_tensor *source)
{
    lt_tensor *same = lt_cast(source, t->dtype), *full = same ? lt_expand(same, t->ndim, t->shape) : NULL;
    if (full && full->size) {
        memcpy(t->data, full->data, (size_t)t->size * lt_dtype_size(t->dtype));
        lt_touch(t);
    }
    lt_release(same);
    lt_release(full);
    return full ? LT_OK : LT_FAIL;
}

// t[i] = v, t[{i, j}] = v: v is a number or a tensor that broadcasts.
static int index_set(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    if (lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(L, "a tensor has no field '%s' that can be set", lua_tostring(L, 2));
    LT_TRY(L, lt_may_edit(t, 1));
    lua_settop(L, 3);
    push_selection(L, t);
    lt_tensor *part = lt_arg_tensor(L, lua_gettop(L), "selection");
    if (part->storage != t->storage)
        return lt_bad_argument(L, 2, "index: only leading axes can be assigned to");
    if (lua_type(L, 3) == LUA_TNUMBER)
        lt_fill(part, lua_tonumber(L, 3));
    else {
        lt_tensor *v = lt_arg_tensor(L, 3, "value");
        LT_TRY(L, copy_into(part, v));
    }
    return 0;
}

/*** In place: every element becomes `value`, or 0; or what broadcasts from another tensor, turned into self's type.
Refused for tensors that want gradients, unless within no_grad.
@function fill_
@function zero_
@function copy_
@tparam Tensor self
@tparam number|Tensor value none for zero_
@treturn Tensor self */
static int fill_in_place(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    double v = lt_arg_number(L, 2, "value");
    LT_TRY(L, lt_may_edit(t, 1));
    lt_fill(t, v);
    lua_settop(L, 1);
    return 1;
}

static int zero_in_place(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_TRY(L, lt_may_edit(t, 1));
    memset(t->data, 0, (size_t)t->size * lt_dtype_size(t->dtype));
    lt_touch(t);
    lua_settop(L, 1);
    return 1;
}

static int copy_in_place(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self"), *v = lt_arg_tensor(L, 2, "value");
    LT_TRY(L, lt_may_edit(t, 1));
    bool old = lt_grad_mode_set(false);
    int status = copy_into(t, v);
    lt_grad_mode_set(old);
    if (status != LT_OK)
        return lt_raise(L);
    lua_settop(L, 1);
    return 1;
}

/*** Slices along an axis by number: y(.., i, ..) = x(.., index[i], ..).
@function index_select
@tparam Tensor x
@tparam integer axis
@tparam Tensor index int32, one axis, from 1
@treturn Tensor */
static int index_select(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer(L, 2, "axis", INT64_MIN, INT64_MAX), 2, &axis));
    lt_tensor *index = lt_arg_tensor(L, 3, "index");
    LT_PUSH(L, lt_index_select(x, axis, index));
    return 1;
}

/*** One element for every index along an axis, as torch.gather: for axis 2 of a matrix, y[i][j] = x[i][index[i][j]].
@function gather
@tparam Tensor x
@tparam integer axis
@tparam Tensor index int32, x's shape but for the axis, from 1
@treturn Tensor index's shape */
static int gather(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer(L, 2, "axis", INT64_MIN, INT64_MAX), 2, &axis));
    lt_tensor *index = lt_arg_tensor(L, 3, "index");
    LT_PUSH(L, lt_gather(x, axis, index));
    return 1;
}

/*** Rows by number: index_select on the leading axis.
@function index
@tparam Tensor x
@tparam Tensor index int32, one axis, from 1
@treturn Tensor */
static int index_rows(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *index = lt_arg_tensor(L, 2, "index");
    if (x->ndim == 0)
        return lt_bad_argument(L, 1, "x: a scalar has no rows");
    LT_PUSH(L, lt_index_select(x, 0, index));
    return 1;
}

/*** 1 at each id's place, 0 elsewhere.
@function one_hot
@tparam Tensor ids int32, from 1
@tparam integer classes
@treturn Tensor shape of ids, then classes */
static int one_hot(lua_State *L)
{
    lt_tensor *ids = lt_arg_tensor(L, 1, "ids");
    int64_t classes = lt_arg_integer(L, 2, "classes", 1, INT32_MAX);
    LT_PUSH(L, lt_one_hot(ids, classes));
    return 1;
}

static bool descending(lua_State *L, int arg)
{
    bool down = false;
    lt_option options[] = {{"descending", LT_OPTION_BOOLEAN, &down, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, arg, options);
    return down;
}

static int sorting_axis(lua_State *L, const lt_tensor *x)
{
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 2, "axis", INT64_MIN, INT64_MAX, -1), 2, &axis));
    return axis;
}

/*** The order that sorts an axis: stable, NaN last.
@function argsort
@tparam Tensor x
@tparam[opt=-1] integer axis
@tparam[opt] table options descending
@treturn Tensor int32, from 1 */
static int argsort(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis = sorting_axis(L, x);
    bool down = descending(L, 3);
    LT_PUSH(L, lt_argsort(x, axis, down));
    return 1;
}

/*** The values of an axis in order, and where they were.
@function sort
@tparam Tensor x
@tparam[opt=-1] integer axis
@tparam[opt] table options descending
@treturn Tensor values
@treturn Tensor int32, from 1 */
static int sort(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis = sorting_axis(L, x);
    bool down = descending(L, 3);
    LT_PUSH(L, lt_argsort(x, axis, down));
    lt_tensor *order = lt_arg_tensor(L, lua_gettop(L), "order");
    LT_PUSH(L, lt_gather(x, axis, order));
    lua_insert(L, -2);
    return 2;
}

void lt_open_index(lua_State *L)
{
    static const lt_function functions[] = {
        {"fill_", fill_in_place, LT_AS_METHOD},
        {"zero_", zero_in_place, LT_AS_METHOD},
        {"copy_", copy_in_place, LT_AS_METHOD},
        {"index_select", index_select, LT_IN_BOTH},
        {"gather", gather, LT_IN_BOTH},
        {"index", index_rows, LT_AS_METHOD},
        {"one_hot", one_hot, LT_IN_BOTH},
        {"argsort", argsort, LT_IN_BOTH},
        {"sort", sort, LT_IN_BOTH},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
    lt_metamethod(L, "__newindex", index_set);
    luaL_getmetatable(L, LT_TENSOR_TYPE);
    lua_pushliteral(L, "index");
    lua_getfield(L, -2, "methods");
    lt_push_function(L, index_get, 2); // name, methods
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
