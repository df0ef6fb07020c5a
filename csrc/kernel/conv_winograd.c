// Forward and input gradient of 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3) (see conv_winograd.h).
//
// Tiles are taken in blocks: the source's tiles are transformed, multiplied by the transformed weights frequency by
// frequency, and the sums transformed back into pictures. With few channels a block fits the second-level cache of a
// thread, which takes it through all three steps alone. With more channels a block is shared: all threads transform,
// then multiply, then transform back, and what lies between stays in the last-level cache; there the work on a value
// grows with the channels, so its way is short in comparison. Weights are packed in panels of 64 columns (see tile.h),
// group after group: the transforms know nothing of groups, the products take the channels of one at a time.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_winograd.h"
#include "kernel/panel.h"

// Tiles come in multiples of STEP, a multiple of every height of a product's tile. A thread's own block is as many as
// fill OWN_BYTES, two thirds of a second-level cache; down to STEP of them, in up to MOST_BYTES, still beats sharing.
enum { STEP = 24, OWN_BYTES = 640 << 10, MOST_BYTES = 900 << 10, SHARED_BYTES = 4 << 20, STRIP = 96 };

typedef struct {
    const lt_conv_plan *p;
    lt_wino_pictures source;
    int64_t tiles, block; // tiles in all, and of a block
    int64_t width, row;   // columns in whole vectors: of a group, of all
    int64_t panels;       // of the columns of a group
    float *weight;        // [frequency][group][panel][k][vectors]
    int64_t weight_step, v_step, m_step;
    float *scratch; // areas of transformed tiles: v, then m
    int64_t area;
    int64_t first, count; // tiles of the area that all threads work on
    lt_wino_flag *extreme_weight;
} job;

// ---- weights -------------------------------------------------------------------------------------------------------

enum { DEEP = 16 }; // channels whose weights are turned at once

// A group's weights of tap t for columns [column, column + LANES) and channels [k, k + deep): to[k][LANES], zeros past
// the last.
static void turn(const lt_conv_plan *p, int64_t group, int64_t tap, int64_t column, int64_t k, int64_t deep, float *to)
{
    const float *w = p->weight + group * p->weight_group + p->phase->tap[tap].index * p->weight_tap +
                     column * p->weight_n + k * p->weight_k;
    const int64_t real = lt_min_i64(LT_LANES, p->columns - column);
    if (real < LT_LANES)
        memset(to, 0, (size_t)(deep * LT_LANES) * sizeof(float));
    if (p->weight_n == 1)
        for (int64_t i = 0; i < deep; i++)
            memcpy(to + i * LT_LANES, w + i * p->weight_k, (size_t)real * sizeof(float));
    else
        lt_transpose(w, p->weight_n, real, deep, 1, to, LT_LANES);
    if (lt_precision() == LT_PRECISION_ROUNDED)
        lt_round_floats(to, deep * LT_LANES, to);
}

// One item: a group, a vector of its columns and DEEP channels.
static void weight_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    const int64_t deeps = (p->k + DEEP - 1) / DEEP, step = j->weight_step, items = j->width / LT_LANES * deeps;
    const lt_conv_tap *tap = p->phase->tap;
    for (int64_t item = begin; item < end; item++) {
        const int64_t group = item / items, column = item % items / deeps * LT_LANES, first = item % deeps * DEEP;
        const int64_t deep = lt_min_i64(DEEP, p->k - first), panel = column / LT_NR_MAX * LT_NR_MAX;
        const int64_t width = lt_panel_vectors(panel, j->width) * LT_LANES;
        float taps[9][DEEP * LT_LANES];
        lt_vec mark = {0};
        for (int t = 0; t < 9; t++) {
            float *to = taps[(tap[t].dy - j->source.top) * 3 + tap[t].dx - j->source.left];
            turn(p, group, t, column, first, deep, to);
            for (int64_t k = 0; k < deep; k++)
                mark = lt_wino_mark(mark, ((const lt_vec_u *)to)[k]);
        }
        lt_wino_set(j->extreme_weight, mark);
        for (int64_t k = 0; k < deep; k++) {
            lt_vec half[6][3], u[6];
            for (int x = 0; x < 3; x++) {
                lt_vec g[3];
                for (int y = 0; y < 3; y++)
                    g[y] = ((const lt_vec_u *)taps[3 * y + x])[k];
                lt_wino_weight(g, u);
                for (int y = 0; y < 6; y++)
                    half[y][x] = u[y];
            }
            float *to = j->weight + (group * j->width + panel) * p->k + (first + k) * width + column - panel;
            for (int y = 0; y < 6; y++) {
                lt_wino_weight(half[y], u);
                for (int x = 0; x < 6; x++, to += step)
                    *(lt_vec_u *)to = u[x];
            }
        }
    }
}

