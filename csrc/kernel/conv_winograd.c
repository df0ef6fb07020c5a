// Forward and input gradient by Winograd's way (see conv_winograd.h).
//
// Tiles are taken in blocks: the source's tiles are transformed, multiplied by the transformed weights frequency by
// frequency, and the sums transformed back into pictures. With few channels a block fits the second-level cache of a
// thread, which takes it through all three steps alone. With more channels a block is shared: all threads transform,
// then multiply, then transform back, and what lies between stays in the last-level cache; there the work on a value
// grows with the channels, so its way is short in comparison. A picture or two make so few blocks that some threads
// would have none: those are shared too. The transforms know nothing of groups, the products take the channels of one
// at a time. Parts that are summed are transformed and multiplied one after another, and so are the phases of an input
// gradient: what lies between is small.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_winograd.h"
#include "kernel/panel.h"

// Tiles come in multiples of STEP, a multiple of every height of a product's tile. A thread's own block is as many as
// fill OWN_BYTES, two thirds of a second-level cache; down to STEP of them, in up to MOST_BYTES, still beats sharing.
enum { STEP = 24, OWN_BYTES = 640 << 10, MOST_BYTES = 900 << 10, SHARED_BYTES = 4 << 20, STRIP = 96 };

// So many blocks of their own, or fewer, threads share instead.
enum { FEW = 5 };

typedef struct {
    const lt_conv_plan *p;
    const lt_conv_phase *phase; // in work
    lt_wino_pictures source;
    int64_t side, frequencies;
    int64_t tiles, block; // tiles in all, and of a block
    int64_t width, row;   // columns in whole vectors: of a group, of all
    int64_t panels;       // of the columns of a group
    lt_wino_part part[LT_WINO_PARTS];
    lt_wino_weights weights; // of the parts that the phase sums
    int64_t v_step, m_step;
    float *scratch; // areas of transformed tiles: v, then m
    int64_t area;
    int64_t first, count, at; // tiles of the area that all threads work on, and the part
} job;

// ---- products ------------------------------------------------------------------------------------------------------

LT_INLINE void prefetch(const float *from, int64_t floats)
{
    for (int64_t i = 0; i < floats; i += 16)
        __builtin_prefetch(from + i);
}

// `count` rows of v times a panel u. Meanwhile the panel that comes next is fetched, so much of it with every row.
static void product(const float *v, int64_t ldv, const float *u, int64_t k, int64_t count, float *m, int64_t ldm,
                    bool add, int nv)
{
    const int64_t panel = k * nv * LT_LANES, ahead = panel < 1024 ? 0 : (panel + count - 1) / count;
    const float *next = u + panel;
#define TILES(mr, vectors)                                                                                             \
    for (int64_t i = 0; i < count; i += mr, next += mr * ahead)                                                        \
    prefetch(next, mr *ahead),                                                                                         \
        lt_wino_product(v + i * ldv, ldv, 1, u, vectors * LT_LANES, k, m + i * ldm, ldm, add, mr, vectors)
#if defined(__AVX512F__)
    if (nv == 4)
        TILES(6, 4);
    else if (nv == 3)
        TILES(6, 3);
    else if (nv == 2)
        TILES(12, 2);
#elif defined(LT_NEON)
    if (nv == 4)
        TILES(6, 4);
    else if (nv == 3)
        TILES(6, 3);
    else if (nv == 2)
        TILES(8, 2);
#else
    if (nv == 2)
        TILES(6, 2);
#endif
    else
        TILES(12, 1);
#undef TILES
}

// One panel, counted through all groups, of one frequency: `count` tiles of a part, in v, times the weights, into m.
static void panel_product(const job *j, int64_t part, int64_t frequency, int64_t panel, int64_t count, const float *v,
                          float *m)
{
    const int64_t k = j->p->k, group = panel / j->panels, column = panel % j->panels * LT_NR_MAX;
    const int64_t from = group * j->width + column;
    const float *u = j->weights.to + (part * j->frequencies + frequency) * j->weights.step + from * k;
    product(v + frequency * j->v_step + group * k, j->source.c, u, k, count, m + frequency * j->m_step + from, j->row,
            part > 0, lt_panel_vectors(column, j->width));
}

