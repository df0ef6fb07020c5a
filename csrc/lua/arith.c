// Arithmetic of two and more tensors: operators, comparisons, sums of products, in place.
#include "op/arith.h"

#include "lua/check.h"
#include "op/combine.h"

// ---- two operands, either of which may be a number ---------------------------------------------------------------

// The operand at arg: a tensor as it is; a number as a scalar tensor that lives on the Lua stack.
static lt_tensor *operand(lua_State *L, int arg)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        return lt_arg_tensor(L, arg, arg == 1 ? "a" : "b");
    float value = (float)lua_tonumber(L, arg);
    LT_PUSH(L, lt_tensor_scalar(value));
    lua_replace(L, arg);
    return lt_arg_tensor(L, arg, "number");
}

static int binary(lua_State *L, lt_tensor *(*f)(lt_tensor *, lt_tensor *))
{
    lua_settop(L, 2);
    if (lua_type(L, 1) == LUA_TNUMBER && lua_type(L, 2) == LUA_TNUMBER)
        return lt_bad_argument(L, 1, "a: expected tensor, got two numbers");
    lt_tensor *a = operand(L, 1), *b = operand(L, 2);
    LT_PUSH(L, f(a, b));
    return 1;
}

/*** a + b, a - b, a * b, a / b, a ^ b, element by element: what the operators call. Shapes broadcast as in PyTorch
(aligned at the last axis, 1 stretches); one of the two may be a number.
@function add
@function sub
@function mul
@function div
@function pow
@tparam Tensor|number a
@tparam Tensor|number b
@treturn Tensor */
static int add(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TNUMBER && lua_type(L, 1) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 1, "a");
        float v = (float)lua_tonumber(L, 2);
        LT_PUSH(L, lt_add_scalar(x, v));
        return 1;
    }
    if (lua_type(L, 1) == LUA_TNUMBER && lua_type(L, 2) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 2, "b");
        float v = (float)lua_tonumber(L, 1);
        LT_PUSH(L, lt_add_scalar(x, v));
        return 1;
    }
    return binary(L, lt_add);
}

static int sub(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TNUMBER && lua_type(L, 1) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 1, "a");
        float v = -(float)lua_tonumber(L, 2);
        LT_PUSH(L, lt_add_scalar(x, v));
        return 1;
    }
    return binary(L, lt_sub);
}

static int mul(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TNUMBER && lua_type(L, 1) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 1, "a");
        float v = (float)lua_tonumber(L, 2);
        LT_PUSH(L, lt_mul_scalar(x, v));
        return 1;
    }
    if (lua_type(L, 1) == LUA_TNUMBER && lua_type(L, 2) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 2, "b");
        float v = (float)lua_tonumber(L, 1);
        LT_PUSH(L, lt_mul_scalar(x, v));
        return 1;
    }
    return binary(L, lt_mul);
}

static int divide(lua_State *L)
{
    return binary(L, lt_div);
}

static int power(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TNUMBER && lua_type(L, 1) != LUA_TNUMBER) {
        lt_tensor *x = lt_arg_tensor(L, 1, "a");
        float v = (float)lua_tonumber(L, 2);
        if (v == 2)
            LT_PUSH(L, lt_square(x));
        else
            LT_PUSH(L, lt_unary(&lt_k.pointwise->pow, x, v, 0));
        return 1;
    }
    return binary(L, lt_pow);
}

/*** The larger (smaller) of two, element by element; broadcasts. Where they are equal the gradient is halved.
@function maximum
@function minimum
@tparam Tensor|number a
@tparam Tensor|number b
@treturn Tensor */
static int maximum(lua_State *L)
{
    return binary(L, lt_maximum);
}

static int minimum(lua_State *L)
{
    return binary(L, lt_minimum);
}

