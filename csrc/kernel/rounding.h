// Rounding of floats to bfloat16: to nearest, ties to even; infinities stay and NaN stays NaN. Private to csrc/kernel.
#ifndef LT_KERNEL_ROUNDING_H
#define LT_KERNEL_ROUNDING_H

#include "kernel/simd.h"
#include "kernel/tile.h"

// The float32 that has x's bfloat16.
static inline float lt_round_bf16(float x)
{
    const uint32_t u = lt_bits(x), nearest = u + 0x7fff + ((u >> 16) & 1), quiet = u | 0x400000;
    return lt_from_bits(((u & 0x7fffffff) > 0x7f800000 ? quiet : nearest) & 0xffff0000u);
}

LT_INLINE lt_vec lt_round_vector(lt_vec x)
{
    typedef uint32_t bits __attribute__((vector_size(LT_LANES * sizeof(float))));
    const bits u = (bits)x, nearest = u + 0x7fff + ((u >> 16) & 1), quiet = u | 0x400000, nan = (bits)(x != x);
    return (lt_vec)(((nan & quiet) | (~nan & nearest)) & 0xffff0000u);
}

static inline void lt_round_floats(const float *from, int64_t n, float *to) // to: another array, or the same
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        to[i] = lt_round_bf16(from[i]);
}

#endif
