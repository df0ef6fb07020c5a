// What panel.h offers to attention, in pairs: both operands are rounded to bfloat16 while packed, products are summed
// in float32. It stands in for panel.h where the instruction set multiplies pairs. Private to csrc/kernel.
#ifndef LT_KERNEL_PANEL_BF16_H
#define LT_KERNEL_PANEL_BF16_H

#include "kernel/tile_bf16.h"

// As in panel.h; the panel at column c starts at packed + c*lt_pairs(k).
typedef struct {
    const float *packed;
    int64_t k, n, steps;
} lt_panels;

enum { LT_ROWS = 96, LT_PACKED_K = 512 }; // rows are packed on the stack, so many values of them at a time: 96 KB

// No scale: that would be a second rounding. Who asks for one scales the products.
static __attribute__((unused)) void lt_pack_panels(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                   float scale, float *to)
{
    (void)scale;
    for (int64_t column = 0; column < n; column += LT_NR_MAX)
        lt_pack_panel_pairs(b, ld, trans, k, n, column, to + column * lt_pairs(k));
}

// Packed rows [0, m), `steps` pairs of them, times the panels' pairs from k0 on. c: where each row's results go.
static __attribute__((unused)) void lt_packed_times_panels(const float *packed, int64_t steps, int64_t m,
                                                           const lt_panels *b, int64_t k0, int64_t from, int64_t to,
                                                           float beta, float *c, int64_t ldc)
{
    const int64_t padded = (m + LT_PAIR_UNIT - 1) / LT_PAIR_UNIT * LT_PAIR_UNIT;
    const float *rows[LT_ROWS];
    float *out[LT_ROWS];
    for (int64_t i = 0; i < padded; i++) { // rows past the last are the last again: read, never stored
        rows[i] = packed + lt_min_i64(i, m - 1) * steps;
        out[i] = c + lt_min_i64(i, m - 1) * ldc;
    }
    for (int64_t column = from; column < to; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, b->n), mr = lt_pair_height(nv);
        lt_tile t = {.taps = 1,
                     .steps = steps,
                     .packed = b->packed + column * lt_pairs(b->k) + k0 * nv * LT_LANES,
                     .column = column,
                     .columns = lt_min_i64(nv * LT_LANES, b->n - column),
                     .beta = beta};
        for (int64_t i = 0; i < m; i += mr) {
            t.rows = rows + i;
            t.out = out + i;
            t.m = lt_min_i64(mr, m - i);
            lt_tile_pairs(&t, nv);
        }
    }
}

// C = A B + beta C for m <= LT_ROWS rows of A, columns [from, to) of the panels.
static __attribute__((unused)) void lt_rows_times_panels(const float *a, int64_t lda, int64_t m, const lt_panels *b,
                                                         int64_t from, int64_t to, const float *bias, float beta,
                                                         float *c, int64_t ldc)
{
    float packed[LT_ROWS * LT_PACKED_K / 2];
    (void)bias; // attention has none
    lt_pairs_begin();
    for (int64_t k = 0; k < b->steps; k += LT_PACKED_K) {
        const int64_t some = lt_min_i64(LT_PACKED_K, b->steps - k);
        lt_pack_rows(a + k, lda, m, some, packed, lt_pairs(some));
        lt_packed_times_panels(packed, lt_pairs(some), m, b, k / 2, from, to, k ? 1 : beta, c, ldc);
    }
    lt_pairs_end();
}

// C (columns of A x d, ldc apart) = A' B + beta C: A b->steps <= LT_ROWS rows of `columns` values.
static __attribute__((unused)) void lt_transposed_rows_times_panels(const float *a, int64_t lda, int64_t columns,
                                                                    const lt_panels *b, float beta, float *c,
                                                                    int64_t ldc)
{
    float packed[LT_ROWS * LT_ROWS / 2];
    const int64_t steps = lt_pairs(b->steps);
    lt_pairs_begin();
    for (int64_t i = 0; i < columns; i += LT_ROWS) {
        const int64_t m = lt_min_i64(LT_ROWS, columns - i);
        lt_pack_transposed_rows(a + i, lda, m, b->steps, packed, steps);
        lt_packed_times_panels(packed, steps, m, b, 0, 0, b->n, beta, c + i * ldc, ldc);
    }
    lt_pairs_end();
}

#endif
