// Tensors from sizes, numbers, tables and bytes.
#include <math.h>
#include <string.h>

#include "lua/check.h"
#include "lua/tensor.h"
#include "tensor/tape.h"

typedef struct {
    lt_dtype dtype;
    bool requires_grad;
    lt_random *generator;
} creation;

// {dtype = , requires_grad = , generator = } at arg.
static creation read_creation(lua_State *L, int arg)
{
    creation c = {LT_FLOAT32, false, NULL};
    const char *dtype = NULL;
    lt_option options[] = {{"dtype", LT_OPTION_STRING, &dtype, 0, 0},
                           {"requires_grad", LT_OPTION_BOOLEAN, &c.requires_grad, 0, 0},
                           {"generator", LT_OPTION_GENERATOR, &c.generator, 0, 0},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, arg, options);
    static const char *const dtypes[] = {[LT_FLOAT32] = "float32", [LT_UINT8] = "uint8", [LT_INT32] = "int32"};
    c.dtype = dtype ? (lt_dtype)lt_one_of(L, arg, "dtype", dtype, 3, dtypes) : LT_FLOAT32;
    if (c.requires_grad && c.dtype != LT_FLOAT32)
        lt_bad_argument(L, arg, "requires_grad: only float32 tensors have gradients");
    return c;
}

static int finish(lua_State *L, const creation *c)
{
    if (c->requires_grad)
        LT_TRY(L, lt_requires_grad(lt_arg_tensor(L, lua_gettop(L), "result"), true));
    return 1;
}

static int filled(lua_State *L, double value)
{
    int64_t shape[LT_MAX_DIM];
    int next, ndim = lt_arg_shape(L, 1, "sizes", shape, &next);
    creation c = read_creation(L, next);
    LT_PUSH(L, value == 0 ? lt_tensor_zeros(c.dtype, ndim, shape) : lt_tensor_new(c.dtype, ndim, shape));
    if (value != 0)
        lt_fill(lt_arg_tensor(L, lua_gettop(L), "result"), value);
    return finish(L, &c);
}

/*** A tensor of zeros, or of ones: `zeros(2, 3)` or `zeros{2, 3}`; no sizes give a scalar.
@function zeros
@function ones
@param ... sizes, then optionally options: dtype ("float32", "uint8", "int32"), requires_grad
@treturn Tensor */
static int zeros(lua_State *L)
{
    return filled(L, 0);
}

static int ones(lua_State *L)
{
    return filled(L, 1);
}

/*** A tensor of one value.
@function full
@tparam table sizes
@tparam number value
@tparam[opt] table options dtype, requires_grad
@treturn Tensor */
static int full(lua_State *L)
{
    int64_t shape[LT_MAX_DIM];
    int next;
    if (!lua_istable(L, 1))
        return lt_bad_argument(L, 1, "sizes: expected table, got %s", lt_type_name(L, 1));
    int ndim = lt_arg_shape(L, 1, "sizes", shape, &next);
    double value = lt_arg_number(L, 2, "value");
    creation c = read_creation(L, 3);
    LT_PUSH(L, lt_tensor_new(c.dtype, ndim, shape));
    lt_fill(lt_arg_tensor(L, lua_gettop(L), "result"), value);
    return finish(L, &c);
}

/*** Zeros, or ones, of another tensor's shape and type.
@function zeros_like
@function ones_like
@tparam Tensor x
@treturn Tensor */
static int zeros_like(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    LT_PUSH(L, lt_tensor_zeros(x->dtype, x->ndim, x->shape));
    return 1;
}

static int ones_like(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    LT_PUSH(L, lt_tensor_like(x));
    lt_fill(lt_arg_tensor(L, lua_gettop(L), "result"), 1);
    return 1;
}

// ---- from nested tables --------------------------------------------------------------------------------------------

// The shape of nested tables, read along the first entries; the rest is checked while it is copied.
static int table_shape(lua_State *L, int64_t *shape)
{
    int ndim = 0, top = lua_gettop(L);
    luaL_checkstack(L, LT_MAX_DIM + 2, "tensor");
    lua_pushvalue(L, 1);
    while (lua_istable(L, -1)) {
        if (ndim == LT_MAX_DIM)
            lt_bad_argument(L, 1, "values: tables nested deeper than %d", LT_MAX_DIM);
        shape[ndim] = (int64_t)lua_rawlen(L, -1);
        if (shape[ndim++] == 0)
            break;
        lua_rawgeti(L, -1, 1);
    }
    lua_settop(L, top);
    return ndim;
}