// ---- products ------------------------------------------------------------------------------------------------------

static void product(const float *v, int64_t ldv, const float *u, int64_t k, int64_t count, float *m, int64_t ldm,
                    int nv)
{
#define TILES(mr, vectors)                                                                                             \
    for (int64_t i = 0; i < count; i += mr)                                                                            \
    lt_wino_product(v + i * ldv, ldv, 1, u, vectors * LT_LANES, k, m + i * ldm, ldm, false, mr, vectors)
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

// One panel, counted through all groups, of one frequency: `count` tiles of v times the weights, into m.
static void panel_product(const job *j, int64_t frequency, int64_t panel, int64_t count, const float *v, float *m)
{
    const int64_t k = j->p->k, group = panel / j->panels, column = panel % j->panels * LT_NR_MAX;
    const int64_t from = group * j->width + column;
    product(v + frequency * j->v_step + group * k, j->source.c, j->weight + frequency * j->weight_step + from * k, k,
            count, m + frequency * j->m_step + from, j->row, lt_panel_vectors(column, j->width));
}

// ---- back to pictures ----------------------------------------------------------------------------------------------

// A vector of channels of one tile, rows x columns of its pixels lying inside of the picture; `whole`: all 4x4.
// `constant` is added to all pixels, `add` (NULL: none) has a value for each, where `to` has the result.
LT_INLINE void output_vector(const float *m, int64_t step, const lt_vec *constant, const float *add, float *to,
                             int64_t line, int64_t pixel, int64_t rows, int64_t columns, const bool whole)
{
    lt_vec half[4][6];
    for (int x = 0; x < 6; x++) {
        lt_vec d[6], y[4];
        for (int i = 0; i < 6; i++)
            d[i] = *(const lt_vec_u *)(m + (6 * i + x) * step);
        lt_wino_output(d, y);
        for (int i = 0; i < 4; i++)
            half[i][x] = y[i];
    }
    for (int i = 0; i < 4; i++) {
        lt_vec y[4];
        lt_wino_output(half[i], y);
        for (int x = 0; x < 4; x++)
            if (whole || (i < rows && x < columns)) {
                y[x] += *constant;
                if (add)
                    y[x] += *(const lt_vec_u *)(add + i * line + x * pixel);
                *(lt_vec_u *)(to + i * line + x * pixel) = y[x];
            }
    }
}

static void output_tiles(const job *j, int64_t begin, int64_t end, const float *m)
{
    const lt_conv_plan *p = j->p;
    const lt_conv_terms terms = p->terms;
    const int64_t c = p->dest_c, line = p->dest_w * c, step = j->m_step;
    for (int64_t tile = begin; tile < end; tile++, m += j->row) {
        const int64_t tx = tile % j->source.tiles_w, ty = tile / j->source.tiles_w % j->source.tiles_h;
        const int64_t n = tile / (j->source.tiles_w * j->source.tiles_h);
        const int64_t rows = p->dest_h - ty * LT_WINO_SIDE, columns = p->dest_w - tx * LT_WINO_SIDE;
        const int64_t first = (n * p->dest_h + ty * LT_WINO_SIDE) * line + tx * LT_WINO_SIDE * c;
        for (int64_t at = 0; at < c; at += LT_LANES) {
            const int64_t channel = lt_wino_channel(at, c);
            const float *add = terms.add ? terms.add + first + channel : NULL;
            float *to = p->dest + first + channel;
            lt_vec constant = {0};
            if (terms.bias)
                constant = *(const lt_vec_u *)(terms.bias + channel);
            if (terms.shift)
                constant += *(const lt_vec_u *)(terms.shift + n * c + channel);
            if (rows >= LT_WINO_SIDE && columns >= LT_WINO_SIDE)
                output_vector(m + channel, step, &constant, add, to, line, c, 4, 4, true);
            else
                output_vector(m + channel, step, &constant, add, to, line, c, rows, columns, false);
        }
    }
}

// ---- the three steps, block by block -------------------------------------------------------------------------------

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
    float *v = j->scratch + lt_thread_index() * j->area, *m = v + LT_WINO_FREQUENCIES * j->v_step;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * j->block, last = lt_min_i64(first + j->block, j->tiles);
        lt_wino_tiles(&j->source, first, last, v, j->v_step, 6);
        if (all_extreme(j, first, last))
            continue;
        for (int64_t f = 0; f < LT_WINO_FREQUENCIES; f++)
            for (int64_t panel = 0; panel < j->p->groups * j->panels; panel++)
                panel_product(j, f, panel, last - first, v, m);
        output_tiles(j, first, last, m);
    }
}

