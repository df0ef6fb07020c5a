// Extremes over the middle axis: the value, and the first place where it stands; NaN beats every number.
#include "kernel/extreme.h"
#include "base/threads.h"
#include "kernel/simd.h"

enum { WIDTH = 256, CHUNKS = 64, PIECE = 1 << 15 };

#define INLINE static inline __attribute__((always_inline))

// ---------------------------------

INLINE int beats(int greatest, float v, float best)
{
    const int better = greatest ? v > best : v < best, nan = v != v && best == best;
    return better | nan;
}

INLINE void extreme_line(int greatest, int64_t n, const float *x, float *y, int32_t *index)
{
    enum { LANES = 32 };
    float best = x[0];
    int64_t i = 0;
    if (n >= LANES) {
        float lane[LANES];
        memcpy(lane, x, sizeof lane);
        for (i = LANES; i + LANES <= n; i += LANES)
            for (int j = 0; j < LANES; j++)
                lane[j] = beats(greatest, x[i + j], lane[j]) ? x[i + j] : lane[j];
        for (int j = 0; j < LANES; j++)
            best = beats(greatest, lane[j], best) ? lane[j] : best;
    }
    for (; i < n; i++)
        best = beats(greatest, x[i], best) ? x[i] : best;
    *y = best;
    if (!index)
        return;
    for (i = 0; i < n - 1 && !(x[i] == best || (x[i] != x[i] && best != best)); i++)
        ;
    *index = (int32_t)i;
}

INLINE void extreme_slab(int greatest, int64_t rows, int64_t width, int64_t stride, const float *x, float *y,
                         int32_t *index)
{
    float best[WIDTH];
    int32_t at[WIDTH] = {0};
    memcpy(best, x, (size_t)width * sizeof *x);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t c = 0; c < width; c++) {
            const float v = x[r * stride + c];
            const int won = beats(greatest, v, best[c]);
            best[c] = won ? v : best[c];
            at[c] = won ? (int32_t)r : at[c];
        }
    memcpy(y, best, (size_t)width * sizeof *y);
    if (index)
        memcpy(index, at, (size_t)width * sizeof *index);
}

typedef struct {
    int greatest;
    int64_t r, inner, blocks, chunk;
    const float *x;
    float *y;
    int32_t *index;
} extreme_job;

static void extremes_piece(void *context, int64_t begin, int64_t end)
{
    const extreme_job *j = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t o = i / j->blocks, c = i % j->blocks * WIDTH, at = o * j->inner + c;
        const int64_t width = j->inner - c < WIDTH ? j->inner - c : WIDTH;
        const float *x = j->x + o * j->r * j->inner + c;
        int32_t *index = j->index ? j->index + at : NULL;
        if (j->inner == 1)
            (j->greatest ? extreme_line(1, j->r, x, j->y + at, index) : extreme_line(0, j->r, x, j->y + at, index));
        else
            (j->greatest ? extreme_slab(1, j->r, width, j->inner, x, j->y + at, index)
                         : extreme_slab(0, j->r, width, j->inner, x, j->y + at, index));
    }
}

static void extreme_chunks_piece(void *context, int64_t begin, int64_t end)
{
    const extreme_job *j = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * j->chunk, n = j->r - first < j->chunk ? j->r - first : j->chunk;
        extreme_job one = {j->greatest, n, 1, 1, 0, j->x + first, j->y + i, j->index + i};
        extremes_piece(&one, 0, 1);
        j->index[i] += (int32_t)first;
    }
}

static void extreme(int greatest, int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index)
{
    if (outer == 0 || inner == 0 || r == 0)
        return;
    const extreme_job j = {greatest, r, inner, (inner + WIDTH - 1) / WIDTH, 0, x, y, index};
    const int64_t width = inner < WIDTH ? inner : WIDTH;
    if (inner > 1 || r <= 2 * PIECE) {
        lt_parallel(outer * j.blocks, PIECE / (r * width) + 1, extremes_piece, (void *)&j);
        return;
    }
    for (int64_t o = 0; o < outer; o++) { // long lines: pieces, then the best of them
        float best[CHUNKS];
        int32_t at[CHUNKS];
        const int64_t chunk = PIECE > r / CHUNKS + 1 ? PIECE : r / CHUNKS + 1, pieces = (r + chunk - 1) / chunk;
        extreme_job line_job = {greatest, r, 1, 1, chunk, x + o * r, best, at};
        lt_parallel(pieces, 1, extreme_chunks_piece, &line_job);
        int64_t won = 0;
        for (int64_t i = 1; i < pieces; i++)
            won = beats(greatest, best[i], best[won]) ? i : won;
        y[o] = best[won];
        if (index)
            index[o] = at[won];
    }
}

void LT_NAME(lt_extreme_max)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index)
{
    extreme(1, outer, r, inner, x, y, index);
}

void LT_NAME(lt_extreme_min)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index)
{
    extreme(0, outer, r, inner, x, y, index);
}
