// The common case of forward and input gradient: blocks of destination pixels times packed weights.
//
// Pictures are not packed and no im2col buffer exists: the inner loop gets, for every tap, pointers to the source
// rows of its pixels, and a row of zeros stands for the padding. Only where a group has very few channels are the
// taps of a pixel gathered side by side, so that the inner loop has some length.
// A block is 96 pixels: its source rows and one panel of weights stay in the second-level cache, and 96 is a multiple
// of every tile height.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_rows.h"

enum { BLOCK = 96, GATHER_BELOW = 8, ITEMS = 16 };

typedef struct {
    const lt_conv_plan *p;
    const lt_conv_phase *phase;
    int64_t group;
    float *panels; // packed weights: for each panel, [tap][k][vectors]
    char *scratch; // one area a thread
    size_t area;
    const float *zeros; // k of them
    int64_t pixels, shares, panel_count;
    bool gather;
} job;

// Scratch of one thread: row pointers for every tap, then gathered rows.
static size_t area_bytes(const lt_conv_plan *p, int64_t taps, bool gather)
{
    size_t bytes = (size_t)taps * BLOCK * (gather ? (size_t)p->k * sizeof(float) : sizeof(float *));
    return (bytes + 63) / 64 * 64;
}

static void pack_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    int64_t taps = j->phase->taps;
    for (int64_t item = begin; item < end; item++) {
        int64_t column = item / taps * LT_NR_MAX, t = item % taps;
        int64_t width = lt_panel_vectors(column, p->columns) * LT_LANES;
        int64_t real = lt_min_i64(width, p->columns - column);
        float *to = j->panels + taps * p->k * column + t * p->k * width;
        const float *w =
            p->weight + j->phase->tap[t].index * p->weight_tap + j->group * p->weight_group + column * p->weight_n;
        if (real < width)
            memset(to, 0, (size_t)(p->k * width) * sizeof(float));
        if (p->weight_n == 1)
            for (int64_t k = 0; k < p->k; k++)
                memcpy(to + k * width, w + k * p->weight_k, (size_t)real * sizeof(float));
        else
            for (int64_t c = 0; c < real; c++)
                for (int64_t k = 0; k < p->k; k++)
                    to[k * width + c] = w[k * p->weight_k + c * p->weight_n];
    }
}

// Where the results of grid pixels [begin, end) go.
static void locate_results(const job *j, int64_t begin, int64_t end, float **out)
{
    const lt_conv_plan *p = j->p;
    const lt_conv_phase *f = j->phase;
    int64_t gx = begin % f->grid_w, gy = begin / f->grid_w % f->grid_h, n = begin / (f->grid_w * f->grid_h);
    for (int64_t i = 0; i < end - begin; i++) {
        int64_t y = f->first_y + gy * p->step_h, x = f->first_x + gx * p->step_w;
        out[i] = p->dest + ((n * p->dest_h + y) * p->dest_w + x) * p->dest_c + j->group * p->columns;
        if (++gx == f->grid_w) {
            gx = 0;
            if (++gy == f->grid_h) {
                gy = 0;
                n++;
            }
        }
    }
}

// One item: a block of pixels and a share of the panels.
static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    char *area = j->scratch + (size_t)lt_thread_index() * j->area;
    const float *gathered[BLOCK], **rows = j->gather ? gathered : (const float **)area;
    int64_t taps = j->phase->taps;
    lt_conv_pixels pixels;
    float *out[BLOCK];
    const lt_conv_source source = {.first = p->source + j->group * p->k,
                                   .h = p->source_h,
                                   .w = p->source_w,
                                   .c = p->source_c,
                                   .k = p->k,
                                   .taps = taps,
                                   .tap = j->phase->tap,
                                   .zeros = j->zeros};
    for (int64_t item = begin; item < end; item++) {
        int64_t first = item / j->shares * BLOCK, share = item % j->shares;
        int64_t count = lt_min_i64(BLOCK, j->pixels - first),
                padded = (count + 23) / 24 * 24; // whole tiles of any height
        lt_conv_locate(&source, first, first + count, padded, j->phase->grid_h, j->phase->grid_w, p->source_step_h,
                       p->source_step_w, &pixels);
        locate_results(j, first, first + count, out);
        if (j->gather)
            lt_conv_gather(&source, &pixels, (float *)area, taps * p->k, rows);
        else
            lt_conv_point(&source, &pixels, rows, BLOCK);
        int64_t panel = share * j->panel_count / j->shares, stop = (share + 1) * j->panel_count / j->shares;
        for (; panel < stop; panel++) {
            int64_t column = panel * LT_NR_MAX;
            int nv = lt_panel_vectors(column, p->columns), mr = lt_tile_height(nv);
            lt_tile t = {.taps = j->gather ? 1 : taps,
                         .steps = j->gather ? taps * p->k : p->k,
                         .ld = BLOCK,
                         .packed = j->panels + taps * p->k * column,
                         .column = column,
                         .columns = lt_min_i64(nv * LT_LANES, p->columns - column),
                         .bias = p->terms.bias ? p->terms.bias + j->group * p->columns + column : NULL};
            for (int64_t i = 0; i < count; i += mr) {
                t.rows = rows + i;
                t.out = out + i;
                t.m = lt_min_i64(mr, count - i);
                lt_tile_rows(&t, nv);
            }
        }
    }
}

int LT_NAME(lt_conv_wide)(const lt_conv_plan *p)
{
    int64_t most = 0;
    for (int64_t f = 0; f < p->phases; f++)
        most = lt_max_i64(most, p->phase[f].taps);
    job j = {.p = p, .gather = p->k < GATHER_BELOW};
    size_t weights, area = area_bytes(p, most, j.gather);
    if (lt_mul_size((size_t)(most * p->k), (size_t)lt_panel_room(p->columns) * sizeof(float), &weights) != LT_OK)
        return LT_FAIL;
    float *zeros = lt_alloc_zeroed((size_t)(p->k + LT_LANES) * sizeof(float));
    j.area = area;
    j.panels = lt_alloc(weights);
    j.scratch = lt_alloc(area * (size_t)lt_threads());
    j.zeros = zeros;
    bool fine = zeros && j.panels && j.scratch;
    for (int64_t g = 0; fine && g < p->groups; g++)
        for (int64_t f = 0; f < p->phases; f++) {
            j.group = g;
            j.phase = &p->phase[f];
            j.pixels = p->n * j.phase->grid_h * j.phase->grid_w;
            j.panel_count = (p->columns + LT_NR_MAX - 1) / LT_NR_MAX;
            int64_t blocks = (j.pixels + BLOCK - 1) / BLOCK;
            j.shares = blocks < ITEMS ? lt_min_i64(j.panel_count, ITEMS) : 1;
            lt_parallel(j.panel_count * j.phase->taps, 1 + 32768 / (p->k * LT_NR_MAX), pack_piece, &j);
            lt_parallel(blocks * j.shares, lt_grain(BLOCK * j.phase->taps * p->k * p->columns / j.shares), block_piece,
                        &j);
        }
    lt_free(zeros);
    lt_free(j.panels);
    lt_free(j.scratch);
    return fine ? LT_OK : LT_FAIL;
}
