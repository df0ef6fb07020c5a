// Two-dimensional convolution of (n,h,w,c) pictures and its transpose, with gradients of any order.
#ifndef LT_OP_CONV_H
#define LT_OP_CONV_H

#include "tensor/tape.h"

typedef struct {
    int64_t stride[2], padding[2], output_padding[2], dilation[2]; // down, across
    int64_t groups;
    lt_tensor *shift, *add; // of lt_conv2d alone
} lt_conv_options;

#define LT_CONV_DEFAULTS                                                                                               \
    (lt_conv_options)                                                                                                  \
    {                                                                                                                  \
        .stride = {1, 1}, .dilation = {1, 1}, .groups = 1                                                              \
    }

// Sizes, strides, paddings and dilated kernels stay below this, so that coordinates fit an int32.
enum { LT_CONV_LIMIT = 1 << 28 };

// x (n,h,w,in), weight (out,kh,kw,in/groups), bias (out) or NULL -> (n,oh,ow,out); output_padding is not used
// o->shift (n,out) and o->add (n,oh,ow,out), NULL or given, are added as the result is stored.
lt_tensor *lt_conv2d(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_conv_options *o);
// x (n,h,w,in), weight (in,kh,kw,out/groups), bias (out) or NULL -> (n,oh,ow,out)
lt_tensor *lt_conv_transpose2d(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_conv_options *o);

#endif