static void shared_input(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_wino_tiles(&j->source, j->first + begin, j->first + end, j->scratch + begin * j->source.c, j->v_step, 6);
}

// One item: a strip of tiles, a panel, a frequency.
static void shared_products(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t strips = (j->count + STRIP - 1) / STRIP, panels = j->p->groups * j->panels;
    float *m = j->scratch + LT_WINO_FREQUENCIES * j->v_step;
    for (int64_t item = begin; item < end; item++) {
        const int64_t tile = item % strips * STRIP, rest = item / strips;
        panel_product(j, rest / panels, rest % panels, lt_min_i64(STRIP, j->count - tile),
                      j->scratch + tile * j->source.c, m + tile * j->row);
    }
}

static void shared_output(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    output_tiles(j, j->first + begin, j->first + end, j->scratch + LT_WINO_FREQUENCIES * j->v_step + begin * j->row);
}

static void run(job *j, bool shared)
{
    const lt_conv_plan *p = j->p;
    lt_parallel(j->row / LT_LANES * ((p->k + DEEP - 1) / DEEP), 4, weight_piece, j);
    if (lt_wino_is_set(j->extreme_weight))
        return;
    if (!shared) {
        lt_parallel((j->tiles + j->block - 1) / j->block, 1, block_piece, j);
        return;
    }
    for (j->first = 0; j->first < j->tiles; j->first += j->block) {
        j->count = lt_min_i64(j->block, j->tiles - j->first);
        lt_parallel(j->count, 8, shared_input, j);
        if (all_extreme(j, j->first, j->first + j->count))
            continue;
        lt_parallel((j->count + STRIP - 1) / STRIP * p->groups * j->panels * LT_WINO_FREQUENCIES, 1, shared_products,
                    j);
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
    if (lt_wino_is_set(j->extreme_weight))
        return direct(j->p, 0, n);
    for (int64_t first = 0, end; first < n; first = end) {
        end = lt_wino_stretch(extreme, first, n);
        if (lt_wino_is_set(&extreme[first]) && direct(j->p, first, end) != LT_OK)
            return LT_FAIL;
    }
    return LT_OK;
}

int LT_NAME(lt_conv_winograd)(const lt_conv_plan *p)
{
    const lt_conv_tap *tap = p->phase->tap;
    job j = {.p = p,
             .source = {.first = p->source,
                        .h = p->source_h,
                        .w = p->source_w,
                        .c = p->source_c,
                        .top = lt_min_i64(tap[0].dy, tap[8].dy),
                        .left = lt_min_i64(tap[0].dx, tap[8].dx),
                        .tiles_h = (p->dest_h + LT_WINO_SIDE - 1) / LT_WINO_SIDE,
                        .tiles_w = (p->dest_w + LT_WINO_SIDE - 1) / LT_WINO_SIDE},
             .width = lt_panel_room(p->columns)};
    j.tiles = p->n * j.source.tiles_h * j.source.tiles_w;
    j.panels = (p->columns + LT_NR_MAX - 1) / LT_NR_MAX;
    j.row = p->groups * j.width;
    const int64_t a_tile = LT_WINO_FREQUENCIES * (p->source_c + j.row) * (int64_t)sizeof(float);
    const bool shared = STEP * a_tile > MOST_BYTES;
    const int64_t most = lt_max_i64(STEP, (shared ? SHARED_BYTES : OWN_BYTES) / a_tile / STEP * STEP);
    const int64_t blocks = (j.tiles + most - 1) / most;
    j.block = ((j.tiles + blocks - 1) / blocks + STEP - 1) / STEP * STEP;
    j.v_step = lt_wino_step(j.block, p->source_c);
    j.m_step = lt_wino_step(j.block, j.row);
    j.area = LT_WINO_FREQUENCIES * (j.v_step + j.m_step);
    j.weight_step = lt_wino_step(p->k, j.row);
    j.weight = lt_alloc((size_t)(LT_WINO_FREQUENCIES * j.weight_step) * sizeof(float));
    j.scratch = lt_alloc((size_t)(j.area * (shared ? 1 : lt_threads())) * sizeof(float));
    float *zeros = lt_alloc_zeroed((size_t)(p->source_w * p->source_c) * sizeof(float));
    lt_wino_flag *flags = lt_alloc_zeroed((size_t)(p->n + 1) * sizeof *flags);
    j.source.zeros = zeros;
    j.source.extreme = flags;
    j.extreme_weight = flags + p->n;
    bool fine = j.weight && j.scratch && zeros && flags;
    if (fine)
        run(&j, shared);
    lt_free(zeros);
    lt_free(j.weight);
    lt_free(j.scratch);
    fine = fine && extremes(&j) == LT_OK;
    lt_free(flags);
    return fine ? LT_OK : LT_FAIL;
}
