// The inner loop of products by AVX512-BF16, and the packing that it needs. Private to csrc/kernel.
//
// The instruction vdpbf16ps adds to each of 16 sums the two products of a pair: two neighbours of the summed axis, 16
// bits each. So a pair takes the place of a float32 everywhere: it has a float's size, rows of them are counted in
// pairs, and struct lt_tile and the pointers to rows of conv_rows.h serve unchanged. A pair is never computed with as a
// float. Tiles have the shapes of the float32 ones; one step is worth two, so 96 rows of 512 steps fill 192 KB.
#ifndef LT_KERNEL_TILE_BF16_H
#define LT_KERNEL_TILE_BF16_H

#include "kernel/tile.h"

#if defined(LT_NEON_BF16)
#include "kernel/tile_neon_bf16.h"
#else
#include <immintrin.h>

LT_INLINE int64_t lt_pairs(int64_t k)
{
    return (k + 1) / 2;
}

#if defined(LT_AMX)
#include "kernel/tile_amx.h"
#else

enum { LT_PAIR_UNIT = 24 }; // every tile height divides it
enum { LT_PAIRS_BEAT_WINOGRAD = false };

LT_INLINE int lt_pair_height(int nv)
{
    return lt_tile_height(nv);
}

// Around a piece of work with tiles: what AMX needs.
LT_INLINE void lt_pairs_begin(void)
{
}

LT_INLINE void lt_pairs_end(void)
{
}

