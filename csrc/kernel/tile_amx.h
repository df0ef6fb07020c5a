// The inner loop of products by AMX: the same pairs, packed the same, as tile_bf16.h has for AVX512-BF16, which
// includes this in its place. Private to csrc/kernel.
//
// A tile of C is 32 rows by 32 columns, in four registers; two hold rows of A and two hold B, so that each load serves
// two products. Panels of 64 columns are done in halves. Rows of A that lie evenly apart (packed ones, and pixels of
// one row of a picture) are loaded where they are; others, and steps that are less than 16, are gathered in a buffer
// first, which costs about half of the time that the products on it take.
#ifndef LT_KERNEL_TILE_AMX_H
#define LT_KERNEL_TILE_AMX_H

#include "kernel/amx.h"

enum { LT_PAIR_UNIT = 32 }; // every tile height divides it
enum { LT_PAIRS_BEAT_WINOGRAD = true };

LT_INLINE int lt_pair_height(int nv)
{
    return 32;
}

LT_INLINE void lt_pairs_begin(void)
{
    lt_amx_configure();
}

LT_INLINE void lt_pairs_end(void)
{
    lt_amx_release();
}

// Do `n` rows lie evenly apart? *stride: bytes.
LT_INLINE bool lt_amx_even(const float *const *rows, int n, int64_t *stride)
{
    *stride = (int64_t)((uintptr_t)rows[1] - (uintptr_t)rows[0]);
    for (int i = 2; i < n; i++)
        if ((int64_t)((uintptr_t)rows[i] - (uintptr_t)rows[i - 1]) != *stride)
            return false;
    return true;
}

// 16 steps of n rows side by side, of which `real` are there.
LT_INLINE void lt_amx_gather(const float *const *rows, int n, int64_t k, int64_t real, float (*to)[16])
{
    const __mmask16 lanes = (__mmask16)((1u << real) - 1);
    for (int i = 0; i < n; i++)
        _mm512_storeu_ps(to[i], _mm512_maskz_loadu_ps(lanes, rows[i] + k));
}

// Registers: 0 1 / 2 3 sums, 4 5 rows, 6 7 columns. b_step: floats from one step of B to the next.
LT_INLINE void lt_amx_sums(const lt_tile *t, const float *b, int64_t b_step, const bool tall, const bool wide)
{
    float some[32][16], last[16][32];
    const int n = tall ? 32 : 16;
    lt_amx_zero(0);
    lt_amx_zero(1);
    lt_amx_zero(2);
    lt_amx_zero(3);
    const float *const *rows = t->rows;
    for (int64_t tap = 0; tap < t->taps; tap++, rows += t->ld) {
        int64_t stride;
        const bool even = lt_amx_even(rows, n, &stride);
        for (int64_t k = 0; k < t->steps; k += 16) {
            const int64_t real = lt_min_i64(16, t->steps - k);
            const float *columns = b;
            int64_t step = b_step;
            if (even && real == 16) {
                lt_amx_load(4, rows[0] + k, stride);
                if (tall)
                    lt_amx_load(5, rows[16] + k, stride);
            } else {
                lt_amx_gather(rows, n, k, real, some);
                lt_amx_load(4, some[0], 64);
                if (tall)
                    lt_amx_load(5, some[16], 64);
            }
            if (real < 16) {
                memset(last, 0, sizeof last);
                for (int64_t i = 0; i < real; i++)
                    memcpy(last[i], b + i * b_step, wide ? 128 : 64);
                columns = last[0];
                step = 32;
            }
            lt_amx_load(6, columns, step * 4);
            lt_amx_dot(0, 4, 6);
            if (tall)
                lt_amx_dot(2, 5, 6);
            if (wide) {
                lt_amx_load(7, columns + 16, step * 4);
                lt_amx_dot(1, 4, 7);
                if (tall)
                    lt_amx_dot(3, 5, 7);
            }
            b += real * b_step;
        }
    }
}

// As lt_tile_pairs_body, 32 rows.
static __attribute__((unused)) void lt_tile_pairs(const lt_tile *t, int nv)
{
    float sum[32][32];
    for (int v = 0; v < nv; v += 2) {
        const bool tall = t->m > 16, wide = v + 1 < nv;
        lt_amx_sums(t, t->packed + v * 16, nv * 16, tall, wide);
        lt_amx_store(0, &sum[0][0], sizeof sum[0]);
        lt_amx_store(1, &sum[0][16], sizeof sum[0]);
        lt_amx_store(2, &sum[16][0], sizeof sum[0]);
        lt_amx_store(3, &sum[16][16], sizeof sum[0]);
        for (int64_t i = 0; i < t->m; i++)
            for (int64_t c = 0; c < 32 && v * 16 + c < t->columns; c += 16) {
                const int64_t column = v * 16 + c, left = t->columns - column;
                const __mmask16 lanes = (__mmask16)(left >= 16 ? 0xffff : (1u << left) - 1);
                float *to = t->out[i] + t->column + column;
                __m512 y = _mm512_loadu_ps(&sum[i][c]);
                if (t->bias)
                    y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(lanes, t->bias + column));
                if (t->beta != 0)
                    y = _mm512_fmadd_ps(_mm512_set1_ps(t->beta), _mm512_maskz_loadu_ps(lanes, to), y);
                _mm512_mask_storeu_ps(to, lanes, y);
            }
    }
}

#endif