// ---- back to pictures ----------------------------------------------------------------------------------------------

// A vector of channels of one tile, rows x columns of its pixels lying inside of the picture; `whole`: all 4x4.
// `constant` is added to all pixels, `add` (NULL: none) has a value for each, where `to` has the result.
LT_INLINE void output_vector(const float *m, int64_t step, const lt_vec *constant, const float *add, float *to,
                             int64_t line, int64_t pixel, int64_t rows, int64_t columns, const bool whole,
                             const int side)
{
    lt_vec half[4][6];
    for (int x = 0; x < side; x++) {
        lt_vec d[6], y[4];
        for (int i = 0; i < side; i++)
            d[i] = *(const lt_vec_u *)(m + (side * i + x) * step);
        lt_wino_output(d, y, side);
        for (int i = 0; i < 4; i++)
            half[i][x] = y[i];
    }
    for (int i = 0; i < 4; i++) {
        lt_vec y[4];
        lt_wino_output(half[i], y, side);
        for (int x = 0; x < 4; x++)
            if (whole || (i < rows && x < columns)) {
                y[x] += *constant;
                if (add)
                    y[x] += *(const lt_vec_u *)(add + i * line + x * pixel);
                *(lt_vec_u *)(to + i * line + x * pixel) = y[x];
            }
    }
}

LT_INLINE void output_tiles_of(const job *j, int64_t begin, int64_t end, const float *m, const int side)
{
    const lt_conv_plan *p = j->p;
    const lt_conv_phase *f = j->phase;
    const lt_conv_terms terms = p->terms;
    const int64_t c = p->dest_c, line = p->step_h * p->dest_w * c, pixel = p->step_w * c, step = j->m_step;
    for (int64_t tile = begin; tile < end; tile++, m += j->row) {
        const int64_t tx = tile % j->source.tiles_w, ty = tile / j->source.tiles_w % j->source.tiles_h;
        const int64_t n = tile / (j->source.tiles_w * j->source.tiles_h);
        const int64_t rows = f->grid_h - ty * LT_WINO_OUT, columns = f->grid_w - tx * LT_WINO_OUT;
        const int64_t first = (n * p->dest_h + f->first_y) * p->dest_w * c + f->first_x * c + ty * LT_WINO_OUT * line +
                              tx * LT_WINO_OUT * pixel;
        for (int64_t at = 0; at < c; at += LT_LANES) {
            const int64_t channel = lt_wino_channel(at, c);
            const float *add = terms.add ? terms.add + first + channel : NULL;
            float *to = p->dest + first + channel;
            lt_vec constant = {0};
            if (terms.bias)
                constant = *(const lt_vec_u *)(terms.bias + channel);
            if (terms.shift)
                constant += *(const lt_vec_u *)(terms.shift + n * c + channel);
            if (rows >= LT_WINO_OUT && columns >= LT_WINO_OUT)
                output_vector(m + channel, step, &constant, add, to, line, pixel, 4, 4, true, side);
            else
                output_vector(m + channel, step, &constant, add, to, line, pixel, rows, columns, false, side);
        }
    }
}

static void output_tiles(const job *j, int64_t begin, int64_t end, const float *m)
{
    if (j->side == 6)
        output_tiles_of(j, begin, end, m, 6);
    else
        output_tiles_of(j, begin, end, m, 5);
}

// ---- the three steps, block by block -------------------------------------------------------------------------------

static void input_tiles(const job *j, int64_t part, int64_t begin, int64_t end, float *v)
{
    const lt_wino_part *of = &j->weights.part[part];
    if (j->side == 6)
        lt_wino_tiles(&j->source, of, begin, end, v, j->source.c, j->v_step, 6, 6);
    else
        lt_wino_tiles(&j->source, of, begin, end, v, j->source.c, j->v_step, 5, 5);
}

// Do tiles [begin, end) belong to extreme pictures alone, whose results the direct way replaces?
static bool all_extreme(const job *j, int64_t begin, int64_t end)
{
    const int64_t a_picture = j->source.tiles_h * j->source.tiles_w;
    for (int64_t n = begin / a_picture; n <= (end - 1) / a_picture; n++)
        if (!lt_wino_is_set(&j->source.extreme[n]))
            return false;
    return true;
}

