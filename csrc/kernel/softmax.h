// Softmax over the middle axis of x(outer, r, inner), contiguous. Threads inside, in pieces of fixed size.
#ifndef LT_KERNEL_SOFTMAX_H
#define LT_KERNEL_SOFTMAX_H

#include <stdint.h>

typedef struct {
    // y = exp(x - max) / sum exp(x - max)
    void (*softmax)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y);
    // y = x - max - log sum exp(x - max)
    void (*log_softmax)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y);
    // dx = y * (dy - sum dy * y), from y = softmax(x)
    void (*softmax_grad)(int64_t outer, int64_t r, int64_t inner, const float *y, const float *dy, float *dx);
    // dx = dy - exp(y) * sum dy, from y = log_softmax(x)
    void (*log_softmax_grad)(int64_t outer, int64_t r, int64_t inner, const float *y, const float *dy, float *dx);
} lt_softmax_kernels;

extern const lt_softmax_kernels lt_softmax_portable, lt_softmax_avx2, lt_softmax_avx512;

#endif
