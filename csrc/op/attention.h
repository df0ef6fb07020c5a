// Scaled dot-product attention, with gradients of any order.
#ifndef LT_OP_ATTENTION_H
#define LT_OP_ATTENTION_H

#include "tensor/tape.h"

typedef struct {
    lt_tensor *mask; // NULL, (n,lk) or (n,heads,lq,lk): 0 where a key may not be seen
    bool causal;     // query i sees keys up to i + lk - lq
    float scale;     // infinity: 1 / sqrt(d)
} lt_attention_options;

// q (n,lq,heads,d), k and v (n,lk,heads,d) -> (n,lq,heads,d). A query that sees no key gives zeros.
lt_tensor *lt_attention(lt_tensor *q, lt_tensor *k, lt_tensor *v, const lt_attention_options *o);

// The same for a tensor that looks at itself: qkv (n,l,3*heads*d), q before k before v, -> (n,l,heads*d).
lt_tensor *lt_attention_qkv(lt_tensor *qkv, int64_t heads, const lt_attention_options *o);

#endif