static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    float *v = j->scratch + lt_thread_index() * j->area, *m = v + j->frequencies * j->v_step;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * j->block, last = lt_min_i64(first + j->block, j->tiles);
        bool wanted = true;
        for (int64_t part = 0; wanted && part < j->weights.parts; part++) {
            input_tiles(j, part, first, last, v);
            wanted = !all_extreme(j, first, last);
            for (int64_t f = 0; wanted && f < j->frequencies; f++)
                for (int64_t panel = 0; panel < j->p->groups * j->panels; panel++)
                    panel_product(j, part, f, panel, last - first, v, m);
        }
        if (wanted)
            output_tiles(j, first, last, m);
    }
}

static void shared_input(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    input_tiles(j, j->at, j->first + begin, j->first + end, j->scratch + begin * j->source.c);
}

// One item: a strip of tiles, a panel, a frequency.
static void shared_products(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t strips = (j->count + STRIP - 1) / STRIP, panels = j->p->groups * j->panels;
    float *m = j->scratch + j->frequencies * j->v_step;
    for (int64_t item = begin; item < end; item++) {
        const int64_t tile = item % strips * STRIP, rest = item / strips;
        panel_product(j, j->at, rest / panels, rest % panels, lt_min_i64(STRIP, j->count - tile),
                      j->scratch + tile * j->source.c, m + tile * j->row);
    }
}

static void shared_output(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    output_tiles(j, j->first + begin, j->first + end, j->scratch + j->frequencies * j->v_step + begin * j->row);
}

// One phase of the results.
static void run(job *j, bool shared)
{
    LT_NAME(lt_wino_transform_weights)(&j->weights);
    if (lt_wino_is_set(j->weights.extreme))
        return;
    if (!shared) {
        lt_parallel((j->tiles + j->block - 1) / j->block, 1, block_piece, j);
        return;
    }
    for (j->first = 0; j->first < j->tiles; j->first += j->block) {
        j->count = lt_min_i64(j->block, j->tiles - j->first);
        const int64_t strips = (j->count + STRIP - 1) / STRIP, end = j->first + j->count;
        bool wanted = true;
        for (j->at = 0; wanted && j->at < j->weights.parts; j->at++) {
            lt_parallel(j->count, 8, shared_input, j);
            wanted = !all_extreme(j, j->first, end);
            if (wanted)
                lt_parallel(strips * j->p->groups * j->panels * j->frequencies, 1, shared_products, j);
        }
        if (wanted)
            lt_parallel(j->count, 8, shared_output, j);
    }
}

// Pictures [first, last) the direct way, from rounded copies where the transforms would have rounded.
static int direct(const lt_conv_plan *p, int64_t first, int64_t last)
{
    const int64_t from = p->source_h * p->source_w * p->source_c, to = p->dest_h * p->dest_w * p->dest_c;
    const int64_t values = (last - first) * from, weights = p->groups * p->columns * p->taps * p->k;
    lt_conv_plan some = *p;
    some.n = last - first;
    some.source += first * from;
    some.dest += first * to;
    some.terms.shift = p->terms.shift ? p->terms.shift + first * p->dest_c : NULL;
    some.terms.add = p->terms.add ? p->terms.add + first * to : NULL;
    if (lt_precision() != LT_PRECISION_ROUNDED)
        return LT_NAME(lt_conv_direct)(&some);
    float *copy = lt_alloc((size_t)(values + weights) * sizeof(float));
    if (!copy)
        return LT_FAIL;
    lt_round_floats(some.source, values, copy);
    lt_round_floats(some.weight, weights, copy + values);
    some.source = copy;
    some.weight = copy + values;
    const int status = LT_NAME(lt_conv_direct)(&some);
    lt_free(copy);
    return status;
}

// The extreme pictures, or all of them where the weights are extreme.
static int extremes(const job *j)
{
    const lt_wino_flag *extreme = j->source.extreme;
    const int64_t n = j->p->n;
    if (lt_wino_is_set(j->weights.extreme))
        return direct(j->p, 0, n);
    for (int64_t first = 0, end; first < n; first = end) {
        end = lt_wino_stretch(extreme, first, n);
        if (lt_wino_is_set(&extreme[first]) && direct(j->p, first, end) != LT_OK)
            return LT_FAIL;
    }
    return LT_OK;
}