// As lt_tile_rows_body: A by row pointers, one a row of C; B packed [tap][step][nv vectors].
LT_INLINE void lt_tile_pairs_body(const lt_tile *t, const int mr, const int nv)
{
    __m512 sum[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            sum[i][j] = _mm512_setzero_ps();
    const float *b = t->packed;
    const float *const *a = t->rows;
    for (int64_t tap = 0; tap < t->taps; tap++, a += t->ld) {
        const float *row[LT_MR_MAX];
        for (int i = 0; i < mr; i++)
            row[i] = a[i];
        for (int64_t k = 0; k < t->steps; k++, b += nv * LT_LANES) {
            __m512bh bv[LT_NV_MAX];
            for (int j = 0; j < nv; j++)
                bv[j] = (__m512bh)_mm512_loadu_ps(b + j * LT_LANES);
            for (int i = 0; i < mr; i++) {
                const __m512bh pair = (__m512bh)_mm512_set1_ps(row[i][k]);
                for (int j = 0; j < nv; j++)
                    sum[i][j] = _mm512_dpbf16_ps(sum[i][j], pair, bv[j]);
            }
        }
    }
    lt_vec plain[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            plain[i][j] = (lt_vec)sum[i][j];
    lt_tile_store(t, plain, mr, nv);
}

static __attribute__((unused)) void lt_tile_pairs(const lt_tile *t, int nv)
{
    if (nv == 4)
        lt_tile_pairs_body(t, 6, 4);
    else if (nv == 3)
        lt_tile_pairs_body(t, 8, 3);
    else if (nv == 2)
        lt_tile_pairs_body(t, 12, 2);
    else
        lt_tile_pairs_body(t, 12, 1);
}

#endif

// ---- packing ------------------------------------------------------------------------------------------------------

// The lowest `count` lanes, of up to 16.
LT_INLINE __mmask16 lt_lanes(int64_t count)
{
    return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

// 16 pairs from `count` neighbours (up to 32), zeros past the last.
LT_INLINE __m512i lt_pairs_along(const float *from, int64_t count)
{
    __m512 low = _mm512_maskz_loadu_ps(lt_lanes(count), from);
    __m512 high = _mm512_maskz_loadu_ps(lt_lanes(count - 16), from + 16);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// Pairs of one row, low, and the next, high.
LT_INLINE __m512i lt_weave(__m512 low, __m512 high)
{
    const __m512i woven = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(woven, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// `count` pairs (up to 16) of one row and the next, which may be absent: zeros.
LT_INLINE __m512i lt_pairs_across(const float *row, const float *next, int64_t count)
{
    return lt_weave(_mm512_maskz_loadu_ps(lt_lanes(count), row),
                    next ? _mm512_maskz_loadu_ps(lt_lanes(count), next) : _mm512_setzero_ps());
}

// One step of a panel: the columns of two rows, of which `real` are there; nv vectors.
LT_INLINE void lt_weave_rows(const float *row, const float *next, int64_t real, int nv, float *to)
{
    if (next && real >= nv * LT_LANES)
        for (int v = 0; v < nv; v++)
            _mm512_storeu_ps(to + v * 16,
                             (__m512)lt_weave(_mm512_loadu_ps(row + v * 16), _mm512_loadu_ps(next + v * 16)));
    else
        for (int v = 0; v < nv; v++)
            _mm512_storeu_ps(to + v * 16,
                             (__m512)lt_pairs_across(row + v * 16, next ? next + v * 16 : NULL, real - v * 16));
}

// 16 x 16 pairs transposed: 2 x 2 within 4 lanes, then 4 x 4 of lanes.
LT_INLINE void lt_transpose_pairs(__m512i v[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        __m512i low = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x44), high = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xee);
        __m512i low2 = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x44);
        __m512i high2 = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xee);
        t[i] = _mm512_shuffle_i32x4(low, low2, 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(low, low2, 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(high, high2, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(high, high2, 0xdd);
    }
    for (int i = 0; i < 16; i++)
        v[i] = t[i];
}

// Rows [0, m) of `k` values -> rows of lt_pairs(k) pairs, `steps` apart.
static __attribute__((unused)) void lt_pack_rows(const float *from, int64_t ld, int64_t m, int64_t k, float *to,
                                                 int64_t steps)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t at = 0; at < k; at += 32)
            _mm512_mask_storeu_ps(to + i * steps + at / 2, lt_lanes(lt_pairs(k - at)),
                                  (__m512)lt_pairs_along(from + i * ld + at, k - at));
}

// The same from a transposed matrix, k x m.
static __attribute__((unused)) void lt_pack_transposed_rows(const float *from, int64_t ld, int64_t m, int64_t k,
                                                            float *to, int64_t steps)
{
    for (int64_t at = 0; at < k; at += 32)
        for (int64_t i = 0; i < m; i += 16) {
            __m512i v[16];
            const float *f = from + at * ld + i;
            for (int j = 0; j < 16; j++, f += 2 * ld)
                v[j] = at + 2 * j < k ? lt_pairs_across(f, at + 2 * j + 1 < k ? f + ld : NULL, m - i)
                                      : _mm512_setzero_si512();
            lt_transpose_pairs(v);
            for (int j = 0; j < 16 && i + j < m; j++)
                _mm512_mask_storeu_ps(to + (i + j) * steps + at / 2, lt_lanes(lt_pairs(k - at)), (__m512)v[j]);
        }
}

// The panel of columns [column, column + width) of op(B), B k x n or (trans) n x k: to[step][width], zeros past column
// n.
static __attribute__((unused)) void lt_pack_panel_pairs(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                        int64_t column, float *to)
{
    const int nv = lt_panel_vectors(column, n);
    const int64_t width = nv * LT_LANES;
    if (!trans) {
        const float *f = b + column;
        for (int64_t at = 0; at < k; at += 2, f += 2 * ld, to += width)
            lt_weave_rows(f, at + 1 < k ? f + ld : NULL, n - column, nv, to);
        return;
    }
    for (int64_t c = 0; c < width; c += 16) {
        const int64_t real = n - column - c;
        for (int64_t at = 0; at < k; at += 32) {
            __m512i v[16];
            for (int j = 0; j < 16; j++)
                v[j] = j < real ? lt_pairs_along(b + (column + c + j) * ld + at, k - at) : _mm512_setzero_si512();
            lt_transpose_pairs(v);
            for (int64_t j = 0; j < 16 && at + 2 * j < k; j++)
                _mm512_storeu_ps(to + (at / 2 + j) * width + c, (__m512)v[j]);
        }
    }
}

// What packing makes of x.
LT_INLINE lt_vec lt_as_packed(lt_vec x)
{
    const __m256i half = (__m256i)_mm512_cvtneps_pbh((__m512)x);
    return (lt_vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

#endif
#endif
