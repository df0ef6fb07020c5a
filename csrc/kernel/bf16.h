// The bfloat16 modes of products: inputs are rounded to bfloat16, multiplied exactly, summed in float32.
//
// Two ways give it. Files named *_bf16.c are compiled for AVX512-BF16, AMX and the BF16 extension of ARM, and pack
// inputs as 16-bit numbers. bf16_rounded.c, for every instruction set, rounds the inputs into copies (a bfloat16 is a
// float with 16 zeros at its end) and runs the float32 kernels on them: the product of two is exact in float32. That is
// never faster than float32 (a transformer's step takes 1.3 times as long on a Zen 3), so lt.precision "rounded" alone
// takes this way: "bf16" takes pairs where they gain (base/gain.h, is_wide of conv_bf16.c), and elsewhere computes in
// float32 unrounded.
#ifndef LT_KERNEL_BF16_H
#define LT_KERNEL_BF16_H

#include "base/settings.h"
#include "kernel/attention.h"
#include "kernel/conv.h"
#include "kernel/gemm.h"
#include "kernel/isa.h"

// What a precision decides about.
typedef struct {
    const lt_gemm_kernels *gemm;
    const lt_conv_kernels *conv;
    const lt_attention_kernels *attention;
} lt_product_kernels;

// A file of a set with products of bfloat16 calls, for what is not worth pairs, the set of float32 that it stands on:
// on rounded copies only where all is rounded.
#if defined(LT_NEON)
#define LT_BELOW(name) LT_PASTE(name, neon)
#else
#define LT_BELOW(name) LT_PASTE(name, avx512)
#endif
#if defined(__AVX512BF16__) || defined(LT_NEON_BF16)
extern const lt_product_kernels LT_BELOW(lt_rounded), LT_BELOW(lt_full);

static inline const lt_product_kernels *lt_without_pairs(void)
{
    return lt_precision() == LT_PRECISION_ROUNDED ? &LT_BELOW(lt_rounded) : &LT_BELOW(lt_full);
}
#endif

#endif
