// The inner loops of products and convolutions: a tile of MR x NV vectors of the result stays in registers while
// the sum runs. Private to csrc/kernel; every instruction set compiles its own copy.
//
// Tile sizes follow from the register file: MR*NV sums, NV vectors of B, one broadcast of A.
// 32 registers (AVX-512): 6 x 4, 8 x 3, 12 x 2, 12 x 1. 16 registers (AVX2, SSE2): 6 x 2, 12 x 1. NEON has 32, and a
// vector of each row of A in place of a broadcast: 6 x 4, 6 x 3, 8 x 2, 12 x 1.
#ifndef LT_KERNEL_TILE_H
#define LT_KERNEL_TILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/minmax.h"

#if defined(__AVX512F__)
enum { LT_LANES = 16, LT_NV_MAX = 4 };
#elif defined(__AVX2__)
enum { LT_LANES = 8, LT_NV_MAX = 2 };
#elif defined(LT_NEON)
enum { LT_LANES = 4, LT_NV_MAX = 4 };
#else
enum { LT_LANES = 4, LT_NV_MAX = 2 };
#endif
enum { LT_NR_MAX = LT_LANES * LT_NV_MAX, LT_MR_MAX = 12 };

typedef float lt_vec __attribute__((vector_size(LT_LANES * sizeof(float))));
typedef float lt_vec_u __attribute__((vector_size(LT_LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t lt_vec_i __attribute__((vector_size(LT_LANES * sizeof(float))));

#define LT_INLINE static inline __attribute__((always_inline))

#if defined(LT_NEON)
#include "kernel/tile_neon.h"
#endif

// C[i][column + j] = sum over taps and steps of A B, + bias[j] + beta C[i][column + j], for i < m and j < columns.
// One operand comes by row pointers, rows[tap*ld + ...], the other is packed.
typedef struct {
    int64_t taps, steps;
    const float *const *rows;
    int64_t ld;
    const float *packed;
    float *const *out; // rows of C
    int64_t column;
    int64_t m, columns; // the part of the tile that is inside of C
    const float *bias;  // NULL: none
    float beta;         // 0: C is not read
} lt_tile;

// The whole tile goes into C: no row or column of it lies outside.
LT_INLINE void lt_tile_store_whole(const lt_tile *t, lt_vec (*sum)[LT_NV_MAX], const int mr, const int nv)
{
    lt_vec bias[LT_NV_MAX];
    for (int j = 0; j < nv; j++)
        bias[j] = t->bias ? (lt_vec)((const lt_vec_u *)t->bias)[j] : (lt_vec){0};
    if (t->beta != 0)
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nv; j++)
                sum[i][j] = sum[i][j] + bias[j] + t->beta * ((const lt_vec_u *)(t->out[i] + t->column))[j];
    else if (t->bias)
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nv; j++)
                sum[i][j] += bias[j];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            ((lt_vec_u *)(t->out[i] + t->column))[j] = sum[i][j];
}

// The rows and columns of the tile that are inside of C.
static __attribute__((unused, noinline)) void lt_tile_store_part(const lt_tile *t, const float *flat, int64_t ld)
{
    for (int64_t i = 0; i < t->m; i++) {
        float *c = t->out[i] + t->column;
        for (int64_t j = 0; j < t->columns; j++) {
            float v = t->bias ? flat[i * ld + j] + t->bias[j] : flat[i * ld + j];
            c[j] = t->beta != 0 ? v + t->beta * c[j] : v;
        }
    }
}

LT_INLINE void lt_tile_store(const lt_tile *t, lt_vec (*sum)[LT_NV_MAX], const int mr, const int nv)
{
    if (t->columns == nv * LT_LANES && t->m == mr) {
        lt_tile_store_whole(t, sum, mr, nv);
        return;
    }
    float flat[LT_MR_MAX * LT_NR_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            ((lt_vec_u *)(flat + i * LT_NR_MAX))[j] = sum[i][j];
    lt_tile_store_part(t, flat, LT_NR_MAX);
}

// C is asked for while the sum runs: it may lie in memory, and a store waits for what it writes into.
LT_INLINE void lt_tile_expect(const lt_tile *t, const int mr)
{
    for (int i = 0; i < mr && i < t->m; i++)
        __builtin_prefetch(t->out[i] + t->column, 1);
}

// A by row pointers, one a row of C (all mr must be readable); B packed [tap][step][nv vectors].
LT_INLINE void lt_tile_rows_body(const lt_tile *t, const int mr, const int nv)
{
    lt_tile_expect(t, mr);
    lt_vec sum[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            sum[i][j] = (lt_vec){0};
    const float *b = t->packed;
    const float *const *a = t->rows;
    for (int64_t tap = 0; tap < t->taps; tap++, a += t->ld) {
        const float *row[LT_MR_MAX];
        for (int i = 0; i < mr; i++)
            row[i] = a[i];
        int64_t k = 0;
#if defined(LT_NEON)
        k = lt_neon_rows(row, t->steps, b, sum, mr, nv);
        b += k * nv * LT_LANES;
#endif
        for (; k < t->steps; k++, b += nv * LT_LANES) {
            lt_vec bv[LT_NV_MAX];
            for (int j = 0; j < nv; j++)
                bv[j] = ((const lt_vec_u *)b)[j];
            for (int i = 0; i < mr; i++)
                for (int j = 0; j < nv; j++)
                    sum[i][j] += row[i][k] * bv[j];
        }
    }
    lt_tile_store(t, sum, mr, nv);
}

// A packed [step][mr]; B by row pointers, one a step, read from `source` on (whole vectors). One tap.
LT_INLINE void lt_tile_outer_body(const lt_tile *t, int64_t source, const int mr, const int nv)
{
    lt_tile_expect(t, mr);
    lt_vec sum[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            sum[i][j] = (lt_vec){0};
    const float *a = t->packed;
#if defined(LT_NEON)
#pragma GCC unroll 4
    for (int64_t k = 0; k < t->steps; k++, a += mr)
        lt_neon_outer(sum, a, t->rows[k] + source, mr, nv);
#else
    for (int64_t k = 0; k < t->steps; k++, a += mr) {
        const lt_vec_u *b = (const lt_vec_u *)(t->rows[k] + source);
        lt_vec bv[LT_NV_MAX];
        for (int j = 0; j < nv; j++)
            bv[j] = b[j];
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nv; j++)
                sum[i][j] += a[i] * bv[j];
    }
#endif
    lt_tile_store(t, sum, mr, nv);
}

// Rows of the tile that goes with nv vectors.
LT_INLINE int lt_tile_height(int nv)
{
#if defined(__AVX512F__)
    return nv == 4 ? 6 : nv == 3 ? 8 : 12;
#elif defined(LT_NEON)
    return nv >= 3 ? 6 : nv == 2 ? 8 : 12;
#else
    return nv == 2 ? 6 : 12;
#endif
}

// The bodies above with constant sizes; each file that uses one instantiates it here.
static __attribute__((unused)) void lt_tile_rows(const lt_tile *t, int nv)
{
#if defined(__AVX512F__)
    if (nv == 4)
        lt_tile_rows_body(t, 6, 4);
    else if (nv == 3)
        lt_tile_rows_body(t, 8, 3);
    else if (nv == 2)
        lt_tile_rows_body(t, 12, 2);
#elif defined(LT_NEON)
    if (nv == 4)
        lt_tile_rows_body(t, 6, 4);
    else if (nv == 3)
        lt_tile_rows_body(t, 6, 3);
    else if (nv == 2)
        lt_tile_rows_body(t, 8, 2);
#else
    if (nv == 2)
        lt_tile_rows_body(t, 6, 2);
#endif
    else
        lt_tile_rows_body(t, 12, 1);
}

// Height for `rows` rows of C: of those that go with nv vectors the one that leaves the least of the last tile unused.
LT_INLINE int lt_outer_height(int nv, int64_t rows)
{
    const int high = lt_tile_height(nv);
    return high == 12 && (rows + 7) / 8 * 8 < (rows + 11) / 12 * 12 ? 8 : high;
}

// Every (mr, nv) that goes with a packed A: mr is lt_outer_height of the widest panel; narrower panels of the same
// packing are allowed.
#if defined(__AVX512F__)
#define LT_OUTER_SIZES(X) X(6, 4) X(6, 3) X(8, 3) X(8, 2) X(12, 2) X(6, 2) X(6, 1) X(8, 1) X(12, 1)
#elif defined(LT_NEON)
#define LT_OUTER_SIZES(X) X(6, 4) X(6, 3) X(6, 2) X(6, 1) X(8, 2) X(8, 1) X(12, 1)
#else
#define LT_OUTER_SIZES(X) X(6, 2) X(6, 1) X(8, 1) X(12, 1)
#endif

// The body above with constant sizes.
static __attribute__((unused)) void lt_tile_outer(const lt_tile *t, int64_t source, int mr, int nv)
{
#define TILE(m, n)                                                                                                     \
    if (mr == m && nv == n) {                                                                                          \
        lt_tile_outer_body(t, source, m, n);                                                                           \
        return;                                                                                                        \
    }
    LT_OUTER_SIZES(TILE)
#undef TILE
}

// Columns are cut into panels: the widest there is, then what is left. Vectors of the panel that starts at `at`:
LT_INLINE int lt_panel_vectors(int64_t at, int64_t columns)
{
    int64_t left = (columns - at + LT_LANES - 1) / LT_LANES;
    return left < LT_NV_MAX ? (int)left : LT_NV_MAX;
}

// Columns with the last panel filled up to whole vectors: the room that packed panels need.
LT_INLINE int64_t lt_panel_room(int64_t columns)
{
    return (columns + LT_LANES - 1) / LT_LANES * LT_LANES;
}

// to (n x m) = from (m x n) transposed; for small matrices.
LT_INLINE void lt_transpose_plain(const float *from, int64_t m, int64_t n, float *to)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            to[j * m + i] = from[i * n + j];
}

// Items in a piece that is worth a thread: 2^18 multiplications, a few microseconds. `work` is one item's.
LT_INLINE int64_t lt_grain(int64_t work)
{
    return 1 + (1 << 18) / (work + 1);
}

#endif
