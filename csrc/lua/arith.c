// Arithmetic: operators and functions of one and two tensors.
#include "op/arith.h"

#include <math.h>
#include <string.h>

#include "lua/types.h"

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

// ---- one operand ---------------------------------------------------------------------------------------------------

/*** Functions of one tensor, element by element, with first and second derivatives: `exp log sqrt rsqrt reciprocal
neg abs sign floor round square sin cos tanh sigmoid relu silu softplus erf`. `round` goes to even; `sign`, `floor` and
`round` have no gradient.
@function exp
@function log
@function sqrt
@function rsqrt
@function reciprocal
@function neg
@function abs
@function sign
@function floor
@function round
@function square
@function sin
@function cos
@function tanh
@function sigmoid
@function relu
@function silu
@function softplus
@function erf
@tparam Tensor x
@treturn Tensor */
#define UNARY(name)                                                                                                    \
    static int unary_##name(lua_State *L)                                                                              \
    {                                                                                                                  \
        lt_tensor *x = lt_arg_tensor(L, 1, "x");                                                                       \
        LT_PUSH(L, lt_unary(&lt_k.pointwise->name, x, 0, 0));                                                          \
        return 1;                                                                                                      \
    }
UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(reciprocal)
UNARY(abs)
UNARY(sign)
UNARY(floor)
UNARY(round)
UNARY(square)
UNARY(sin)
UNARY(cos)
UNARY(tanh)
UNARY(sigmoid)
UNARY(relu)
UNARY(silu)
UNARY(softplus)
UNARY(erf)

static int neg(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    LT_PUSH(L, lt_neg(x));
    return 1;
}

/*** x where positive, slope * x elsewhere.
@function leaky_relu
@tparam Tensor x
@tparam[opt=0.01] number slope
@treturn Tensor */
static int leaky_relu(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    float slope = (float)lt_arg_number_or(L, 2, "slope", 0.01);
    LT_PUSH(L, lt_unary(lt_leaky_kernel(slope), x, slope, 0));
    return 1;
}

/*** x Phi(x), exactly or with the tanh approximation (Hendrycks & Gimpel 2016, arXiv 1606.08415).
@function gelu
@tparam Tensor x
@tparam[opt] table options approximate: "none" (default) or "tanh"
@treturn Tensor */
static int gelu(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    const char *approximate = "none";
    lt_option options[] = {{"approximate", LT_OPTION_STRING, &approximate, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 2, options);
    bool by_tanh = strcmp(approximate, "tanh") == 0;
    if (!by_tanh && strcmp(approximate, "none") != 0)
        return lt_bad_argument(L, 2, "approximate: \"none\" or \"tanh\" expected, got \"%s\"", approximate);
    LT_PUSH(L, lt_unary(by_tanh ? &lt_k.pointwise->gelu_tanh : &lt_k.pointwise->gelu, x, 0, 0));
    return 1;
}

/*** x, but not below `low` nor above `high`.
@function clamp
@tparam Tensor x
@tparam[opt] number low
@tparam[opt] number high
@treturn Tensor */
static int clamp(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    float low = (float)lt_arg_number_or(L, 2, "low", -HUGE_VAL), high = (float)lt_arg_number_or(L, 3, "high", HUGE_VAL);
    if (!(low <= high))
        return lt_bad_argument(L, 2, "low: %f is above high, %f", (double)low, (double)high);
    LT_PUSH(L, lt_unary(&lt_k.pointwise->clamp, x, low, high));
    return 1;
}

// ---- in place
// --------------------------------------------------------------------------------------------------------

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
        {"exp", unary_exp, LT_IN_BOTH},
        {"log", unary_log, LT_IN_BOTH},
        {"sqrt", unary_sqrt, LT_IN_BOTH},
        {"rsqrt", unary_rsqrt, LT_IN_BOTH},
        {"reciprocal", unary_reciprocal, LT_IN_BOTH},
        {"neg", neg, LT_IN_BOTH},
        {"abs", unary_abs, LT_IN_BOTH},
        {"sign", unary_sign, LT_IN_BOTH},
        {"floor", unary_floor, LT_IN_BOTH},
        {"round", unary_round, LT_IN_BOTH},
        {"square", unary_square, LT_IN_BOTH},
        {"sin", unary_sin, LT_IN_BOTH},
        {"cos", unary_cos, LT_IN_BOTH},
        {"tanh", unary_tanh, LT_IN_BOTH},
        {"sigmoid", unary_sigmoid, LT_IN_BOTH},
        {"relu", unary_relu, LT_IN_BOTH},
        {"silu", unary_silu, LT_IN_BOTH},
        {"softplus", unary_softplus, LT_IN_BOTH},
        {"erf", unary_erf, LT_IN_BOTH},
        {"leaky_relu", leaky_relu, LT_IN_BOTH},
        {"gelu", gelu, LT_IN_BOTH},
        {"clamp", clamp, LT_IN_BOTH},
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
    lt_metamethod(L, "__unm", neg);
}