static int64_t copy_level(lua_State *L, lt_tensor *t, int axis, int64_t at)
{
    if (axis == t->ndim) {
        double v = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER)
            lt_bad_argument(L, 1, "values: expected number, got %s", lt_type_name(L, -1));
        if (t->dtype == LT_FLOAT32)
            lt_f32(t)[at] = (float)v;
        else if (v != floor(v) || v < (t->dtype == LT_UINT8 ? 0 : INT32_MIN) ||
                 v > (t->dtype == LT_UINT8 ? 255 : INT32_MAX))
            lt_bad_argument(L, 1, "values: %f does not fit %s", v, lt_dtype_name(t->dtype));
        else if (t->dtype == LT_UINT8)
            lt_u8(t)[at] = (uint8_t)v;
        else
            lt_i32(t)[at] = (int32_t)v;
        return at + 1;
    }
    if (!lua_istable(L, -1) || (int64_t)lua_rawlen(L, -1) != t->shape[axis])
        lt_bad_argument(L, 1, "values: the nested tables do not make a full %s", lt_shape_text(t));
    for (int64_t i = 1; i <= t->shape[axis]; i++) {
        lua_rawgeti(L, -1, i);
        at = copy_level(L, t, axis + 1, at);
        lua_pop(L, 1);
    }
    return at;
}

/*** A tensor with the values of nested tables, or of a number (a scalar).
@function tensor
@tparam table|number values
@tparam[opt] table options dtype ("float32", "uint8", "int32"), requires_grad
@treturn Tensor */
static int tensor(lua_State *L)
{
    int64_t shape[LT_MAX_DIM];
    if (!lua_istable(L, 1) && lua_type(L, 1) != LUA_TNUMBER)
        return lt_bad_argument(L, 1, "values: expected table or number, got %s", lt_type_name(L, 1));
    creation c = read_creation(L, 2);
    int ndim = table_shape(L, shape);
    LT_PUSH(L, lt_tensor_new(c.dtype, ndim, shape));
    lt_tensor *t = lt_arg_tensor(L, lua_gettop(L), "result");
    lua_pushvalue(L, 1);
    if (t->size)
        copy_level(L, t, 0, 0);
    lua_pop(L, 1);
    return finish(L, &c);
}

/*** A tensor from raw little-endian bytes, first axis slowest.
@function from_string
@tparam string bytes
@tparam table sizes
@tparam[opt] table options dtype, requires_grad
@treturn Tensor */
static int from_string(lua_State *L)
{
    size_t length;
    const char *bytes = lt_arg_string(L, 1, "bytes", &length);
    int64_t shape[LT_MAX_DIM];
    int next;
    if (!lua_istable(L, 2))
        return lt_bad_argument(L, 2, "sizes: expected table, got %s", lt_type_name(L, 2));
    int ndim = lt_arg_shape(L, 2, "sizes", shape, &next);
    creation c = read_creation(L, 3);
    size_t need = lt_dtype_size(c.dtype);
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0 || lt_mul_size(need, (size_t)shape[i], &need) != LT_OK)
            return lt_bad_argument(L, 2, "sizes: %s is no shape", lt_shape_text_of(ndim, shape));
    if (need != length)
        return lt_bad_argument(L, 1, "bytes: shape %s of %s needs %I, got %I", lt_shape_text_of(ndim, shape),
                               lt_dtype_name(c.dtype), (LUAI_UACINT)need, (LUAI_UACINT)length);
    LT_PUSH(L, lt_tensor_new(c.dtype, ndim, shape));
    memcpy(lt_arg_tensor(L, lua_gettop(L), "result")->data, bytes, length);
    return finish(L, &c);
}

// ---- ranges
// ----------------------------------------------------------------------------------------------------------

/*** first, first + step, ... up to and including last, like Lua's `for`.
@function arange
@tparam number first
@tparam number last
@tparam[opt=1] number step
@tparam[opt] table options dtype, requires_grad
@treturn Tensor */
static int arange(lua_State *L)
{
    double first = lt_arg_number(L, 1, "first"), last = lt_arg_number(L, 2, "last");
    int has_step = lua_type(L, 3) == LUA_TNUMBER;
    double step = has_step ? lua_tonumber(L, 3) : 1, count = floor((last - first) / step + 1e-9) + 1;
    if (step == 0 || !isfinite(first) || !isfinite(last) || !isfinite(step))
        return lt_bad_argument(L, step == 0 || !isfinite(step) ? 3 : 1,
                               "range: finite numbers and a step that is not 0 "
                               "expected");
    creation c = read_creation(L, has_step || lua_isnil(L, 3) ? 4 : 3);
    if (count > 1e10)
        return lt_bad_argument(L, 2, "last: the range has too many values");
    int64_t n = count < 0 ? 0 : (int64_t)count;
    LT_PUSH(L, lt_tensor_new(c.dtype, 1, &n));
    lt_tensor *t = lt_arg_tensor(L, lua_gettop(L), "result");
    for (int64_t i = 0; i < n; i++)
        lt_set_element(t, i, first + (double)i * step);
    return finish(L, &c);
}

