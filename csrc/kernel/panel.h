// Packing of one operand and the product of rows with what was packed. Private to csrc/kernel.
#ifndef LT_KERNEL_PANEL_H
#define LT_KERNEL_PANEL_H

#include <string.h>

#include "kernel/transpose.h"

// Rows that packing asks for ahead of time: they are far apart, so the processor does not see them coming.
enum { LT_AHEAD = 16 };

// The panel of columns [column, column + width) of scale * op(B), B k x n or (trans) n x k: to[step][width], zeros
// past column n.
static __attribute__((unused)) void lt_pack_panel(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                  int64_t column, float scale, float *to)
{
    const int64_t width = lt_panel_vectors(column, n) * LT_LANES, real = lt_min_i64(width, n - column);
    if (real < width)
        memset(to, 0, (size_t)(k * width) * sizeof(float));
    if (trans) {
        lt_transpose(b + column * ld, ld, real, k, scale, to, width);
        return;
    }
    const float *from = b + column;
    for (int64_t i = 0; i < k; i++, from += ld, to += width) {
        int64_t j = 0;
        for (; j + LT_LANES <= real; j += LT_LANES) {
            __builtin_prefetch(from + LT_AHEAD * ld + j);
            *(lt_vec_u *)(to + j) = scale * *(const lt_vec_u *)(from + j);
        }
        for (; j < real; j++)
            to[j] = scale * from[j];
    }
}

// A packed matrix: k x n in panels; panel at column c starts at packed + c*k. Products use its first `steps` rows.
typedef struct {
    const float *packed;
    int64_t k, n, steps;
} lt_panels;

// Panels that are packed side by side: so many cache lines of a row are read one after the other.
enum { LT_PACK_PANELS = 512 / LT_NR_MAX > 8 ? 8 : 512 / LT_NR_MAX };

// `panels` whole panels of B, k x n, from `column` on.
static __attribute__((unused)) void lt_pack_whole_panels(const float *b, int64_t ld, int64_t k, int64_t panels,
                                                         int64_t column, float scale, float *to)
{
    const float *from = b + column;
    for (int64_t i = 0; i < k; i++, from += ld, to += LT_NR_MAX)
        for (int64_t panel = 0; panel < panels; panel++)
            for (int j = 0; j < LT_NR_MAX; j += LT_LANES) {
                if (j % 16 == 0)
                    __builtin_prefetch(from + LT_AHEAD * ld + panel * LT_NR_MAX + j);
                *(lt_vec_u *)(to + panel * LT_NR_MAX * k + j) =
                    scale * *(const lt_vec_u *)(from + panel * LT_NR_MAX + j);
            }
}

// Columns [from, to) of scale * op(B), from: a panel's start.
static __attribute__((unused)) void lt_pack_columns(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                    int64_t from, int64_t to, float scale, float *packed)
{
    for (int64_t column = from; column < to;) {
        const int64_t whole = lt_min_i64(LT_PACK_PANELS, (lt_min_i64(to, n) - column) / LT_NR_MAX);
        float *panel = packed + column * k;
        if (trans || whole == 0)
            lt_pack_panel(b, ld, trans, k, n, column, scale, panel);
        else
            lt_pack_whole_panels(b, ld, k, whole, column, scale, panel);
        column += (trans || whole == 0 ? 1 : whole) * LT_NR_MAX;
    }
}

static __attribute__((unused)) void lt_pack_panels(const float *b, int64_t ld, bool trans, int64_t k, int64_t n,
                                                   float scale, float *to)
{
    lt_pack_columns(b, ld, trans, k, n, 0, n, scale, to);
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
        rows[i] = a + lt_min_i64(i, m - 1) * lda;
        out[i] = c + lt_min_i64(i, m - 1) * ldc;
    }
    for (int64_t column = from; column < to; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, b->n), mr = lt_tile_height(nv);
        lt_tile t = {.taps = 1,
                     .steps = b->steps,
                     .packed = b->packed + column * b->k,
                     .column = column,
                     .columns = lt_min_i64(nv * LT_LANES, b->n - column),
                     .bias = bias ? bias + column : NULL,
                     .beta = beta};
        for (int64_t i = 0; i < m; i += mr) {
            t.rows = rows + i;
            t.out = out + i;
            t.m = lt_min_i64(mr, m - i);
            lt_tile_rows(&t, nv);
        }
    }
}

// ---- A stored k x m
//
// Columns of A become panels of mr: [step][mr], each panel followed by room for what the last copy writes too much.

enum { LT_SPILL = 16 };
typedef float lt_eight_u __attribute__((vector_size(32), aligned(4), may_alias));

