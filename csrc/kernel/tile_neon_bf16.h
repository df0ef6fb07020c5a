// Products of bfloat16 by bfmmla of 64-bit ARM, and the packing that it needs: what tile_bf16.h, which includes this in
// its place, has for AVX512-BF16. Private to csrc/kernel.
//
// bfmmla adds to a 2 x 2 block of sums the products of two rows of A and two columns of B, four neighbours of the
// summed axis each: 16 multiply-adds. So sums lie in blocks until they are stored; rows of A are pairs in their order,
// as elsewhere, two of them joined when they are read; and a panel goes two steps at a time, [two steps][two columns],
// a column's four values side by side. The number of steps is even: zeros fill up the last.
#ifndef LT_KERNEL_TILE_NEON_BF16_H
#define LT_KERNEL_TILE_NEON_BF16_H

#include <string.h>

#include "kernel/transpose.h"

enum { LT_PAIR_UNIT = 24 }; // every tile height divides it
enum { LT_PAIRS_BEAT_WINOGRAD = false };

LT_INLINE int64_t lt_pairs(int64_t k)
{
    return (k + 3) / 4 * 2;
}

LT_INLINE int lt_pair_height(int nv)
{
    return lt_tile_height(nv);
}

LT_INLINE void lt_pairs_begin(void)
{
}

LT_INLINE void lt_pairs_end(void)
{
}

// Two steps: sum[i][h] += rows 2i, 2i + 1 of A, joined, times columns 2h, 2h + 1 of B.
LT_INLINE void lt_neon_blocks(float32x4_t (*sum)[2 * LT_NV_MAX], const float32x4_t *a, const float *b, const int mr,
                              const int nv)
{
#pragma GCC unroll 8
    for (int h = 0; h < 2 * nv; h++) {
        const bfloat16x8_t bv = vreinterpretq_bf16_f32(vld1q_f32(b + 4 * h));
#pragma GCC unroll 6
        for (int i = 0; i < mr / 2; i++)
            sum[i][h] = vbfmmlaq_f32(sum[i][h], vreinterpretq_bf16_f32(a[i]), bv);
    }
}

LT_INLINE float32x4_t lt_neon_join_low(float32x4_t a, float32x4_t b)
{
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

LT_INLINE float32x4_t lt_neon_join_high(float32x4_t a, float32x4_t b)
{
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

// As lt_tile_rows_body: A by row pointers, one a row of C; B packed [tap][step][nv vectors]. Steps go in fours, then
// two are left or none.
LT_INLINE void lt_tile_pairs_body(const lt_tile *t, const int mr, const int nv)
{
    float32x4_t sum[LT_MR_MAX / 2][2 * LT_NV_MAX];
    const int width = nv * LT_LANES;
#pragma GCC unroll 6
    for (int i = 0; i < mr / 2; i++)
#pragma GCC unroll 8
        for (int h = 0; h < 2 * nv; h++)
            sum[i][h] = vdupq_n_f32(0);
    const float *b = t->packed;
    const float *const *rows = t->rows;
    for (int64_t tap = 0; tap < t->taps; tap++, rows += t->ld) {
        const float *row[LT_MR_MAX];
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++)
            row[i] = rows[i];
        int64_t k = 0;
        for (; k + 4 <= t->steps; k += 4, b += 4 * width) {
            float32x4_t low[LT_MR_MAX / 2], high[LT_MR_MAX / 2];
#pragma GCC unroll 6
            for (int i = 0; i < mr / 2; i++) {
                const float32x4_t even = vld1q_f32(row[2 * i] + k), odd = vld1q_f32(row[2 * i + 1] + k);
                low[i] = lt_neon_join_low(even, odd);
                high[i] = lt_neon_join_high(even, odd);
            }
            lt_neon_blocks(sum, low, b, mr, nv);
            lt_neon_blocks(sum, high, b + 2 * width, mr, nv);
        }
        if (k < t->steps) {
            float32x4_t both[LT_MR_MAX / 2];
#pragma GCC unroll 6
            for (int i = 0; i < mr / 2; i++)
                both[i] = vcombine_f32(vld1_f32(row[2 * i] + k), vld1_f32(row[2 * i + 1] + k));
            lt_neon_blocks(sum, both, b, mr, nv);
            b += 2 * width;
        }
    }
    lt_vec plain[LT_MR_MAX][LT_NV_MAX];
#pragma GCC unroll 6
    for (int i = 0; i < mr / 2; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) {
            plain[2 * i][j] = (lt_vec)lt_neon_join_low(sum[i][2 * j], sum[i][2 * j + 1]);
            plain[2 * i + 1][j] = (lt_vec)lt_neon_join_high(sum[i][2 * j], sum[i][2 * j + 1]);
        }
    lt_tile_store(t, plain, mr, nv);
}

static __attribute__((unused)) void lt_tile_pairs(const lt_tile *t, int nv)
{
    if (nv == 4)
        lt_tile_pairs_body(t, 6, 4);
    else if (nv == 3)
        lt_tile_pairs_body(t, 6, 3);
    else if (nv == 2)
        lt_tile_pairs_body(t, 8, 2);
    else
        lt_tile_pairs_body(t, 12, 1);
}

// ---- packing ------------------------------------------------------------------------------------------------------

// What packing makes of x.
LT_INLINE lt_vec lt_as_packed(lt_vec x)
{
    return (lt_vec)vcvt_f32_bf16(vcvt_bf16_f32((float32x4_t)x));
}

// The first `count` of four floats, zeros in place of the others.
LT_INLINE float32x4_t lt_neon_some(const float *from, int64_t count)
{
    float some[4] = {0};
    if (count >= 4)
        return vld1q_f32(from);
    for (int64_t i = 0; i < count; i++)
        some[i] = from[i];
    return vld1q_f32(some);
}

// a's four values, then b's, as four pairs.
LT_INLINE lt_vec lt_neon_round(float32x4_t a, float32x4_t b)
{
    return (lt_vec)vreinterpretq_f32_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(a), b));
}

