// A vector at a time: exponentials for softmax, and sums and maxima over lanes, by halves. Private to csrc/kernel.
#ifndef LT_KERNEL_LANES_H
#define LT_KERNEL_LANES_H

#include "kernel/simd.h"
#include "kernel/transpose.h"

// The larger of each pair; that of `b` where a is NaN.
LT_INLINE lt_vec lt_larger(lt_vec a, lt_vec b)
{
#if defined(__AVX512F__)
    return (lt_vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (lt_vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    lt_vec_i more = a > b;
    return (lt_vec)((more & (lt_vec_i)a) | (~more & (lt_vec_i)b));
#endif
}

// The smaller of each pair; that of `b` where a is NaN.
LT_INLINE lt_vec lt_smaller(lt_vec a, lt_vec b)
{
#if defined(__AVX512F__)
    return (lt_vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (lt_vec)_mm256_min_ps((__m256)a, (__m256)b);
#else
    lt_vec_i less = a < b;
    return (lt_vec)((less & (lt_vec_i)a) | (~less & (lt_vec_i)b));
#endif
}

#if defined(__AVX512F__)
#define LT_BY_HALVES(v, op)                                                                                            \
    __m256 half = op(_mm512_castps512_ps256((__m512)(v)), _mm512_extractf32x8_ps((__m512)(v), 1))
#elif defined(__AVX2__)
#define LT_BY_HALVES(v, op) __m256 half = (__m256)(v)
#endif

// Lanes are added as ((0+4)+(2+6))+((1+5)+(3+7)) and so on: in one order, for one instruction set.
LT_INLINE float lt_sum_lanes(lt_vec v)
{
#if defined(__AVX2__)
    LT_BY_HALVES(v, _mm256_add_ps);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#elif defined(LT_NEON)
    return vaddvq_f32((float32x4_t)v); // (0+1)+(2+3)
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

LT_INLINE float lt_largest_lane(lt_vec v) // of numbers that are not NaN
{
#if defined(__AVX2__)
    LT_BY_HALVES(v, _mm256_max_ps);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
#elif defined(LT_NEON)
    return vmaxnmvq_f32((float32x4_t)v);
#else
    float most = v[0];
    for (int i = 1; i < LT_LANES; i++)
        most = v[i] > most ? v[i] : most;
    return most;
#endif
}

// exp(x) by the polynomial of lt_exp with half its instructions: results below 2^-126 may come out as 0, and that of
// -infinity does; those above exp(88) come out as something large. NaN stays.
LT_INLINE lt_vec lt_exp_lanes(lt_vec x)
{
#if defined(__AVX512F__)
    x = lt_larger((lt_vec){0} - 200, x);
    const lt_vec n = (lt_vec)_mm512_roundscale_ps((__m512)(x * 0x1.715476p0f), _MM_FROUND_TO_NEAREST_INT | 8);
#else
    const lt_vec low = (lt_vec){0} - 87;
    const lt_vec_i vanishes = x < low;
    x = lt_smaller((lt_vec){0} + 88, lt_larger(low, x));
    const lt_vec shifted = x * 0x1.715476p0f + LT_ROUND, n = shifted - LT_ROUND;
#endif
    const lt_vec r = x - n * LT_LN2_HI - n * LT_LN2_LO;
    lt_vec p = r * 0x1.6db426p-10f + 0x1.123b56p-7f;
    p = p * r + 0x1.55545ep-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0.5f;
    const lt_vec y = 1.0f + (r + r * r * p);
#if defined(__AVX512F__)
    return (lt_vec)_mm512_scalef_ps((__m512)y, (__m512)n);
#else
    const lt_vec e = (lt_vec)((lt_vec_i)y + ((lt_vec_i)shifted << 23)); // LT_ROUND's own bits are shifted out
    return (lt_vec)((lt_vec_i)e & ~vanishes) + (x - x);                 // x - x: 0, or NaN
#endif
}

#endif
