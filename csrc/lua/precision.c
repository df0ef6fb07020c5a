// The precision of products.
#include <string.h>

#include "base/settings.h"
#include "lua/types.h"

/*** The precision of matrix products and convolutions: "float32" (at first) or "bf16"; with a name, sets it.

In bf16 mode linear, matmul, conv2d, conv_transpose2d, attention and the gradients of all of them round their inputs to
bfloat16 (to nearest, ties to even; infinities and NaN stay) while packing them, multiply exactly and sum in float32.
Tensors, weights, gradients, norms, losses and everything else stay float32, so no script needs a cast. The mode is read
at each call, backward's included.

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
    if (!lua_isnoneornil(L, 1)) {
        const char *name = lt_arg_string(L, 1, "name", NULL);
        int mode = 0;
        while (mode < 2 && strcmp(name, names[mode]))
            mode++;
        if (mode == 2)
            return lt_bad_argument(L, 1, "name: expected \"float32\" or \"bf16\", got \"%s\"", name);
        lt_precision_set((lt_precision_mode)mode);
    }
    lua_pushstring(L, names[lt_precision()]);
    return 1;
}

void lt_open_precision(lua_State *L)
{
    static const lt_function functions[] = {{"precision", precision, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
