// What a user sets once for everything that follows (base/settings.h).
#include "base/settings.h"

#include <limits.h>
#include <stdio.h>

#include "kernel/kernel.h"
#include "lua/check.h"

// The number of the name at argument 1 among the n `names`; `current` without an argument.
static int named(lua_State *L, int n, const char *const *names, int current)
{
    if (lua_isnoneornil(L, 1))
        return current;
    return lt_one_of(L, 1, "name", lt_arg_string(L, 1, "name", NULL), n, names);
}

/*** The precision of matrix products and convolutions: "float32" (at first), "bf16" or "rounded"; with a name, sets it.

In "bf16" linear, matmul, conv2d, conv_transpose2d, attention and the gradients of all of them round their inputs to
bfloat16 (to nearest, ties to even; infinities and NaN stay) while packing them, multiply exactly and sum in float32,
wherever this processor does that faster than float32: with AMX, with AVX512-BF16 on processors of AMD, and with ARM's
BF16. What gains nothing is computed as in "float32", to the bit: everything on other processors (info().bf16 says why),
and few channels or rows and Winograd's convolutions with AVX512-BF16. So bf16 costs no time anywhere, and results
differ between processors, never between runs on one.

"auto" sets "bf16" where this processor gains by it and "float32" where it does not.

"rounded" rounds every input of every product, whatever that costs: the arithmetic of bfloat16 on any processor. Without
instructions for it inputs are rounded into copies and multiplied by the float32 kernels: a transformer's step takes
about 1.3 times as long. The instructions take denormal inputs for zero.

Tensors, weights, gradients, norms, losses and everything else stay float32, so no script needs a cast. The mode is read
at each call, backward's included. Where several Lua states live in threads of one process, each thread has its own.
@function precision
@tparam[opt] string name "float32", "bf16", "auto" or "rounded"
@treturn string the precision in use: "float32", "bf16" or "rounded"
@raise when the name is none of these
@usage lt.precision "auto" */
static int precision(lua_State *L)
{
    static const char *const names[] = {[LT_PRECISION_FLOAT32] = "float32",
                                        [LT_PRECISION_BF16] = "bf16",
                                        [LT_PRECISION_ROUNDED] = "rounded",
                                        [LT_PRECISIONS] = "auto"};
    int mode = named(L, LT_PRECISIONS + 1, names, lt_precision());
    if (mode == LT_PRECISIONS)
        mode = lt_k.bf16.faster ? LT_PRECISION_BF16 : LT_PRECISION_FLOAT32;
    lt_precision_set((lt_precision_mode)mode);
    lua_pushstring(L, names[mode]);
    return 1;
}

/*** For tests: what lt.precision "auto" would find on a processor that is made up.
@function debug_bf16_gain
@tparam table options isa (""), vendor (""), family (0), model (0): as cpuid says
@treturn boolean is bfloat16 faster there?
@treturn string why */
static int debug_bf16_gain(lua_State *L)
{
    const char *isa = "", *vendor = "";
    int64_t family = 0, model = 0;
    const lt_option options[] = {{"isa", LT_OPTION_STRING, &isa, 0, 0},
                                 {"vendor", LT_OPTION_STRING, &vendor, 0, 0},
                                 {"family", LT_OPTION_INTEGER, &family, 0, INT_MAX},
                                 {"model", LT_OPTION_INTEGER, &model, 0, INT_MAX},
                                 {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 1, options);
    lt_processor p = {.family = (int)family, .model = (int)model};
    snprintf(p.vendor, sizeof p.vendor, "%s", vendor);
    const lt_gain gain = lt_bf16_gain(&p, isa);
    lua_pushboolean(L, gain.faster);
    lua_pushstring(L, gain.reason);
    return 2;
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
    lt_convolution_set((lt_convolution_mode)named(L, 2, names, lt_convolution()));
    lua_pushstring(L, names[lt_convolution()]);
    return 1;
}

void lt_open_settings(lua_State *L)
{
    static const lt_function functions[] = {
        {"precision", precision, LT_IN_MODULE},
        {"convolution", convolution, LT_IN_MODULE},
        {"debug_bf16_gain", debug_bf16_gain, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
