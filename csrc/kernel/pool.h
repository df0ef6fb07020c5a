// Pooling of N,H,W,C pictures: average and maximum over windows.
#ifndef LT_KERNEL_POOL_H
#define LT_KERNEL_POOL_H

#include <stdint.h>

// Input (n,h,w,c), output (n,oh,ow,c); the window of (oy,ox) starts at (oy*stride_h - padding_h, ...).
typedef struct {
    int64_t n, h, w, c;
    int64_t oh, ow;
    int64_t kh, kw, stride_h, stride_w, padding_h, padding_w;
} lt_pool_shape;

typedef struct {
    // Mean of kh*kw values; the padding counts as zeros.
    void (*average)(const lt_pool_shape *s, const float *x, float *y);
    void (*average_adjoint)(const lt_pool_shape *s, const float *dy, float *dx);
    // Largest value (padding never wins, NaN always does) and the pixel iy*w + ix that held it, per channel.
    void (*max)(const lt_pool_shape *s, const float *x, float *y, int32_t *index);
    void (*max_adjoint)(const lt_pool_shape *s, const float *dy, const int32_t *index, float *dx);
    // y = x at `index`: the adjoint of max_adjoint.
    void (*max_gather)(const lt_pool_shape *s, const float *x, const int32_t *index, float *y);
} lt_pool_kernels;

#endif
