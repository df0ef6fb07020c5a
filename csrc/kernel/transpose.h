// Transposition. Private to csrc/kernel.
//
// A block is LT_LANES rows by 16 columns, a cache line of each row, so that no line is fetched twice however far apart
// rows lie. Four columns at a time: a vector gathers, for each of its quads, four columns of one row (rows 0, 4, 8, 12;
// then 1, 5, 9, 13; ...), and quads are transposed as 4 x 4 matrices, all of them at once.
#ifndef LT_KERNEL_TRANSPOSE_H
#define LT_KERNEL_TRANSPOSE_H

#include "kernel/tile.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

typedef float lt_four __attribute__((vector_size(16)));
typedef float lt_four_u __attribute__((vector_size(16), aligned(4), may_alias));

// Elements i, j, k, l of a and b, counted through both.
#if defined(__clang__)
#define LT_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t lt_four_i __attribute__((vector_size(16)));
#define LT_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (lt_four_i){i, j, k, l})
#endif

// Four floats of every fourth row: quad q holds row 4q.
LT_INLINE lt_vec lt_quads(const float *from, int64_t ld)
{
#if defined(__AVX512F__)
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from + 4 * ld), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from + 8 * ld), 2);
    return (lt_vec)_mm512_insertf32x4(v, _mm_loadu_ps(from + 12 * ld), 3);
#elif defined(__AVX2__)
    return (lt_vec)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from + 4 * ld), 1);
#else
    (void)ld;
    return *(const lt_vec_u *)from;
#endif
}

// v[0..4), one row each, -> columns, in every quad.
LT_INLINE void lt_transpose_quads(lt_vec *v)
{
#if defined(__AVX512F__)
    __m512 a = _mm512_unpacklo_ps((__m512)v[0], (__m512)v[1]), b = _mm512_unpackhi_ps((__m512)v[0], (__m512)v[1]);
    __m512 c = _mm512_unpacklo_ps((__m512)v[2], (__m512)v[3]), d = _mm512_unpackhi_ps((__m512)v[2], (__m512)v[3]);
    v[0] = (lt_vec)_mm512_unpacklo_pd((__m512d)a, (__m512d)c);
    v[1] = (lt_vec)_mm512_unpackhi_pd((__m512d)a, (__m512d)c);
    v[2] = (lt_vec)_mm512_unpacklo_pd((__m512d)b, (__m512d)d);
    v[3] = (lt_vec)_mm512_unpackhi_pd((__m512d)b, (__m512d)d);
#elif defined(__AVX2__)
    __m256 a = _mm256_unpacklo_ps((__m256)v[0], (__m256)v[1]), b = _mm256_unpackhi_ps((__m256)v[0], (__m256)v[1]);
    __m256 c = _mm256_unpacklo_ps((__m256)v[2], (__m256)v[3]), d = _mm256_unpackhi_ps((__m256)v[2], (__m256)v[3]);
    v[0] = (lt_vec)_mm256_unpacklo_pd((__m256d)a, (__m256d)c);
    v[1] = (lt_vec)_mm256_unpackhi_pd((__m256d)a, (__m256d)c);
    v[2] = (lt_vec)_mm256_unpacklo_pd((__m256d)b, (__m256d)d);
    v[3] = (lt_vec)_mm256_unpackhi_pd((__m256d)b, (__m256d)d);
#else
    lt_vec a = LT_SHUFFLE(v[0], v[1], 0, 4, 1, 5), b = LT_SHUFFLE(v[0], v[1], 2, 6, 3, 7);
    lt_vec c = LT_SHUFFLE(v[2], v[3], 0, 4, 1, 5), d = LT_SHUFFLE(v[2], v[3], 2, 6, 3, 7);
    v[0] = LT_SHUFFLE(a, c, 0, 1, 4, 5);
    v[1] = LT_SHUFFLE(a, c, 2, 3, 6, 7);
    v[2] = LT_SHUFFLE(b, d, 0, 1, 4, 5);
    v[3] = LT_SHUFFLE(b, d, 2, 3, 6, 7);
#endif
}

// LT_LANES rows by 4 columns.
LT_INLINE void lt_transpose_block(const float *from, int64_t from_ld, float scale, float *to, int64_t to_ld)
{
    lt_vec v[4];
    for (int r = 0; r < 4; r++)
        v[r] = lt_quads(from + r * from_ld, from_ld);
    lt_transpose_quads(v);
    for (int c = 0; c < 4; c++)
        *(lt_vec_u *)(to + c * to_ld) = scale * v[c];
}

// What is left of rows [i, m): 4 x 4 blocks, then one by one.
static __attribute__((unused)) void lt_transpose_rest(const float *from, int64_t from_ld, int64_t i, int64_t m,
                                                      int64_t n, float scale, float *to, int64_t to_ld)
{
    for (; i + 4 <= m; i += 4) {
        int64_t j = 0;
        for (; j + 4 <= n; j += 4) {
            const float *f = from + i * from_ld + j;
            float *t = to + j * to_ld + i;
            lt_four a = *(const lt_four_u *)f, b = *(const lt_four_u *)(f + from_ld);
            lt_four c = *(const lt_four_u *)(f + 2 * from_ld), d = *(const lt_four_u *)(f + 3 * from_ld);
            lt_four ab = LT_SHUFFLE(a, b, 0, 4, 1, 5), cd = LT_SHUFFLE(c, d, 0, 4, 1, 5);
            *(lt_four_u *)t = scale * LT_SHUFFLE(ab, cd, 0, 1, 4, 5);
            *(lt_four_u *)(t + to_ld) = scale * LT_SHUFFLE(ab, cd, 2, 3, 6, 7);
            ab = LT_SHUFFLE(a, b, 2, 6, 3, 7);
            cd = LT_SHUFFLE(c, d, 2, 6, 3, 7);
            *(lt_four_u *)(t + 2 * to_ld) = scale * LT_SHUFFLE(ab, cd, 0, 1, 4, 5);
            *(lt_four_u *)(t + 3 * to_ld) = scale * LT_SHUFFLE(ab, cd, 2, 3, 6, 7);
        }
        for (; j < n; j++)
            for (int r = 0; r < 4; r++)
                to[j * to_ld + i + r] = scale * from[(i + r) * from_ld + j];
    }
    for (; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            to[j * to_ld + i] = scale * from[i * from_ld + j];
}

// to[j*to_ld + i] = scale * from[i*from_ld + j] for i < m, j < n.
static __attribute__((unused)) void lt_transpose(const float *from, int64_t from_ld, int64_t m, int64_t n, float scale,
                                                 float *to, int64_t to_ld)
{
    const int64_t whole = m / LT_LANES * LT_LANES;
    int64_t j = 0;
    for (; j + 16 <= n; j += 16)
        for (int64_t i = 0; i < whole; i += LT_LANES) {
            for (int r = 0; r < LT_LANES; r++)
                __builtin_prefetch(from + (i + r) * from_ld + j + 16);
            for (int c = 0; c < 16; c += 4)
                lt_transpose_block(from + i * from_ld + j + c, from_ld, scale, to + (j + c) * to_ld + i, to_ld);
        }
    for (; j + 4 <= n; j += 4)
        for (int64_t i = 0; i < whole; i += LT_LANES)
            lt_transpose_block(from + i * from_ld + j, from_ld, scale, to + j * to_ld + i, to_ld);
    for (; j < n; j++)
        for (int64_t i = 0; i < whole; i++)
            to[j * to_ld + i] = scale * from[i * from_ld + j];
    lt_transpose_rest(from, from_ld, whole, m, n, scale, to, to_ld);
}

#endif
