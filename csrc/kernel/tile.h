// The inner loops of products and convolutions: a tile of MR x NV vectors of the result stays in registers while
// the sum runs. Private to csrc/kernel; every instruction set compiles its own copy.
//
// Tile sizes follow from the register file: MR*NV sums, NV vectors of B, and the broadcast of A as a memory operand.
// 32 registers (AVX-512): 6 x 4, 8 x 3, 12 x 2, 12 x 1. 16 registers (AVX2, SSE2): 6 x 2, 12 x 1.
#ifndef LT_KERNEL_TILE_H
#define LT_KERNEL_TILE_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LT_LANES = 16, LT_NV_MAX = 4 };
#elif defined(__AVX2__)
enum { LT_LANES = 8, LT_NV_MAX = 2 };
#else
enum { LT_LANES = 4, LT_NV_MAX = 2 };
#endif
enum { LT_NR_MAX = LT_LANES * LT_NV_MAX, LT_MR_MAX = 12 };

typedef float lt_vec __attribute__((vector_size(LT_LANES * sizeof(float))));
typedef float lt_vec_u __attribute__((vector_size(LT_LANES * sizeof(float)), aligned(4), may_alias));

// C[i][j] = sum A B + bias[j] + beta C[i][j] for i < m, j < columns.
typedef struct {
    int64_t steps; // length of the sum (of one tap)
    int64_t taps;
    const float *const *rows; // of A or of B, as the kernel says
    int64_t ld;               // distance between the row pointers of two taps
    const float *packed;      // the other operand
    float *const *out;        // rows of C
    int64_t column;           // where the tile starts in them
    int64_t m, columns;       // how much of the tile is real
    const float *bias;        // `columns` values, or NULL
    float beta;
} lt_tile;

// Sums -> C, for whole tiles and for those that hang over the edge of C.
#define LT_TILE_STORE(MR, NV)                                                                                          \
    if (t->columns == NV * LT_LANES && t->beta == 0 && !t->bias) {                                                     \
        for (int i = 0; i < MR && i < t->m; i++)                                                                       \
            for (int j = 0; j < NV; j++)                                                                               \
                *(lt_vec_u *)(t->out[i] + t->column + j * LT_LANES) = sum[i][j];                                       \
        return;                                                                                                        \
    }                                                                                                                  \
    lt_tile_finish(t, (const float *)sum, NV *LT_LANES)

static void lt_tile_finish(const lt_tile *t, const float *sum, int width)
{
    for (int64_t i = 0; i < t->m; i++) {
        float *c = t->out[i] + t->column;
        const float *s = sum + i * width;
        for (int64_t j = 0; j < t->columns; j++) {
            float v = s[j] + (t->bias ? t->bias[j] : 0);
            c[j] = t->beta == 0 ? v : v + t->beta * c[j];
        }
    }
}

// A by row pointers (rows[tap*ld + i], `steps` values each; all MR must be readable), B packed [tap][step][NV*LANES].
#define LT_TILE_ROWS(MR, NV)                                                                                           \
    static void lt_tile_rows_##MR##x##NV(const lt_tile *t)                                                             \
    {                                                                                                                  \
        lt_vec sum[MR][NV] = {0};                                                                                      \
        const float *b = t->packed;                                                                                    \
        for (int64_t tap = 0; tap < t->taps; tap++) {                                                                  \
            const float *const *a = t->rows + tap * t->ld;                                                             \
            const float *row[MR];                                                                                      \
            for (int i = 0; i < MR; i++)                                                                               \
                row[i] = a[i];                                                                                         \
            for (int64_t k = 0; k < t->steps; k++, b += NV * LT_LANES) {                                               \
                lt_vec bv[NV];                                                                                         \
                for (int j = 0; j < NV; j++)                                                                           \
                    bv[j] = *(const lt_vec_u *)(b + j * LT_LANES);                                                     \
                for (int i = 0; i < MR; i++)                                                                           \
                    for (int j = 0; j < NV; j++)                                                                       \
                        sum[i][j] += row[i][k] * bv[j];                                                                \
            }                                                                                                          \
        }                                                                                                              \
        LT_TILE_STORE(MR, NV);                                                                                         \
    }

// A packed [step][MR], B by row pointers (rows[step] + column, whole vectors readable). One tap.
#define LT_TILE_OUTER(MR, NV)                                                                                          \
    static void lt_tile_outer_##MR##x##NV(const lt_tile *t, int64_t source)                                            \
    {                                                                                                                  \
        lt_vec sum[MR][NV] = {0};                                                                                      \
        const float *a = t->packed;                                                                                    \
        for (int64_t k = 0; k < t->steps; k++, a += MR) {                                                              \
            const float *b = t->rows[k] + source;                                                                      \
            lt_vec bv[NV];                                                                                             \
            for (int j = 0; j < NV; j++)                                                                               \
                bv[j] = *(const lt_vec_u *)(b + j * LT_LANES);                                                         \
            for (int i = 0; i < MR; i++)                                                                               \
                for (int j = 0; j < NV; j++)                                                                           \
                    sum[i][j] += a[i] * bv[j];                                                                         \
        }                                                                                                              \
        LT_TILE_STORE(MR, NV);                                                                                         \
    }

// Vectors of the panel that starts at column `at` of `columns`: the widest there is, then what is left.
static inline int lt_panel_vectors(int64_t at, int64_t columns)
{
    int64_t left = (columns - at + LT_LANES - 1) / LT_LANES;
    return left < LT_NV_MAX ? (int)left : LT_NV_MAX;
}

#if defined(__AVX512F__)
static inline int lt_rows_height(int nv)
{
    return nv == 4 ? 6 : nv == 3 ? 8 : 12;
}
#else
static inline int lt_rows_height(int nv)
{
    return nv == 2 ? 6 : 12;
}
#endif

#endif
