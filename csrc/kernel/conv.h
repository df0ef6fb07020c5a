// Two-dimensional convolution of N,H,W,C pictures.
#ifndef LT_KERNEL_CONV_H
#define LT_KERNEL_CONV_H

#include <stdint.h>

// Input (n,h,w,cin), weight (cout,kh,kw,cin/groups), output (n,oh,ow,cout). Output pixel (oy,ox) and tap (ky,kx) read
// input pixel (oy*stride_h - padding_h + ky*dilation_h, likewise); outside of the picture that is zero.
// Every product of sizes here fits an int32 where it counts pixels of one picture, an int64 elsewhere.
typedef struct {
    int64_t n, h, w, cin;
    int64_t oh, ow, cout;
    int64_t kh, kw;
    int64_t stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
    int64_t groups;
} lt_conv_shape;

// What is added to every pixel of a result, each NULL or given: bias (channels), the same for all pictures; shift (n,
// channels), one row a picture; add, of the result's shape.
typedef struct {
    const float *bias, *shift, *add;
} lt_conv_terms;

// Each overwrites its result. LT_FAIL only when scratch memory is short.
typedef struct {
    // y[oy,ox,o] = sum over taps and channels of x * weight, + terms
    int (*forward)(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms, float *y);
    // The adjoint in x: dx from dy. As a transposed convolution it has terms too.
    int (*input_gradient)(const lt_conv_shape *s, const float *dy, const float *weight, const lt_conv_terms *terms,
                          float *dx);
    // The adjoint in the weight: dweight from x and dy, summed over pixels in a fixed order.
    int (*weight_gradient)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight);
} lt_conv_kernels;

#endif
