// Sums and maxima over the lanes of a vector, by halves. Private to csrc/kernel.
#ifndef LT_KERNEL_LANES_H
#define LT_KERNEL_LANES_H

#include "kernel/turn.h"

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
#else
    float most = v[0];
    for (int i = 1; i < LT_LANES; i++)
        most = v[i] > most ? v[i] : most;
    return most;
#endif
}

#endif
