// Attention.
#include <math.h>

#include "lua/check.h"
#include "op/attention.h"

static lt_attention_options options_at(lua_State *L, int arg)
{
    lt_attention_options o = {.mask = NULL};
    double scale = HUGE_VAL;
    lt_option options[] = {{"mask", LT_OPTION_TENSOR, &o.mask, 0, 0},
                           {"causal", LT_OPTION_BOOLEAN, &o.causal, 0, 0},
                           {"scale", LT_OPTION_NUMBER, &scale, -1e30, 1e30},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, arg, options);
    o.scale = (float)scale;
    return o;
}

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
    const lt_attention_options o = options_at(L, 4);
    LT_PUSH(L, lt_attention(q, k, v, &o));
    return 1;
}

/*** Attention of a tensor to itself, with q, k and v side by side on the last axis as one linear layer makes them. The
same as attention on the three parts, without copying them: they are read where they are, and so is their gradient
written.
@function attention_qkv
@tparam Tensor qkv (n,l,3*heads*d): heads of q, then of k, then of v
@tparam integer heads
@tparam[opt] table options mask: (n,l) or (n,heads,l,l); causal; scale, as for attention
@treturn Tensor (n,l,heads*d)
@usage lt.attention_qkv(lt.randn(2, 10, 3 * 4 * 8), 4).shape  --> {2, 10, 32} */
static int attention_qkv(lua_State *L)
{
    lt_tensor *qkv = lt_arg_tensor(L, 1, "qkv");
    const int64_t heads = lt_arg_integer(L, 2, "heads", 1, INT32_MAX);
    const lt_attention_options o = options_at(L, 3);
    LT_PUSH(L, lt_attention_qkv(qkv, heads, &o));
    return 1;
}

void lt_open_attention(lua_State *L)
{
    static const lt_function functions[] = {
        {"attention", attention, LT_IN_BOTH}, {"attention_qkv", attention_qkv, LT_IN_BOTH}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