// The parts of a plan: of each phase's taps, those that meet the same remainder of the source's rows and columns.
static int64_t cut_parts(const lt_conv_plan *p, int64_t across, lt_wino_part *part)
{
    const int64_t step = p->source_step_h;
    for (int64_t f = 0; f < p->phases; f++, part += step * step) {
        const lt_conv_tap *tap = p->phase[f].tap, *last = tap + p->phase[f].taps - 1;
        const int64_t top = lt_min_i64(tap->dy, last->dy), left = lt_min_i64(tap->dx, last->dx);
        for (; tap <= last; tap++) {
            const int64_t y = tap->dy - top, x = tap->dx - left;
            lt_wino_part *to = &part[y % step * step + x % step];
            to->top = top + y % step;
            to->left = left + x % step;
            to->tap[y / step * across + x / step] = tap->index;
        }
    }
    return p->phases * step * step;
}

// Cuts the tiles into blocks and says how large everything is; true where threads share the blocks.
static bool cut(job *j)
{
    const lt_conv_plan *p = j->p;
    lt_wino_pictures *source = &j->source;
    source->tiles_h = (p->phase->grid_h + LT_WINO_OUT - 1) / LT_WINO_OUT;
    source->tiles_w = (p->phase->grid_w + LT_WINO_OUT - 1) / LT_WINO_OUT;
    j->tiles = p->n * source->tiles_h * source->tiles_w;
    j->width = lt_panel_room(p->columns);
    j->row = p->groups * j->width;
    j->panels = (p->columns + LT_NR_MAX - 1) / LT_NR_MAX;
    const int64_t a_tile = j->frequencies * (p->source_c + j->row) * (int64_t)sizeof(float);
    const int64_t own = lt_max_i64(STEP, OWN_BYTES / a_tile / STEP * STEP);
    const bool shared = STEP * a_tile > MOST_BYTES || j->tiles <= FEW * own;
    const int64_t most = shared ? lt_max_i64(STEP, SHARED_BYTES / a_tile / STEP * STEP) : own;
    const int64_t blocks = (j->tiles + most - 1) / most;
    j->block = ((j->tiles + blocks - 1) / blocks + STEP - 1) / STEP * STEP;
    j->v_step = lt_wino_step(j->block, p->source_c);
    j->m_step = lt_wino_step(j->block, j->row);
    j->area = j->frequencies * (j->v_step + j->m_step);
    return shared;
}

int LT_NAME(lt_conv_winograd)(const lt_conv_plan *p, int64_t side)
{
    job j = {
        .p = p,
        .source = {.first = p->source, .h = p->source_h, .w = p->source_w, .c = p->source_c, .step = p->source_step_h},
        .side = side,
        .frequencies = side * side};
    const bool shared = cut(&j);
    const int64_t parts = cut_parts(p, side - 3, j.part) / p->phases;
    float *zeros = lt_alloc_zeroed((size_t)(p->source_w * p->source_c) * sizeof(float));
    lt_wino_flag *flags = lt_alloc_zeroed((size_t)(p->n + 1) * sizeof *flags);
    j.source.zeros = zeros;
    j.source.extreme = flags;
    j.weights = (lt_wino_weights){.p = p,
                                  .side = side,
                                  .width = j.width,
                                  .parts = parts,
                                  .step = lt_wino_step(p->k, j.row),
                                  .extreme = flags + p->n};
    j.weights.to = lt_alloc((size_t)(parts * j.frequencies * j.weights.step) * sizeof(float));
    j.scratch = lt_alloc((size_t)(j.area * (shared ? 1 : lt_threads())) * sizeof(float));
    bool fine = j.weights.to && j.scratch && zeros && flags;
    for (int64_t f = 0; fine && f < p->phases; f++) {
        j.phase = &p->phase[f];
        j.weights.part = &j.part[f * parts];
        run(&j, shared);
    }
    lt_free(zeros);
    lt_free(j.weights.to);
    lt_free(j.scratch);
    fine = fine && extremes(&j) == LT_OK;
    lt_free(flags);
    return fine ? LT_OK : LT_FAIL;
}