LT_INLINE int64_t lt_transposed_panel(int64_t k, int64_t mr)
{
    return k * mr + LT_SPILL;
}

// Floats that m <= LT_ROWS columns of A take at most.
LT_INLINE int64_t lt_transposed_room(int64_t k, int64_t m)
{
    return (m + LT_MR_MAX) * k + LT_ROWS / 6 * LT_SPILL;
}

LT_INLINE void lt_pack_transposed_body(const float *a, int64_t ld, int64_t k, int64_t m, const int mr, float *to)
{
    const int64_t whole = (m - 1) / mr, rest = m - whole * mr; // the last panel is copied with care: nothing past m
    for (int64_t i = 0; i < k; i++, a += ld, to += mr) {
        const float *from = a;
        float *t = to;
        for (int64_t c = 0; c < m; c += 16)
            __builtin_prefetch(a + LT_AHEAD * ld + c);
        for (int64_t p = 0; p < whole; p++, from += mr, t += lt_transposed_panel(k, mr)) {
            *(lt_eight_u *)t = *(const lt_eight_u *)from;
            if (mr == 12)
                *(lt_four_u *)(t + 8) = *(const lt_four_u *)(from + 8);
        }
        for (int c = 0; c < mr; c++)
            t[c] = c < rest ? from[c] : 0;
    }
}

// Columns [0, m) of A, k rows ld apart, m <= LT_ROWS.
static __attribute__((unused)) void lt_pack_transposed(const float *a, int64_t ld, int64_t k, int64_t m, int mr,
                                                       float *to)
{
    if (mr == 6)
        lt_pack_transposed_body(a, ld, k, m, 6, to);
    else if (mr == 8)
        lt_pack_transposed_body(a, ld, k, m, 8, to);
    else
        lt_pack_transposed_body(a, ld, k, m, 12, to);
}

// The sum of a tile from A [step][..], a_step floats a step, and B [step][..], b_step a step.
LT_INLINE void lt_tile_transposed_body(const lt_tile *t, const float *a, int64_t a_step, const float *b, int64_t b_step,
                                       const int mr, const int nv)
{
    lt_tile_expect(t, mr);
    lt_vec sum[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            sum[i][j] = (lt_vec){0};
#if defined(LT_NEON)
#pragma GCC unroll 4
    for (int64_t k = 0; k < t->steps; k++, a += a_step, b += b_step)
        lt_neon_outer(sum, a, b, mr, nv);
#else
    for (int64_t k = 0; k < t->steps; k++, a += a_step, b += b_step) {
        lt_vec bv[LT_NV_MAX];
        for (int j = 0; j < nv; j++)
            bv[j] = ((const lt_vec_u *)b)[j];
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nv; j++)
                sum[i][j] += a[i] * bv[j];
    }
#endif
    lt_tile_store(t, sum, mr, nv);
}

// C = A' B, A packed [step][mr] by lt_pack_transposed.
static __attribute__((unused)) void lt_tile_transposed(const lt_tile *t, const float *a, int64_t a_step, const float *b,
                                                       int64_t b_step, int mr, int nv)
{
#define TILE(m, n)                                                                                                     \
    if (mr == m && nv == n) {                                                                                          \
        lt_tile_transposed_body(t, a, a_step, b, b_step, m, n);                                                        \
        return;                                                                                                        \
    }
    LT_OUTER_SIZES(TILE)
#undef TILE
}

// C = A' B + bias + beta C for m <= LT_ROWS columns of A, packed with height mr, columns [from, to) of the panels.
static __attribute__((unused)) void lt_transposed_times_panels(const float *a, int mr, int64_t m, const lt_panels *b,
                                                               int64_t from, int64_t to, const float *bias, float beta,
                                                               float *c, int64_t ldc)
{
    float *out[LT_ROWS + LT_MR_MAX];
    for (int64_t i = 0; i < m; i++)
        out[i] = c + i * ldc;
    for (int64_t column = from; column < to; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, b->n);
        lt_tile t = {.steps = b->steps,
                     .column = column,
                     .columns = lt_min_i64(nv * LT_LANES, b->n - column),
                     .bias = bias ? bias + column : NULL,
                     .beta = beta};
        const float *panel = a;
        for (int64_t i = 0; i < m; i += mr, panel += lt_transposed_panel(b->k, mr)) {
            t.out = out + i;
            t.m = lt_min_i64(mr, m - i);
            lt_tile_transposed(&t, panel, mr, b->packed + column * b->k, nv * LT_LANES, mr, nv);
        }
    }
}

#endif