/*** Comparisons, element by element: 1 where it holds, 0 elsewhere (float32); broadcasts, no gradient.
@function eq
@function ne
@function lt
@function le
@function gt
@function ge
@tparam Tensor|number a
@tparam Tensor|number b
@treturn Tensor */
#define COMPARISON(name)                                                                                               \
    static int compare_##name(lua_State *L)                                                                            \
    {                                                                                                                  \
        return binary(L, lt_##name);                                                                                   \
    }
COMPARISON(eq)
COMPARISON(ne)
COMPARISON(lt)
COMPARISON(le)
COMPARISON(gt)
COMPARISON(ge)

/*** a where the condition is not 0, b elsewhere; all three broadcast.
@function where
@tparam Tensor condition
@tparam Tensor|number a
@tparam Tensor|number b
@treturn Tensor */
static int where(lua_State *L)
{
    lua_settop(L, 3);
    lt_tensor *c = lt_arg_tensor(L, 1, "condition"), *a = operand(L, 2), *b = operand(L, 3);
    LT_PUSH(L, lt_where(c, a, b));
    return 1;
}

/*** x + a * b, element by element, in one pass; all three broadcast. A residual branch behind a gate:
`lt.addcmul(x, gate:unsqueeze(2), branch)`.
@function addcmul
@tparam Tensor|number x
@tparam Tensor|number a
@tparam Tensor|number b
@treturn Tensor */
static int addcmul(lua_State *L)
{
    lua_settop(L, 3);
    lt_tensor *x = operand(L, 1), *a = operand(L, 2), *b = operand(L, 3);
    LT_PUSH(L, lt_addcmul(x, a, b));
    return 1;
}

// ---- many operands --------------------------------------------------------------------------------------------------

/*** numbers[1] * tensors[1] + ... + numbers[k] * tensors[k] in one pass over memory: the step of a solver.
@function combine
@tparam {Tensor,...} tensors 1 to 8, float32, of one shape
@tparam {number,...} numbers as many
@treturn Tensor */
static int combine(lua_State *L)
{
    float c[LT_COMBINE_MAX];
    int n;
    lua_settop(L, 2);
    lt_tensor **t = lt_arg_tensors(L, 1, "tensors", &n);
    if (n < 1 || n > LT_COMBINE_MAX)
        return lt_bad_argument(L, 1, "tensors: expected 1 to %d, got %d", LT_COMBINE_MAX, n);
    if (!lua_istable(L, 2))
        return lt_bad_argument(L, 2, "numbers: expected table, got %s", lt_type_name(L, 2));
    if (lua_rawlen(L, 2) != (lua_Unsigned)n)
        return lt_bad_argument(L, 2, "numbers: expected %d, one a tensor, got %I", n, (LUAI_UACINT)lua_rawlen(L, 2));
    for (int i = 0; i < n; i++) {
        if (lua_rawgeti(L, 2, i + 1) != LUA_TNUMBER)
            return lt_bad_argument(L, 2, "numbers: item %d: expected number, got %s", i + 1, lt_type_name(L, -1));
        c[i] = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    LT_PUSH(L, lt_combine(n, t, c));
    return 1;
}

// ---- in place -------------------------------------------------------------------------------------------------------

static int in_place(lua_State *L)
{
    lua_settop(L, 1);
    return 1;
}

/*** In place: self += alpha * other, self *= other. Other broadcasts to self, or is a number. Not recorded: refused for
tensors that want gradients, unless within no_grad.
@function add_
@function mul_
@tparam Tensor self
@tparam Tensor|number other
@tparam[opt=1] number alpha for add_ only
@treturn Tensor self */
static int add_in_place(lua_State *L)
{
    lua_settop(L, 3);
    lt_tensor *t = lt_arg_tensor(L, 1, "self"), *u = operand(L, 2);
    float alpha = (float)lt_arg_number_or(L, 3, "alpha", 1);
    LT_TRY(L, lt_add_in_place(t, u, alpha));
    return in_place(L);
}

static int mul_in_place(lua_State *L)
{
    lua_settop(L, 2);
    lt_tensor *t = lt_arg_tensor(L, 1, "self"), *u = operand(L, 2);
    LT_TRY(L, lt_mul_in_place(t, u));
    return in_place(L);
}

void lt_open_arith(lua_State *L)
{
    static const lt_function functions[] = {
        {"add", add, LT_IN_BOTH},
        {"sub", sub, LT_IN_BOTH},
        {"mul", mul, LT_IN_BOTH},
        {"div", divide, LT_IN_BOTH},
        {"pow", power, LT_IN_BOTH},
        {"maximum", maximum, LT_IN_BOTH},
        {"minimum", minimum, LT_IN_BOTH},
        {"where", where, LT_IN_MODULE},
        {"addcmul", addcmul, LT_IN_BOTH},
        {"eq", compare_eq, LT_IN_BOTH},
        {"ne", compare_ne, LT_IN_BOTH},
        {"lt", compare_lt, LT_IN_BOTH},
        {"le", compare_le, LT_IN_BOTH},
        {"gt", compare_gt, LT_IN_BOTH},
        {"ge", compare_ge, LT_IN_BOTH},
        {"combine", combine, LT_IN_MODULE},
        {"add_", add_in_place, LT_AS_METHOD},
        {"mul_", mul_in_place, LT_AS_METHOD},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
    lt_metamethod(L, "__add", add);
    lt_metamethod(L, "__sub", sub);
    lt_metamethod(L, "__mul", mul);
    lt_metamethod(L, "__div", divide);
    lt_metamethod(L, "__pow", power);
}
