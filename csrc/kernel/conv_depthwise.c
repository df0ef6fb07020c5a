// Every channel on its own (groups = cin = cout): no sum over channels, so no product; a tap multiplies whole rows of
// channels, element by element. Weights are laid out as [tap][channel] first.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_shared.h"
#include "kernel/tile.h"

enum { SLICES = 16 };

typedef struct {
    const lt_conv_plan *p;
    const lt_conv_phase *phase;
    float *weight; // [tap][channel]
} job;

// The grid columns whose source column gx*step + dx lies inside of 0 .. width-1: [*from, *to).
static void inside(int64_t dx, int64_t step, int64_t width, int64_t grid, int64_t *from, int64_t *to)
{
    *from = dx < 0 ? lt_min_i64(grid, (-dx + step - 1) / step) : 0;
    *to = dx < width ? lt_min_i64(grid, (width - dx + step - 1) / step) : 0;
}

// One row of a phase's grid.
static void row(const job *j, int64_t n, int64_t gy)
{
    const lt_conv_plan *p = j->p;
    const lt_conv_phase *f = j->phase;
    const int64_t c = p->dest_c, step = p->step_w * c;
    float *out = p->dest + ((n * p->dest_h + f->first_y + gy * p->step_h) * p->dest_w + f->first_x) * c;
    for (int64_t gx = 0; gx < f->grid_w; gx++)
        for (int64_t i = 0; i < c; i++)
            out[gx * step + i] = p->terms.bias ? p->terms.bias[i] : 0;
    for (int64_t t = 0; t < f->taps; t++) {
        const int64_t y = gy * p->source_step_h + f->tap[t].dy, dx = f->tap[t].dx;
        const float *w = j->weight + f->tap[t].index * c;
        int64_t from, to;
        if (y < 0 || y >= p->source_h)
            continue;
        inside(dx, p->source_step_w, p->source_w, f->grid_w, &from, &to);
        const float *source = p->source + (n * p->source_h + y) * p->source_w * c;
        for (int64_t gx = from; gx < to; gx++) {
            const float *x = source + (gx * p->source_step_w + dx) * c;
            float *o = out + gx * step;
            for (int64_t i = 0; i < c; i++)
                o[i] += x[i] * w[i];
        }
    }
}

static void row_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t r = begin; r < end; r++)
        row(j, r / j->phase->grid_h, r % j->phase->grid_h);
}

int LT_NAME(lt_conv_depthwise)(const lt_conv_plan *p)
{
    job j = {.p = p, .weight = lt_alloc((size_t)(p->taps * p->dest_c) * sizeof(float))};
    if (!j.weight)
        return LT_FAIL;
    lt_transpose_plain(p->weight, p->dest_c, p->taps, j.weight);
    for (int64_t f = 0; f < p->phases; f++) {
        j.phase = &p->phase[f];
        lt_parallel(p->n * j.phase->grid_h, lt_grain(4 * j.phase->grid_w * p->dest_c * (j.phase->taps + 1)), row_piece,
                    &j);
    }
    lt_free(j.weight);
    return LT_OK;
}

// ---- weight gradient: rows of dy in slices, each with sums of its own, which are added in order --------------------

typedef struct {
    const lt_conv_shape *s;
    const float *x, *dy;
    float *sums; // [slice][tap][channel]
} gradient;

static void gradient_row(const gradient *g, int64_t n, int64_t oy, float *sum)
{
    const lt_conv_shape *s = g->s;
    const int64_t c = s->cin;
    const float *dy = g->dy + (n * s->oh + oy) * s->ow * c;
    for (int64_t t = 0; t < s->kh * s->kw; t++, sum += c) {
        const int64_t y = oy * s->stride_h - s->padding_h + t / s->kw * s->dilation_h;
        const int64_t dx = t % s->kw * s->dilation_w - s->padding_w;
        int64_t from, to;
        if (y < 0 || y >= s->h)
            continue;
        inside(dx, s->stride_w, s->w, s->ow, &from, &to);
        const float *source = g->x + (n * s->h + y) * s->w * c;
        for (int64_t ox = from; ox < to; ox++) {
            const float *x = source + (ox * s->stride_w + dx) * c, *d = dy + ox * c;
            for (int64_t i = 0; i < c; i++)
                sum[i] += x[i] * d[i];
        }
    }
}

static void gradient_piece(void *context, int64_t begin, int64_t end)
{
    const gradient *g = context;
    const lt_conv_shape *s = g->s;
    const int64_t rows = s->n * s->oh, size = s->kh * s->kw * s->cin;
    for (int64_t slice = begin; slice < end; slice++)
        for (int64_t r = slice * rows / SLICES; r < (slice + 1) * rows / SLICES; r++)
            gradient_row(g, r / s->oh, r % s->oh, g->sums + slice * size);
}

int LT_NAME(lt_conv_depthwise_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    const int64_t taps = s->kh * s->kw, size = taps * s->cin;
    gradient g = {.s = s, .x = x, .dy = dy, .sums = lt_alloc_zeroed((size_t)(SLICES * size) * sizeof(float))};
    if (!g.sums)
        return LT_FAIL;
    lt_parallel(SLICES, lt_grain(4 * s->n * s->oh * s->ow * size / SLICES), gradient_piece, &g);
    for (int64_t slice = 1; slice < SLICES; slice++)
        for (int64_t i = 0; i < size; i++)
            g.sums[i] += g.sums[slice * size + i];
    lt_transpose_plain(g.sums, taps, s->cin, dweight);
    lt_free(g.sums);
    return LT_OK;
}
