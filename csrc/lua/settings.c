// What a user sets once for everything that follows (base/settings.h).
#include "base/settings.h"

#include "lua/check.h"

// The number of the name at argument 1 among `names` (two of them); `current` without an argument.
static int named(lua_State *L, const char *const *names, int current)
{
    if (lua_isnoneornil(L, 1))
        return current;
    const char *name = lt_arg_string(L, 1, "name", NULL);
    return lt_one_of(L, 1, "name", name, 2, names);
}

/*** The precision of matrix products and convolutions: "float32" (at first) or "bf16"; with a name, sets it.

In bf16 mode linear, matmul, conv2d, conv_transpose2d, attention and the gradients of all of them round their inputs to
bfloat16 (to nearest, ties to even; infinities and NaN stay) while packing them, multiply exactly and sum in float32.
Tensors, weights, gradients, norms, losses and everything else stay float32, so no script needs a cast. The mode is read
at each call, backward's included. Where several Lua states live in threads of one process, each thread has its own.

It is faster where the processor has instructions for it (info().isa is then "avx512bf16" or "amx"). Elsewhere inputs
are rounded the same and multiplied by the float32 kernels: the results agree up to the order of summation, and cost a
little more time than float32. The instructions take denormal inputs for zero.
@function precision
@tparam[opt] string name "float32" or "bf16"
@treturn string the precision in use
@raise when the name is neither
@usage lt.precision "bf16" */
static int precision(lua_State *L)
{
    static const char *const names[] = {[LT_PRECISION_FLOAT32] = "float32", [LT_PRECISION_BF16] = "bf16"};
    lt_precision_set((lt_precision_mode)named(L, names, lt_precision()));
    lua_pushstring(L, names[lt_precision()]);
    return 1;
}

/*** How convolutions are computed: "auto" (at first) or "direct"; with a name, sets it.

"auto" takes Winograd's way for 3x3 kernels with stride 1 and for 4x4 kernels with stride 2, from 32 channels on both
sides: up to three times faster, at about twice the (tiny) rounding error; conv2d says what becomes of NaN, infinities
and large numbers. "direct" always sums as the definition says. The mode is read at each call, backward's included.
@function convolution
@tparam[opt] string name "auto" or "direct"
@treturn string the one in use
@raise when the name is neither
@usage lt.convolution "direct" */
static int convolution(lua_State *L)
{
    static const char *const names[] = {[LT_CONVOLUTION_AUTO] = "auto", [LT_CONVOLUTION_DIRECT] = "direct"};
    lt_convolution_set((lt_convolution_mode)named(L, names, lt_convolution()));
    lua_pushstring(L, names[lt_convolution()]);
    return 1;
}

void lt_open_settings(lua_State *L)
{
    static const lt_function functions[] = {
        {"precision", precision, LT_IN_MODULE}, {"convolution", convolution, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
