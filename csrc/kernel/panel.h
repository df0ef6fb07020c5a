// Packing of one operand and the product of rows with what was packed. Private to csrc/kernel.
#ifndef LT_KERNEL_PANEL_H
#define LT_KERNEL_PANEL_H

#include <string.h>

#include "kernel/tile.h"

typedef float lt_four __attribute__((vector_size(16)));
typedef float lt_four_u __attribute__((vector_size(16), aligned(4), may_alias));

// Elements i, j, k, l of a and b, counted through both.
#if defined(__clang__)
#define LT_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t lt_four_i __attribute__((vector_size(16)));
#define LT_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (lt_four_i){i, j, k, l})
#endif

// to[j*to_ld + i] = scale * from[i*from_ld + j] for i < m, j < n: 4 x 4 blocks turned in registers.
static __attribute__((unused)) void lt_transpose(const float *from, int64_t from_ld, int64_t m, int64_t n, float scale,
                                                 float *to, int64_t to_ld)
{
    int64_t m4 = m / 4 * 4, n4 = n / 4 * 4;
    for (int64_t j = 0; j < n4; j += 4)
        for (int64_t i = 0; i < m4; i += 4) {
            const float *f = from + i * from_ld + j;
            float *t = to + j * to_ld + i;
            lt_four a = *(const lt_four_u *)f, b = *(const lt_four_u *)(f + from_ld);
            lt_four c = *(const lt_four_u *)(f + 2 * from_ld), d = *(const lt_four_u *)(f + 3 * from_ld);
            lt_four ab = LT_SHUFFLE(a, b, 0, 4, 1, 5);
            lt_four cd = LT_SHUFFLE(c, d, 0, 4, 1, 5);
            *(lt_four_u *)t = scale * LT_SHUFFLE(ab, cd, 0, 1, 4, 5);
            *(lt_four_u *)(t + to_ld) = scale * LT_SHUFFLE(ab, cd, 2, 3, 6, 7);
            ab = LT_SHUFFLE(a, b, 2, 6, 3, 7);
            cd = LT_SHUFFLE(c, d, 2, 6, 3, 7);
            *(lt_four_u *)(t + 2 * to_ld) = scale * LT_SHUFFLE(ab, cd, 0, 1, 4, 5);
            *(lt_four_u *)(t + 3 * to_ld) = scale * LT_SHUFFLE(ab, cd, 2, 3, 6, 7);
        }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = i < m4 ? n4 : 0; j < n; j++)
            to[j * to_ld + i] = scale * from[i * from_ld + j];
}

// The panel of columns [column, column + width) of scale * op(B), B k x n or (trans) n x k: to[step][width], zeros
// past column n.
static __attribute__((unused)) void lt_pack_panel(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                  int64_t column, float scale, float *to)
{
    int64_t width = lt_panel_vectors(column, n) * LT_LANES, real = lt_min(width, n - column);
    if (real < width)
        memset(to, 0, (size_t)(k * width) * sizeof(float));
    if (trans) {
        lt_transpose(b + column * ld, ld, real, k, scale, to, width);
        return;
    }
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < real; j++)
            to[i * width + j] = scale * b[i * ld + column + j];
}

// A packed matrix: k x n in panels; panel at column c starts at packed + c*k.
typedef struct {
    const float *packed;
    int64_t k, n;
} lt_panels;

static __attribute__((unused)) void lt_pack_panels(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                   float scale, float *to)
{
    for (int64_t column = 0; column < n; column += LT_NR_MAX)
        lt_pack_panel(b, ld, trans, k, n, column, scale, to + column * k);
}

// Rows are handed to the tiles in pointers, up to this many at a time; a multiple of every tile height.
enum { LT_ROWS = 96 };

// C = A B + bias + beta C for m <= LT_ROWS rows of A, columns [from, to) of the panels (from: a panel's start).
static __attribute__((unused)) void lt_rows_times_panels(const float *a, int64_t lda, int64_t m, const lt_panels *b,
                                                         int64_t from, int64_t to, const float *bias, float beta,
                                                         float *c, int64_t ldc)
{
    const float *rows[LT_ROWS];
    float *out[LT_ROWS];
    const int64_t padded = (m + 23) / 24 * 24;
    for (int64_t i = 0; i < padded; i++) { // rows past the last are the last again: read, never stored
        rows[i] = a + lt_min(i, m - 1) * lda;
        out[i] = c + lt_min(i, m - 1) * ldc;
    }
    for (int64_t column = from; column < to; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, b->n), mr = lt_tile_height(nv);
        lt_tile t = {.taps = 1,
                     .steps = b->k,
                     .packed = b->packed + column * b->k,
                     .column = column,
                     .columns = lt_min(nv * LT_LANES, b->n - column),
                     .bias = bias ? bias + column : NULL,
                     .beta = beta};
        for (int64_t i = 0; i < m; i += mr) {
            t.rows = rows + i;
            t.out = out + i;
            t.m = lt_min(mr, m - i);
            lt_tile_rows(&t, nv);
        }
    }
}

#endif
