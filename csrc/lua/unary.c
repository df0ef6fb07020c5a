// Functions of one tensor, element by element.
#include "lua/check.h"
#include "op/arith.h"
#include "op/hold.h"
#include "op/threshold.h"
#include <math.h>

/*** Functions of one tensor, element by element, with first and second derivatives. `log1p` is log(1 + x), good to the
last places where x is small too; `round` goes to even; `sign`, `floor` and `round` have no gradient.
@function exp
@function log
@function log1p
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
UNARY(log1p)
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
    bool by_tanh = lt_one_of(L, 2, "approximate", approximate, 2, (const char *[]){"none", "tanh"}) == 1;
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

/*** x, but not below `low` nor above `high`, for numbers that are learned. Outside, where a clamp has no slope, the
gradient passes if a step against it leads back in; one that leads further out does not.
@function hold
@tparam Tensor x
@tparam number low
@tparam number high
@treturn Tensor */
static int hold(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    float low = (float)lt_arg_number(L, 2, "low"), high = (float)lt_arg_number(L, 3, "high");
    if (!(low <= high))
        return lt_bad_argument(L, 2, "low: %f is above high, %f", (double)low, (double)high);
    LT_PUSH(L, lt_hold(x, low, high));
    return 1;
}

/*** Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487): of each picture, s is the quantile of |x|, at least 1
and at most max; then x is clamped to [-s, s] and divided by s. Gradients take s as a constant.
@function threshold
@tparam Tensor x (n,...)
@tparam[opt=0.995] number quantile 0..1; between two values as torch.quantile
@tparam[opt=inf] number max at least 1
@treturn Tensor */
static int threshold(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    const double quantile = lt_arg_number_or(L, 2, "quantile", 0.995);
    const double max = lt_arg_number_or(L, 3, "max", INFINITY);
    if (!(quantile >= 0 && quantile <= 1))
        return lt_bad_argument(L, 2, "quantile: expected a number in 0..1, got %f", quantile);
    if (!(max >= 1))
        return lt_bad_argument(L, 3, "max: expected a number of at least 1, got %f", max);
    LT_PUSH(L, lt_threshold(x, quantile, max));
    return 1;
}

void lt_open_unary(lua_State *L)
{
    static const lt_function functions[] = {
        {"exp", unary_exp, LT_IN_BOTH},
        {"log", unary_log, LT_IN_BOTH},
        {"log1p", unary_log1p, LT_IN_BOTH},
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
        {"hold", hold, LT_IN_BOTH},
        {"threshold", threshold, LT_IN_BOTH},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
    lt_metamethod(L, "__unm", neg);
}
