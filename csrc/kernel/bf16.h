// The bfloat16 mode of products: inputs are rounded to bfloat16, multiplied exactly, summed in float32.
//
// Two ways give it. bf16_rounded.c, for every instruction set, rounds the inputs into copies (a bfloat16 is a float
// with 16 zeros at its end) and runs the float32 kernels on them: the product of two is exact in float32. Files named
// *_bf16.c are compiled for AVX512-BF16, AMX and the BF16 extension of ARM, and pack inputs as 16-bit numbers.
#ifndef LT_KERNEL_BF16_H
#define LT_KERNEL_BF16_H

#include "kernel/attention.h"
#include "kernel/conv.h"
#include "kernel/gemm.h"

// What a precision decides about.
typedef struct {
    const lt_gemm_kernels *gemm;
    const lt_conv_kernels *conv;
    const lt_attention_kernels *attention;
} lt_product_kernels;

#endif