// Pairs of one row, low, and the next, high.
LT_INLINE float32x4_t lt_neon_weave(float32x4_t row, float32x4_t next)
{
    uint16x8_t low = vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(row));
    uint16x8_t high = vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(next));
    __asm__("" : "+w"(low), "+w"(high)); // clang 14 else makes it a zip of bfloat16, which it does not know
    return vreinterpretq_f32_u16(vzip1q_u16(low, high));
}

// Rows [0, m) of `k` values -> rows of lt_pairs(k) pairs, `steps` apart.
static __attribute__((unused)) void lt_pack_rows(const float *from, int64_t ld, int64_t m, int64_t k, float *to,
                                                 int64_t steps)
{
    for (int64_t i = 0; i < m; i++, from += ld, to += steps) {
        int64_t at = 0;
        for (; at + 8 <= k; at += 8)
            *(lt_vec_u *)(to + at / 2) = lt_neon_round(vld1q_f32(from + at), vld1q_f32(from + at + 4));
        if (at < k) {
            const lt_vec last = lt_neon_round(lt_neon_some(from + at, k - at), lt_neon_some(from + at + 4, k - at - 4));
            memcpy(to + at / 2, &last, (size_t)lt_pairs(k - at) * sizeof(float));
        }
    }
}

// Four columns of eight rows, of which k rows and m columns are there, turned into four rows of pairs.
LT_INLINE void lt_neon_turn(const float *from, int64_t ld, int64_t m, int64_t k, float *to, int64_t steps,
                            const bool whole)
{
    lt_vec v[4];
    for (int j = 0; j < 4; j++, from += 2 * ld)
        v[j] = whole ? (lt_vec)lt_neon_weave(vld1q_f32(from), vld1q_f32(from + ld))
                     : (lt_vec)lt_neon_weave(lt_neon_some(from, 2 * j < k ? m : 0),
                                             lt_neon_some(from + ld, 2 * j + 1 < k ? m : 0));
    lt_transpose_quads(v);
    for (int j = 0; j < 4; j++)
        if (whole)
            *(lt_vec_u *)(to + j * steps) = v[j];
        else if (j < m)
            memcpy(to + j * steps, &v[j], (size_t)lt_min_i64(4, lt_pairs(k)) * sizeof(float));
}

// The same from a transposed matrix, k x m.
static __attribute__((unused)) void lt_pack_transposed_rows(const float *from, int64_t ld, int64_t m, int64_t k,
                                                            float *to, int64_t steps)
{
    for (int64_t at = 0; at < k; at += 8)
        for (int64_t i = 0; i < m; i += 4)
            if (k - at >= 8 && m - i >= 4)
                lt_neon_turn(from + at * ld + i, ld, 4, 8, to + i * steps + at / 2, steps, true);
            else
                lt_neon_turn(from + at * ld + i, ld, m - i, k - at, to + i * steps + at / 2, steps, false);
}

LT_INLINE void lt_neon_weave_four(const float *const row[4], int64_t real, int64_t width, float *to, const bool whole)
{
    for (int64_t c = 0; c < width; c += 4) {
        float32x4_t v[4];
        for (int r = 0; r < 4; r++)
            v[r] = whole ? vld1q_f32(row[r] + c) : row[r] ? lt_neon_some(row[r] + c, real - c) : vdupq_n_f32(0);
        const float32x4_t first = lt_neon_weave(v[0], v[1]), second = lt_neon_weave(v[2], v[3]);
        vst1q_f32(to + 2 * c, vzip1q_f32(first, second));
        vst1q_f32(to + 2 * c + 4, vzip2q_f32(first, second));
    }
}

// Two steps of a panel: the columns of four rows, of which `real` are there; nv vectors a step. Rows that are NULL, at
// the end, are zeros.
LT_INLINE void lt_weave_four(const float *const row[4], int64_t real, int nv, float *to)
{
    if (row[3] && real >= nv * LT_LANES)
        lt_neon_weave_four(row, real, nv * LT_LANES, to, true);
    else
        lt_neon_weave_four(row, real, nv * LT_LANES, to, false);
}

// The panel of columns [column, column + width) of op(B), B k x n or (trans) n x k, in steps of two; zeros past column
// n and past k.
static __attribute__((unused)) void lt_pack_panel_pairs(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                        int64_t column, float *to)
{
    const int nv = lt_panel_vectors(column, n);
    const int64_t width = nv * LT_LANES;
    for (int64_t at = 0; !trans && at < k; at += 4, to += 2 * width) {
        const float *row[4];
        for (int r = 0; r < 4; r++)
            row[r] = at + r < k ? b + (at + r) * ld + column : NULL;
        lt_weave_four(row, n - column, nv, to);
    }
    for (int64_t c = 0; trans && c < width; c += 2, to += 4) {
        const float *low = b + (column + c) * ld, *high = low + ld;
        const int64_t real = n - column - c, whole = real >= 2 ? k / 4 * 4 : 0;
        int64_t at = 0;
        for (; at < whole; at += 4)
            *(lt_vec_u *)(to + at / 2 * width) = lt_neon_round(vld1q_f32(low + at), vld1q_f32(high + at));
        for (; at < k; at += 4)
            *(lt_vec_u *)(to + at / 2 * width) = lt_neon_round(lt_neon_some(low + at, real > 0 ? k - at : 0),
                                                               lt_neon_some(high + at, real > 1 ? k - at : 0));
    }
}

#endif
