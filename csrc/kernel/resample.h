// Resampling of N,H,W,C pictures and the adjoint of each way.
#ifndef LT_KERNEL_RESAMPLE_H
#define LT_KERNEL_RESAMPLE_H

#include <stdint.h>

// Input (n,h,w,c), output (n,oh,ow,c).
typedef struct {
    int64_t n, h, w, c;
    int64_t oh, ow;
} lt_resample_shape;

// Adjoints give dx (n,h,w,c) from dy (n,oh,ow,c). LT_FAIL only when scratch memory is short.
typedef struct {
    // oh = h*scale, ow = w*scale: every pixel repeated scale x scale times
    void (*nearest)(const lt_resample_shape *s, const float *x, float *y);
    void (*nearest_adjoint)(const lt_resample_shape *s, const float *dy, float *dx);
    // Half-pixel centres, edges clamped (align_corners = false): source = (i + 1/2) h/oh - 1/2
    int (*bilinear)(const lt_resample_shape *s, const float *x, float *y);
    int (*bilinear_adjoint)(const lt_resample_shape *s, const float *dy, float *dx);
} lt_resample_kernels;

#endif
