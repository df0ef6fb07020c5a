// What a tensor is made of, as scripts see it: shape, type, values in and out.
#include "lua/tensor.h"

#include <string.h>

#include "kernel/kernel.h"
#include "lua/check.h"
#include "op/cast.h"
#include "tensor/tape.h"

static void push_shape(lua_State *L, const lt_tensor *t)
{
    lua_createtable(L, t->ndim, 0);
    for (int i = 0; i < t->ndim; i++) {
        lua_pushinteger(L, t->shape[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

void lt_push_element(lua_State *L, const lt_tensor *t, int64_t i)
{
    if (t->dtype == LT_FLOAT32)
        lua_pushnumber(L, (lua_Number)lt_f32(t)[i]);
    else
        lua_pushinteger(L, t->dtype == LT_UINT8 ? lt_u8(t)[i] : lt_i32(t)[i]);
}

void lt_set_element(lt_tensor *t, int64_t i, double v)
{
    if (t->dtype == LT_FLOAT32)
        lt_f32(t)[i] = (float)v;
    else if (t->dtype == LT_INT32)
        lt_i32(t)[i] = v >= 2147483647.0 ? INT32_MAX : v <= -2147483648.0 ? INT32_MIN : v != v ? 0 : (int32_t)v;
    else
        lt_u8(t)[i] = v >= 255 ? 255 : v > 0 ? (uint8_t)(v + 0.5) : 0;
}

void lt_fill(lt_tensor *t, double v)
{
    for (int64_t i = 0; i < t->size; i++)
        lt_set_element(t, i, v);
    lt_touch(t);
}

/*** Sizes of a tensor: all of them as a table, or one.
@function size
@tparam Tensor self
@tparam[opt] integer axis from 1, or from the end when negative
@treturn table|integer */
static int size(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    if (lua_isnoneornil(L, 2)) {
        push_shape(L, t);
        return 1;
    }
    int axis;
    LT_TRY(L, lt_axis(t, lt_arg_integer(L, 2, "axis", INT64_MIN, INT64_MAX), 2, &axis));
    lua_pushinteger(L, t->shape[axis]);
    return 1;
}

/*** Number of axes.
@function dim
@tparam Tensor self
@treturn integer */
static int dim(lua_State *L)
{
    lua_pushinteger(L, lt_arg_tensor(L, 1, "self")->ndim);
    return 1;
}

/*** Number of elements.
@function numel
@tparam Tensor self
@treturn integer */
static int numel(lua_State *L)
{
    lua_pushinteger(L, lt_arg_tensor(L, 1, "self")->size);
    return 1;
}

/*** Is it a tensor, and not freed?
@function is_tensor
@param v anything
@treturn boolean */
static int is_tensor(lua_State *L)
{
    lua_pushboolean(L, lt_test_tensor(L, 1) != NULL);
    return 1;
}

/*** The value of a tensor with one element.
@function item
@tparam Tensor self any shape, one element
@treturn number */
static int item(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    if (t->size != 1)
        return lt_bad_argument(L, 1, "self: expected one element, got shape %s", lt_shape_text(t));
    lt_push_element(L, t, 0);
    return 1;
}

// Rows of nothing: an empty tensor has as many tables as its sizes say before the first 0, and no elements to pay for
// them.
static int check_tables(const lt_tensor *t)
{
    enum { MOST = 1 << 20 };
    int64_t tables = 1;
    for (int i = 0; t->size == 0 && t->shape[i] > 0; i++) {
        if (t->shape[i] > MOST / tables)
            return lt_fail_arg(1, "self: shape %s has no elements, and would make more than %d empty tables",
                               lt_shape_text(t), MOST);
        tables *= t->shape[i];
    }
    return LT_OK;
}

static int64_t push_nested(lua_State *L, const lt_tensor *t, int axis, int64_t at)
{
    if (axis == t->ndim) {
        lt_push_element(L, t, at);
        return at + 1;
    }
    lua_createtable(L, t->shape[axis] < 1 << 20 ? (int)t->shape[axis] : 0, 0);
    for (int64_t i = 0; i < t->shape[axis]; i++) {
        at = push_nested(L, t, axis + 1, at);
        lua_rawseti(L, -2, i + 1);
    }
    return at;
}

/*** The values as nested tables (a number for a scalar). An empty tensor whose shape asks for more than 2^20 empty
tables is refused.
@function totable
@tparam Tensor self
@treturn table|number */
static int totable(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_TRY(L, check_tables(t));
    luaL_checkstack(L, t->ndim + 2, "totable");
    push_nested(L, t, 0, 0);
    return 1;
}

/*** The raw bytes of the elements, little-endian, first axis slowest.
@function to_string
@tparam Tensor self
@treturn string */
static int to_string(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    lua_pushlstring(L, t->data, (size_t)t->size * lt_dtype_size(t->dtype));
    return 1;
}

static int next_row(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    int64_t i = lt_arg_integer(L, 2, "row", 0, INT64_MAX);
    if (i >= t->shape[0])
        return 0;
    lua_pushinteger(L, i + 1);
    lua_pushinteger(L, i + 1);
    lua_gettable(L, 1); // t[i + 1]: recorded like any other selection
    return 2;
}

/*** Iterates over the leading axis: `for i, row in t:rows() do`; each row is a view.
@function rows
@tparam Tensor self at least one axis */
static int rows(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    if (t->ndim == 0)
        return lt_bad_argument(L, 1, "self: a scalar has no rows");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, next_row, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static int length(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    if (t->ndim == 0)
        return lt_bad_argument(L, 1, "self: a scalar has no length");
    lua_pushinteger(L, t->shape[0]);
    return 1;
}

/*** The same values as float32, int32 or uint8. Floats are cut towards zero for int32, rounded and clamped to
0..255 for uint8; NaN becomes 0. Gradients do not pass through integers. A tensor that has the type already is returned
as it is (a view).
@function float
@function int
@function byte
@tparam Tensor self
@treturn Tensor */
static int to_float(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_PUSH(L, lt_cast(t, LT_FLOAT32));
    return 1;
}

static int to_int(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_PUSH(L, lt_cast(t, LT_INT32));
    return 1;
}

static int to_byte(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_PUSH(L, lt_cast(t, LT_UINT8));
    return 1;
}

const char *const lt_properties[] = {"shape", "dtype", "requires_grad", "is_leaf", "grad", NULL};

int lt_push_property(lua_State *L, lt_tensor *t, const char *key)
{
    if (strcmp(key, "shape") == 0)
        push_shape(L, t);
    else if (strcmp(key, "dtype") == 0)
        lua_pushstring(L, lt_dtype_name(t->dtype));
    else if (strcmp(key, "requires_grad") == 0)
        lua_pushboolean(L, t->node != NULL);
    else if (strcmp(key, "is_leaf") == 0)
        lua_pushboolean(L, lt_is_leaf(t));
    else if (strcmp(key, "grad") == 0) {
        if (t->node && t->node->grad)
            LT_PUSH(L, lt_retain(t->node->grad));
        else
            lua_pushnil(L);
    } else
        return 0;
    return 1;
}

/*** Gives a tensor's memory back now instead of when Lua collects it. Views of it stay valid; any further use of the
freed one is an error. `local t <close> = ...` does the same at the end of the block. In a finalizer (`__gc`) both do
nothing: Lua is collecting already.
@function free
@tparam Tensor self */
static int free_tensor(lua_State *L)
{
    if (!luaL_testudata(L, 1, LT_TENSOR_TYPE)) // one that was freed already is fine
        lt_arg_tensor(L, 1, "self");
    // Finalizers run in the middle of other functions, which may be using this very tensor. lua_gc refuses in them.
    if (lua_gc(L, LUA_GCISRUNNING) >= 0)
        lt_empty_box(L, 1);
    return 0;
}

void lt_open_tensor(lua_State *L)
{
    static const lt_function functions[] = {
        {"size", size, LT_AS_METHOD},
        {"dim", dim, LT_AS_METHOD},
        {"numel", numel, LT_AS_METHOD},
        {"item", item, LT_AS_METHOD},
        {"rows", rows, LT_AS_METHOD},
        {"totable", totable, LT_AS_METHOD},
        {"to_string", to_string, LT_AS_METHOD},
        {"float", to_float, LT_AS_METHOD},
        {"int", to_int, LT_AS_METHOD},
        {"byte", to_byte, LT_AS_METHOD},
        {"free", free_tensor, LT_AS_METHOD},
        {"is_tensor", is_tensor, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
    lt_metamethod(L, "__len", length);
    lt_metamethod(L, "__close", free_tensor);
}
