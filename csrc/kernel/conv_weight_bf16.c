// The weight gradient of inputs rounded to bfloat16, by vdpbf16ps:
// dweight[o][tap][c] = sum over output pixels of dy[pixel][o] * x[pixel under tap][c].
//
// A pair is two neighbouring output pixels. Pixels are cut into slices, each summed into a copy of dweight of its own,
// the copies added in order. A slice goes in chunks of 512 pixels: dy is turned into rows of pairs, one a channel;
// under each tap the rows of x, found through pointers, are woven into panels of pairs. A panel (64 KB) serves all
// channels of dy.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_bf16.h"
#include "kernel/conv_rows.h"
#include "kernel/tile_bf16.h"

enum { CHUNK = 2 * LT_CONV_PIXELS, STEPS = CHUNK / 2, ITEMS = 16, COPIES_BYTES = 8 << 20 };

typedef struct {
    const lt_conv_shape *s;
    lt_conv_source x;
    const float *dy;
    float *dweight;
    float *copies; // slices - 1 further copies of dweight; the first slice sums into dweight itself
    char *scratch; // one area a thread: row pointers, turned dy, a panel
    size_t area;
    int64_t group, k, outs, taps; // channels of a group in x and in dy
    int64_t pixels, chunks, slices, shares, panels;
} job;

// One panel: columns [column, column + LT_NR_MAX) of the rows, two rows a step.
static void weave(const float *const *rows, int64_t count, int64_t k, int64_t column, float *to)
{
    const int nv = lt_panel_vectors(column, k);
#if defined(LT_NEON_BF16)
    for (int64_t i = 0; i < count; i += 4, to += 2 * nv * LT_LANES) {
        const float *row[4];
        for (int r = 0; r < 4; r++)
            row[r] = i + r < count ? rows[i + r] + column : NULL;
        lt_weave_four(row, k - column, nv, to);
    }
#else
    for (int64_t i = 0; i < count; i += 2, to += nv * LT_LANES)
        lt_weave_rows(rows[i] + column, i + 1 < count ? rows[i + 1] + column : NULL, k - column, nv, to);
#endif
}

// All channels of dy times a panel.
static void tiles(const job *j, const float *const *turned, const float *panel, int64_t count, int64_t tap,
                  int64_t column, float *const *out, float beta)
{
    const int nv = lt_panel_vectors(column, j->k), mr = lt_pair_height(nv);
    lt_tile t = {.taps = 1,
                 .steps = lt_pairs(count),
                 .packed = panel,
                 .column = tap * j->k + column,
                 .columns = lt_min_i64(nv * LT_LANES, j->k - column),
                 .beta = beta};
    for (int64_t o = 0; o < j->outs; o += mr) {
        t.rows = turned + o;
        t.out = out + o;
        t.m = lt_min_i64(mr, j->outs - o);
        lt_tile_pairs(&t, nv);
    }
}

static int64_t padded(int64_t outs) // whole tiles of any height
{
    return (outs + LT_PAIR_UNIT - 1) / LT_PAIR_UNIT * LT_PAIR_UNIT;
}

// Bytes of the parts of a thread's area.
static size_t pointers_bytes(const job *j)
{
    return (size_t)(j->taps * CHUNK + 2 * padded(j->outs)) * sizeof(float *) / 64 * 64 + 64;
}

