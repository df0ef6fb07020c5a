// Forward and input gradient when there are so few destination channels (the last layer of a decoder: 1 or 3) that
// taps * columns values fit a panel. A tile of the usual kind would be padding mostly. Instead each source row is
// multiplied once by the weights of all taps, z = source (pixels x k) * (k x taps*columns), and a destination pixel
// sums its taps' columns of z. Worked in bands of destination rows, so that z stays in the cache.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_shared.h"
#include "kernel/tile.h"

enum { ROWS = 96, Z_FLOATS = 64 * 1024 };

typedef struct {
    const lt_conv_plan *p;
    int64_t group, width; // width: floats of a row of z, taps*columns in whole vectors
    int64_t band, bands;  // grid rows of a band, bands of a picture
    float *panels;
    float *scratch; // one area a thread
    size_t area;
} job;

// Source rows that grid rows [first, last] of any phase read: [*top, *bottom).
static void source_rows(const lt_conv_plan *p, int64_t first, int64_t last, int64_t *top, int64_t *bottom)
{
    int64_t low = p->source_h, high = 0;
    for (int64_t f = 0; f < p->phases; f++)
        for (int64_t t = 0; t < p->phase[f].taps; t++) {
            int64_t dy = p->phase[f].tap[t].dy;
            low = lt_min_i64(low, first * p->source_step_h + dy);
            high = lt_max_i64(high, last * p->source_step_h + dy + 1);
        }
    *top = lt_max_i64(low, 0);
    *bottom = lt_min_i64(high, p->source_h);
}

static void multiply(const job *j, const float *source, int64_t pixels, float *z)
{
    const lt_conv_plan *p = j->p;
    const float *rows[ROWS];
    float *out[ROWS];
    for (int64_t first = 0; first < pixels; first += ROWS) {
        int64_t count = lt_min_i64(ROWS, pixels - first);
        for (int64_t i = 0; i < ROWS; i++) {
            rows[i] = source + (first + lt_min_i64(i, count - 1)) * p->source_c;
            out[i] = z + (first + lt_min_i64(i, count - 1)) * j->width;
        }
        for (int64_t column = 0; column < j->width; column += LT_NR_MAX) {
            int nv = lt_panel_vectors(column, j->width), mr = lt_tile_height(nv);
            for (int64_t i = 0; i < count; i += mr)
                lt_tile_rows(&(lt_tile){.taps = 1,
                                        .steps = p->k,
                                        .rows = rows + i,
                                        .packed = j->panels + column * p->k,
                                        .out = out + i,
                                        .column = column,
                                        .m = lt_min_i64(mr, count - i),
                                        .columns = nv * LT_LANES},
                             nv);
        }
    }
}

// Sums the taps of one grid row of one phase. z starts at source row `top`.
static void sum_row(const job *j, const lt_conv_phase *f, int64_t n, int64_t gy, const float *z, int64_t top)
{
    const lt_conv_plan *p = j->p;
    const float *bias = p->terms.bias ? p->terms.bias + j->group * p->columns : NULL;
    int64_t y = f->first_y + gy * p->step_h, pixel = p->step_w * p->dest_c;
    float *out = p->dest + ((n * p->dest_h + y) * p->dest_w + f->first_x) * p->dest_c + j->group * p->columns;
    for (int64_t gx = 0; gx < f->grid_w; gx++)
        for (int64_t c = 0; c < p->columns; c++)
            out[gx * pixel + c] = bias ? bias[c] : 0;
    for (int64_t t = 0; t < f->taps; t++) {
        const lt_conv_tap tap = f->tap[t];
        int64_t sy = gy * p->source_step_h + tap.dy;
        if (sy < 0 || sy >= p->source_h)
            continue;
        const float *zt = z + (sy - top) * p->source_w * j->width + tap.index * p->columns;
        // The grid columns whose source column gx*step + dx lies inside.
        int64_t s = p->source_step_w, from = tap.dx < 0 ? (-tap.dx + s - 1) / s : 0;
        int64_t to = tap.dx < p->source_w ? lt_min_i64(f->grid_w, (p->source_w - tap.dx + s - 1) / s) : 0;
        for (int64_t gx = from; gx < to; gx++)
            for (int64_t c = 0; c < p->columns; c++)
                out[gx * pixel + c] += zt[(gx * s + tap.dx) * j->width + c];
    }
}

static void band_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    float *z = j->scratch + (size_t)lt_thread_index() * j->area;
    for (int64_t item = begin; item < end; item++) {
        int64_t n = item / j->bands, first = item % j->bands * j->band, top, bottom;
        int64_t picture = n * p->source_h * p->source_w;
        source_rows(p, first, first + j->band - 1, &top, &bottom);
        if (bottom > top)
            multiply(j, p->source + (picture + top * p->source_w) * p->source_c + j->group * p->k,
                     (bottom - top) * p->source_w, z);
        for (int64_t f = 0; f < p->phases; f++)
            for (int64_t gy = first; gy < lt_min_i64(first + j->band, p->phase[f].grid_h); gy++)
                sum_row(j, &p->phase[f], n, gy, z, top);
    }
}

// Panels [k][vectors] of the k x (taps*columns) matrix of all taps.
static void pack(const job *j)
{
    const lt_conv_plan *p = j->p;
    const float *w = p->weight + j->group * p->weight_group;
    memset(j->panels, 0, (size_t)(p->k * j->width) * sizeof(float));
    for (int64_t t = 0; t < p->taps; t++)
        for (int64_t c = 0; c < p->columns; c++) {
            int64_t at = t * p->columns + c, start = at / LT_NR_MAX * LT_NR_MAX;
            int64_t nr = lt_panel_vectors(start, j->width) * LT_LANES;
            for (int64_t k = 0; k < p->k; k++)
                j->panels[start * p->k + k * nr + at - start] =
                    w[k * p->weight_k + c * p->weight_n + t * p->weight_tap];
        }
}

int LT_NAME(lt_conv_narrow)(const lt_conv_plan *p)
{
    job j = {.p = p, .width = lt_panel_room(p->taps * p->columns)};
    int64_t height = 0, top, bottom, rows = 0;
    for (int64_t f = 0; f < p->phases; f++)
        height = lt_max_i64(height, p->phase[f].grid_h);
    j.band = lt_min_i64(height, lt_max_i64(1, Z_FLOATS / (p->source_w * j.width * p->source_step_h)));
    j.bands = (height + j.band - 1) / j.band;
    for (int64_t i = 0; i < j.bands; i++) {
        source_rows(p, i * j.band, i * j.band + j.band - 1, &top, &bottom);
        rows = lt_max_i64(rows, bottom - top);
    }
    j.area = (size_t)lt_max_i64(1, rows * p->source_w * j.width);
    j.panels = lt_alloc((size_t)(p->k * j.width) * sizeof(float));
    j.scratch = lt_alloc(j.area * sizeof(float) * (size_t)lt_threads());
    bool fine = j.panels && j.scratch;
    for (j.group = 0; fine && j.group < p->groups; j.group++) {
        pack(&j);
        lt_parallel(p->n * j.bands, lt_grain(rows * p->source_w * j.width * p->k), band_piece, &j);
    }
    lt_free(j.panels);
    lt_free(j.scratch);
    return fine ? LT_OK : LT_FAIL;
}
