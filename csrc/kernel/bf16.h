// The bfloat16 modes of products: inputs are rounded to bfloat16, multiplied exactly, summed in float32.
//
// Two ways give it. Files named *_bf16.c are compiled for AVX512-BF16 and for AMX and pack inputs as 16-bit numbers.
// bf16_rounded.c, for every instruction set, rounds the inputs into copies (a bfloat16 is a float with 16 zeros at its
// end) and runs the float32 kernels on them: the product of two is exact in float32. That is never faster than float32
// (a transformer's step takes 1.3 times as long on a Zen 3), so lt.precision "rounded" alone takes this way: "bf16"
// takes pairs where they gain (base/gain.h, is_wide of conv_bf16.c), and elsewhere computes in float32 unrounded.
#ifndef LT_KERNEL_BF16_H
#define LT_KERNEL_BF16_H

#include "base/settings.h"
#include "kernel/attention.h"
#include "kernel/conv.h"
#include "kernel/gemm.h"

// What a precision decides about.
typedef struct {
    const lt_gemm_kernels *gemm;
    const lt_conv_kernels *conv;
    const lt_attention_kernels *attention;
} lt_product_kernels;

#if defined(__x86_64__)
extern const lt_product_kernels lt_rounded_avx512, lt_full_avx512;

// Who computes what *_bf16.c find not worth pairs: the float32 kernels, on rounded copies only where all is rounded.
static inline const lt_product_kernels *lt_without_pairs(void)
{
    return lt_precision() == LT_PRECISION_ROUNDED ? &lt_rounded_avx512 : &lt_full_avx512;
}
#endif

#endif