// One item: a slice of the pixels and a share of the taps and panels.
static void slice_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_shape *s = j->s;
    lt_conv_pixels pixels;
    char *area = j->scratch + (size_t)lt_thread_index() * j->area;
    const float **rows = (const float **)area, **turned = rows + j->taps * CHUNK;
    float **out = (float **)(turned + padded(j->outs));
    float *dy = (float *)(area + pointers_bytes(j)), *panel = dy + j->outs * STEPS;
    const int64_t row = j->taps * j->k, size = j->outs * row;
    lt_pairs_begin();
    for (int64_t item = begin; item < end; item++) {
        const int64_t slice = item / j->shares, share = item % j->shares;
        int64_t chunk = slice * j->chunks / j->slices, stop = (slice + 1) * j->chunks / j->slices;
        const int64_t from = share * j->taps * j->panels / j->shares,
                      to = (share + 1) * j->taps * j->panels / j->shares;
        float *sum = slice ? j->copies + (slice - 1) * size : j->dweight + j->group * size;
        for (int64_t o = 0; o < padded(j->outs); o++) {
            turned[o] = dy + lt_min_i64(o, j->outs - 1) * STEPS;
            out[o] = sum + lt_min_i64(o, j->outs - 1) * row;
        }
        for (int64_t start = chunk; chunk < stop; chunk++) {
            const int64_t first = chunk * CHUNK, count = lt_min_i64(CHUNK, j->pixels - first);
            for (int64_t half = 0; half < count; half += LT_CONV_PIXELS) {
                const int64_t some = lt_min_i64(LT_CONV_PIXELS, count - half);
                lt_conv_locate(&j->x, first + half, first + half + some, some, s->oh, s->ow, s->stride_h, s->stride_w,
                               &pixels);
                lt_conv_point(&j->x, &pixels, rows + half, CHUNK);
            }
            lt_pack_transposed_rows(j->dy + first * s->cout + j->group * j->outs, s->cout, j->outs, count, dy, STEPS);
            for (int64_t i = from; i < to; i++) {
                const int64_t tap = i / j->panels, column = i % j->panels * LT_NR_MAX;
                weave(rows + tap * CHUNK, count, j->k, column, panel);
                tiles(j, turned, panel, count, tap, column, out, chunk > start);
            }
        }
    }
    lt_pairs_end();
}

static void add_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t size = j->outs * j->taps * j->k;
    float *sum = j->dweight + j->group * size;
    for (int64_t slice = 1; slice < j->slices; slice++) {
        const float *copy = j->copies + (slice - 1) * size;
        for (int64_t i = begin; i < end; i++)
            sum[i] += copy[i];
    }
}

int LT_NAME(lt_conv_weight_gradient)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    job j = {.s = s,
             .dy = dy,
             .dweight = dweight,
             .k = s->cin / s->groups,
             .outs = s->cout / s->groups,
             .taps = s->kh * s->kw,
             .pixels = s->n * s->oh * s->ow};
    const int64_t size = j.outs * j.taps * j.k;
    if (size == 0 || j.pixels == 0) {
        memset(dweight, 0, (size_t)(size * s->groups) * sizeof(float));
        return LT_OK;
    }
    j.panels = (j.k + LT_NR_MAX - 1) / LT_NR_MAX;
    j.chunks = (j.pixels + CHUNK - 1) / CHUNK;
    j.slices = lt_max_i64(1, lt_min_i64(lt_min_i64(ITEMS, j.chunks), COPIES_BYTES / (size * (int64_t)sizeof(float))));
    j.shares = lt_min_i64(j.taps * j.panels, (ITEMS + j.slices - 1) / j.slices);
    j.area = pointers_bytes(&j) + (size_t)((j.outs + LT_NR_MAX) * STEPS) * sizeof(float);
    float *zeros = lt_alloc_zeroed((size_t)j.k * sizeof(float));
    lt_conv_tap *tap = lt_alloc((size_t)j.taps * sizeof *tap);
    j.copies = lt_alloc((size_t)((j.slices - 1) * size) * sizeof(float));
    j.scratch = lt_alloc(j.area * (size_t)lt_threads());
    const bool fine = zeros && tap && j.copies && j.scratch;
    if (fine)
        lt_conv_forward_taps(s, tap);
    for (j.group = 0; fine && j.group < s->groups; j.group++) {
        j.x = (lt_conv_source){.first = x + j.group * j.k,
                               .h = s->h,
                               .w = s->w,
                               .c = s->cin,
                               .k = j.k,
                               .taps = j.taps,
                               .tap = tap,
                               .zeros = zeros};
        lt_parallel(j.slices * j.shares, lt_grain(j.pixels * size / (j.slices * j.shares) / 2), slice_piece, &j);
        if (j.slices > 1)
            lt_parallel(size, 16384, add_piece, &j);
    }
    lt_free(zeros);
    lt_free(tap);
    lt_free(j.copies);
    lt_free(j.scratch);
    return fine ? LT_OK : LT_FAIL;
}