/*** n values from first to last, evenly spaced.
@function linspace
@tparam number first
@tparam number last
@tparam integer n
@treturn Tensor */
static int linspace(lua_State *L)
{
    double first = lt_arg_number(L, 1, "first"), last = lt_arg_number(L, 2, "last");
    int64_t n = lt_arg_integer(L, 3, "n", 1, INT32_MAX);
    LT_PUSH(L, lt_tensor_new(LT_FLOAT32, 1, &n));
    float *x = lt_f32(lt_arg_tensor(L, lua_gettop(L), "result"));
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(i == 0 ? first : i == n - 1 ? last : first + (last - first) * (double)i / (double)(n - 1));
    return 1;
}

/*** The identity matrix.
@function eye
@tparam integer n
@treturn Tensor (n,n) */
static int eye(lua_State *L)
{
    int64_t n = lt_arg_integer(L, 1, "n", 0, INT32_MAX), shape[] = {n, n};
    LT_PUSH(L, lt_tensor_zeros(LT_FLOAT32, 2, shape));
    float *x = lt_f32(lt_arg_tensor(L, lua_gettop(L), "result"));
    for (int64_t i = 0; i < n; i++)
        x[i * n + i] = 1;
    return 1;
}

// ---- random
// ------------------------------------------------------------------------------------------------------------

static int random_fill(lua_State *L, void (*fill)(lt_random *, float *, int64_t))
{
    int64_t shape[LT_MAX_DIM];
    int next, ndim = lt_arg_shape(L, 1, "sizes", shape, &next);
    creation c = read_creation(L, next);
    if (c.dtype != LT_FLOAT32)
        return lt_bad_argument(L, next, "dtype: random values are float32");
    lt_random *r = c.generator ? c.generator : lt_default_generator(L);
    LT_PUSH(L, lt_tensor_new(LT_FLOAT32, ndim, shape));
    lt_tensor *t = lt_arg_tensor(L, lua_gettop(L), "result");
    fill(r, lt_f32(t), t->size);
    return finish(L, &c);
}

/*** Uniform values in [0, 1), or standard normal ones: the streams of torch.rand and torch.randn on CPU for the same
seed.
@function rand
@function randn
@param ... sizes, then optionally options: generator, requires_grad
@treturn Tensor */
static int rand_uniform(lua_State *L)
{
    return random_fill(L, lt_random_fill_uniform);
}

static int randn(lua_State *L)
{
    return random_fill(L, lt_random_fill_normal);
}

/*** Integers from low to high, both included.
@function randint
@tparam integer low
@tparam integer high
@tparam table sizes
@tparam[opt] table options generator
@treturn Tensor int32 */
static int randint(lua_State *L)
{
    int64_t low = lt_arg_integer(L, 1, "low", INT32_MIN, INT32_MAX),
            high = lt_arg_integer(L, 2, "high", low, INT32_MAX);
    int64_t shape[LT_MAX_DIM];
    int next;
    if (!lua_istable(L, 3))
        return lt_bad_argument(L, 3, "sizes: expected table, got %s", lt_type_name(L, 3));
    int ndim = lt_arg_shape(L, 3, "sizes", shape, &next);
    creation c = read_creation(L, 4);
    lt_random *r = c.generator ? c.generator : lt_default_generator(L);
    LT_PUSH(L, lt_tensor_new(LT_INT32, ndim, shape));
    lt_tensor *t = lt_arg_tensor(L, lua_gettop(L), "result");
    for (int64_t i = 0; i < t->size; i++)
        lt_i32(t)[i] = (int32_t)(low + lt_random_below(r, high - low + 1));
    return 1;
}

/*** The numbers 1 to n in random order (torch.randperm, plus one).
@function randperm
@tparam integer n
@tparam[opt] table options generator
@treturn Tensor int32 */
static int randperm(lua_State *L)
{
    int64_t n = lt_arg_integer(L, 1, "n", 0, INT32_MAX);
    creation c = read_creation(L, 2);
    lt_random *r = c.generator ? c.generator : lt_default_generator(L);
    LT_PUSH(L, lt_tensor_new(LT_INT32, 1, &n));
    int32_t *p = lt_i32(lt_arg_tensor(L, lua_gettop(L), "result"));
    lt_random_permutation(r, p, n);
    for (int64_t i = 0; i < n; i++)
        p[i]++;
    return 1;
}

void lt_open_create(lua_State *L)
{
    static const lt_function functions[] = {
        {"zeros", zeros, LT_IN_MODULE},
        {"ones", ones, LT_IN_MODULE},
        {"full", full, LT_IN_MODULE},
        {"zeros_like", zeros_like, LT_IN_MODULE},
        {"ones_like", ones_like, LT_IN_MODULE},
        {"tensor", tensor, LT_IN_MODULE},
        {"from_string", from_string, LT_IN_MODULE},
        {"arange", arange, LT_IN_MODULE},
        {"linspace", linspace, LT_IN_MODULE},
        {"eye", eye, LT_IN_MODULE},
        {"rand", rand_uniform, LT_IN_MODULE},
        {"randn", randn, LT_IN_MODULE},
        {"randint", randint, LT_IN_MODULE},
        {"randperm", randperm, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
