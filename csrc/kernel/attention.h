// Scaled dot-product attention without the matrix of scores in memory.
#ifndef LT_KERNEL_ATTENTION_H
#define LT_KERNEL_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

// q (n,lq,heads,d), k and v (n,lk,heads,d), out (n,lq,heads,d), lse (n,heads,lq).
//   s = scale q k^T, p = softmax(s) over the keys that may be seen, out = p v, lse = log sum exp s
// q_step and kv_step: floats from one position to the next in q and dq, and in k, v, dk and dv: heads*d, or more
// where they are parts of one tensor. out and dout are whole.
// mask: 1 where a key may be seen, 0 where not; NULL: everywhere. Element (b,head,i,j) is at
// b*mask_n + head*mask_h + i*mask_q + j. causal: query i sees keys j <= i + lk - lq only.
// A query that sees no key gives zeros (and lse = -inf).
typedef struct {
    int64_t n, heads, lq, lk, d;
    int64_t q_step, kv_step;
    float scale;
    bool causal;
    const float *mask;
    int64_t mask_n, mask_h, mask_q;
} lt_attention_shape;

// LT_FAIL only when scratch memory is short.
typedef struct {
    int (*forward)(const lt_attention_shape *s, const float *q, const float *k, const float *v, float *out, float *lse);
    // dq, dk, dv from dout; the probabilities are made again from lse.
    int (*backward)(const lt_attention_shape *s, const float *q, const float *k, const float *v, const float *out,
                    const float *lse, const float *dout, float *dq, float *dk, float *dv);
} lt_attention_kernels;

#endif
