// Splines.
#include "op/spline.h"
#include "lua/check.h"

/*** Runs every number through a monotone rational-quadratic spline of its own, a bijection of [-bound,bound] with k
bins and the identity outside (Durkan et al. 2019, arXiv 1906.04032, eq. 4 to 8). Of said, k widths and k heights become
parts of the whole by softmax, k - 1 derivatives are made by softplus, so shifted that zeros mean 1; those at the ends
are 1. First gradients only.
@function spline
@tparam Tensor x (..)
@tparam Tensor said (..,3k-1), any numbers; all zeros are the identity
@tparam[opt] table options inverse (false): from y to x; bound (4); least (0.01): smallest part of the whole that a bin
has, and smallest derivative
@treturn Tensor (2,..): the result, and the logarithm of the derivative of the map that was applied */
static int spline(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *said = lt_arg_tensor(L, 2, "said");
    double bound = 4, least = 0.01;
    bool inverse = false;
    lt_option options[] = {{"inverse", LT_OPTION_BOOLEAN, &inverse, 0, 0},
                           {"bound", LT_OPTION_NUMBER, &bound, 1e-6, 1e6},
                           {"least", LT_OPTION_NUMBER, &least, 1e-6, 0.5},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 3, options);
    LT_PUSH(L, lt_spline(x, said, (lt_spline_settings){0, (float)bound, (float)least, inverse}));
    return 1;
}

void lt_open_spline(lua_State *L)
{
    static const lt_function functions[] = {{"spline", spline, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
