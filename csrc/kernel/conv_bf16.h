// What the files of convolution in bfloat16 share, and what they need of the float32 ones. Private to csrc/kernel.
#ifndef LT_KERNEL_CONV_BF16_H
#define LT_KERNEL_CONV_BF16_H

#include <stdbool.h>

#include "kernel/bf16.h"
#include "kernel/conv_shared.h"
#include "kernel/isa.h"

extern const lt_gemm_kernels LT_NAME(lt_gemm);

int LT_BELOW(lt_conv_forward_by)(const lt_conv_shape *s, const float *x, const float *weight,
                                 const lt_conv_terms *terms, float *y, lt_conv_carrier carry);
int LT_BELOW(lt_conv_input_gradient_by)(const lt_conv_shape *s, const float *dy, const float *weight,
                                        const lt_conv_terms *terms, float *dx, lt_conv_carrier carry);
void LT_BELOW(lt_conv_more_terms)(const lt_conv_terms *terms, int64_t n, int64_t pixels, int64_t c, float *y);

// No padding, no gaps: a matrix product of pixels and channels.
static inline bool lt_conv_is_product(const lt_conv_shape *s)
{
    return s->kh * s->kw == 1 && s->groups == 1 && s->stride_h == 1 && s->stride_w == 1 && s->padding_h == 0 &&
           s->padding_w == 0;
}

#endif
