// Attention.
#include <math.h>

#include "lua/types.h"
#include "op/attention.h"

/*** Scaled dot-product attention, softmax(scale q k') v for every head (Vaswani et al. 2017, arXiv 1706.03762, eq. 1),
without the matrix of scores in memory. k and v may be of another length than q. A query that sees no key gives zeros.
Gradients of any order, none for the mask.
@function attention
@tparam Tensor q (n,lq,heads,d)
@tparam Tensor k (n,lk,heads,d)
@tparam Tensor v (n,lk,heads,d)
@tparam[opt] table options mask: (n,lk) or (n,heads,lq,lk), 0 where a key may not be seen; causal (false): query i
sees keys up to i + lk - lq; scale (1/sqrt(d))
@treturn Tensor (n,lq,heads,d) */
static int attention(lua_State *L)
{
    lt_tensor *q = lt_arg_tensor(L, 1, "q"), *k = lt_arg_tensor(L, 2, "k"), *v = lt_arg_tensor(L, 3, "v");
    lt_attention_options o = {.mask = NULL};
    double scale = HUGE_VAL;
    lt_option options[] = {{"mask", LT_OPTION_TENSOR, &o.mask, 0, 0},
                           {"causal", LT_OPTION_BOOLEAN, &o.causal, 0, 0},
                           {"scale", LT_OPTION_NUMBER, &scale, -1e30, 1e30},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 4, options);
    o.scale = (float)scale;
    LT_PUSH(L, lt_attention(q, k, v, &o));
    return 1;
}

void lt_open_attention(lua_State *L)
{
    static const lt_function functions[] = {{"attention", attention, LT_IN_BOTH}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
