// The weight gradient by Winograd's way, F(3x3, 4x4) or, for 4x4 taps with stride 2, four times F(2x2, 4x4), with the
// points of conv_winograd_points.h: the adjoint of the forward transforms. Tiles of x are transformed as in forward,
// tiles of dy by the adjoint of the output's transform; the products of a group sum over tiles,
// sums[frequency][group][out][part][in]; the adjoint of the weights' transform makes the gradient of them.
//
// Tiles are taken in blocks of a few megabytes that all threads share and that the last-level cache holds: they
// transform, then each takes items of the products (a frequency, a panel of x's channels, a strip of dy's), so that
// every sum has one owner and is added to block by block, in order, on any number of threads. Long sums in registers
// matter more here than the nearest cache: sums are read and written once a block.
//
// The sums are over all pictures: those that hold extremes, in x or dy, are left out of them and added the direct way.
// That one is extreme shows when some are summed already; then all are looked through, and it begins anew.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_winograd.h"

// A block's part of a panel of x, read again for every tile of the products, stays in the nearest cache, together with
// its rows of dy. AVX-512 has panels four times as wide, and caches beyond it that keep up.
#if defined(__AVX512F__)
enum { MOST = 1 << 20 };
#else
enum { MOST = 144 };
#endif

// ROWS: a multiple of every height of a product's tile (6, 8, 12), so that whole tiles fit the sums.
enum { BLOCK_BYTES = 8 << 20, FEWEST = 48, CHUNK = 8, ROWS = 24, STRIP = 2 * ROWS };

typedef struct {
    const lt_conv_shape *s;
    lt_wino_pictures x, dy;
    int64_t block, first, count; // tiles of a block; the block in work
    bool begun;                  // is there anything in the sums?
    float *x_tiles, *dy_tiles;   // [frequency][tile][channel]
    float *sums;
    float *dweight;
    int64_t side, frequencies, taps, parts, x_row;
    lt_wino_part part[LT_WINO_PARTS]; // of x
    int64_t ins, outs, rows, width; // of a group: channels of x and all its parts, of dy; rows and columns of its sums
    int64_t x_step, dy_step, sums_step, panels, strips;
} job;

static void transform_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t first = j->first + begin, last = j->first + end;
    const lt_wino_part whole = {0};
    float *dy = j->dy_tiles + begin * j->dy.c;
    if (j->side == 6)
        lt_wino_tiles(&j->dy, &whole, first, last, dy, j->dy.c, j->dy_step, 4, 6);
    else
        lt_wino_tiles(&j->dy, &whole, first, last, dy, j->dy.c, j->dy_step, 4, 5);
    for (int64_t part = 0; part < j->parts; part++) {
        float *x = j->x_tiles + begin * j->x_row + part * j->x.c;
        if (j->side == 6)
            lt_wino_tiles(&j->x, &j->part[part], first, last, x, j->x_row, j->x_step, 6, 6);
        else
            lt_wino_tiles(&j->x, &j->part[part], first, last, x, j->x_row, j->x_step, 5, 5);
    }
}

// Rows and columns past the last channel sum what lies there; they are never read.
static void product(const float *dy, int64_t cout, int64_t rows, const float *x, int64_t cin, int64_t count,
                    float *sums, int64_t width, bool add, int mr, int nv)
{
#define TILES(m, n)                                                                                                    \
    if (mr == m && nv == n) {                                                                                          \
        for (int64_t o = 0; o < rows; o += m)                                                                          \
            lt_wino_product(dy + o, 1, cout, x, cin, count, sums + o * width, width, add, m, n);                       \
        return;                                                                                                        \
    }
#if defined(__AVX512F__)
    TILES(6, 4)
    TILES(8, 3)
    TILES(8, 2)
    TILES(12, 2)
#elif defined(LT_NEON)
    TILES(6, 4)
    TILES(6, 3)
    TILES(8, 2)
#else
    TILES(6, 2)
#endif
    TILES(8, 1)
    TILES(12, 1)
#undef TILES
}

static void product_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_shape *s = j->s;
    for (int64_t item = begin; item < end; item++) {
        const int64_t column = item % j->panels * LT_NR_MAX, o = item / j->panels % j->strips * STRIP;
        const int64_t group = item / (j->panels * j->strips) % s->groups;
        const int64_t f = item / (j->panels * j->strips * s->groups), rows = lt_min_i64(STRIP, j->outs - o);
        const int nv = lt_panel_vectors(column, j->ins);
        product(j->dy_tiles + f * j->dy_step + group * j->outs + o, j->dy.c, rows,
                j->x_tiles + f * j->x_step + group * j->ins + column, j->x_row, j->count,
                j->sums + f * j->sums_step + (group * j->rows + o) * j->width + column, j->width, j->begun,
                lt_outer_height(nv, rows), nv);
    }
}

// A vector of channels of one filter and part: to[tap*cin] from from[frequency*step].
LT_INLINE void weight_vector(const float *from, int64_t step, const int32_t *tap, float *to, int64_t cin,
                             const int side)
{
    lt_vec half[3][6], g[3];
    for (int x = 0; x < side; x++) {
        lt_vec u[6];
        for (int y = 0; y < side; y++)
            u[y] = *(const lt_vec_u *)(from + (side * y + x) * step);
        lt_wino_weight_adjoint(u, g, side);
        for (int y = 0; y < side - 3; y++)
            half[y][x] = g[y];
    }
    for (int y = 0; y < side - 3; y++) {
        lt_wino_weight_adjoint(half[y], g, side);
        for (int x = 0; x < side - 3; x++)
            *(lt_vec_u *)(to + tap[(side - 3) * y + x] * cin) = g[x];
    }
}

// One item: an output channel.
static void weight_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t cin = j->ins / j->parts;
    for (int64_t o = begin; o < end; o++) {
        const float *from = j->sums + (o / j->outs * j->rows + o % j->outs) * j->width;
        float *to = j->dweight + o * j->taps * cin;
        for (int64_t part = 0; part < j->parts; part++, from += cin)
            for (int64_t at = 0; at < cin; at += LT_LANES) {
                const int64_t channel = lt_wino_channel(at, cin);
                const int32_t *tap = j->part[part].tap;
                if (j->side == 6)
                    weight_vector(from + channel, j->sums_step, tap, to + channel, cin, 6);
                else
                    weight_vector(from + channel, j->sums_step, tap, to + channel, cin, 5);
            }
    }
}

// Adds pictures [from, to) to the sums; false, and the sums are half of it, where one of them turns out extreme.
static bool add_pictures(job *j, int64_t from, int64_t to)
{
    const int64_t a_picture = j->x.tiles_h * j->x.tiles_w, end = to * a_picture;
    for (j->first = from * a_picture; j->first < end; j->first += j->block) {
        j->count = lt_min_i64(j->block, end - j->first);
        lt_parallel(j->count, CHUNK, transform_piece, j);
        for (int64_t n = j->first / a_picture; n <= (j->first + j->count - 1) / a_picture; n++)
            if (lt_wino_is_set(&j->x.extreme[n]))
                return false;
        lt_parallel(j->frequencies * j->s->groups * j->strips * j->panels, 1, product_piece, j);
        j->begun = true;
    }
    return true;
}

// Whole vectors; the last one may repeat some of the one before it.
static lt_vec look(const float *x, int64_t n, lt_vec mark)
{
    for (int64_t i = 0; i < n; i += LT_LANES)
        mark = lt_wino_mark(mark, *(const lt_vec_u *)(x + lt_min_i64(i, n - LT_LANES)));
    return mark;
}

static void look_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t x = j->x.h * j->x.w * j->x.c, dy = j->dy.h * j->dy.w * j->dy.c;
    for (int64_t n = begin; n < end; n++)
        lt_wino_set(&j->x.extreme[n], look(j->dy.first + n * dy, dy, look(j->x.first + n * x, x, (lt_vec){0})));
}

// Adds pictures [first, last) to dweight the direct way; `sum` has dweight's size.
static int add_direct(const job *j, int64_t first, int64_t last, float *sum)
{
    lt_conv_shape s = *j->s;
    s.n = last - first;
    const int64_t xs = s.n * s.h * s.w * s.cin, dys = s.n * s.oh * s.ow * s.cout,
                  size = s.cout * j->taps * s.cin / s.groups;
    const float *x = j->x.first + first * s.h * s.w * s.cin, *dy = j->dy.first + first * s.oh * s.ow * s.cout;
    float *copy = NULL;
    if (lt_precision() == LT_PRECISION_ROUNDED) {
        if (!(copy = lt_alloc((size_t)(xs + dys) * sizeof(float))))
            return LT_FAIL;
        lt_round_floats(x, xs, copy);
        lt_round_floats(dy, dys, copy + xs);
        x = copy;
        dy = copy + xs;
    }
    const int status = LT_NAME(lt_conv_direct_weight)(&s, x, dy, sum);
    for (int64_t i = 0; status == LT_OK && i < size; i++)
        j->dweight[i] += sum[i];
    lt_free(copy);
    return status;
}

// Some pictures are extreme: the others, in stretches, and then those.
static int without_extremes(job *j)
{
    const lt_wino_flag *extreme = j->x.extreme;
    const int64_t n = j->s->n, size = j->s->cout * j->taps * j->s->cin / j->s->groups;
    lt_parallel(n, 1, look_piece, j);
    j->begun = false;
    for (int64_t first = 0, end; first < n; first = end) {
        end = lt_wino_stretch(extreme, first, n);
        if (!lt_wino_is_set(&extreme[first]))
            add_pictures(j, first, end);
    }
    if (j->begun)
        lt_parallel(j->s->cout, lt_grain(64 * j->ins), weight_piece, j);
    else
        memset(j->dweight, 0, (size_t)size * sizeof(float));
    float *sum = lt_alloc((size_t)size * sizeof(float));
    int status = sum ? LT_OK : LT_FAIL;
    for (int64_t first = 0, end; first < n && status == LT_OK; first = end) {
        end = lt_wino_stretch(extreme, first, n);
        if (lt_wino_is_set(&extreme[first]))
            status = add_direct(j, first, end, sum);
    }
    lt_free(sum);
    return status;
}

static int run(job *j)
{
    if (!add_pictures(j, 0, j->s->n))
        return without_extremes(j);
    lt_parallel(j->s->cout, lt_grain(64 * j->ins), weight_piece, j);
    return LT_OK;
}

// The parts of x: those of its pixels that meet the same taps of every (side - 3)th row and column.
static void cut_parts(job *j)
{
    const lt_conv_shape *s = j->s;
    const int64_t step = s->stride_h, across = s->kw / step;
    for (int64_t part = 0; part < step * step; part++) {
        lt_wino_part *to = &j->part[part];
        to->top = part / step - s->padding_h;
        to->left = part % step - s->padding_w;
        for (int64_t t = 0; t < across * across; t++)
            to->tap[t] = (int32_t)((t / across * step + part / step) * s->kw + t % across * step + part % step);
    }
    j->parts = step * step;
}

// Says how large everything is.
static void cut(job *j)
{
    const lt_conv_shape *s = j->s;
    const int64_t tiles = s->n * j->x.tiles_h * j->x.tiles_w;
    j->x_row = s->groups * j->ins;
    j->rows = (j->outs + ROWS - 1) / ROWS * ROWS;
    j->width = lt_panel_room(j->ins);
    j->panels = (j->ins + LT_NR_MAX - 1) / LT_NR_MAX;
    j->strips = (j->outs + STRIP - 1) / STRIP;
    const int64_t a_tile = j->frequencies * (j->x_row + j->dy.c) * (int64_t)sizeof(float);
    const int64_t most = lt_max_i64(FEWEST, lt_min_i64(MOST, BLOCK_BYTES / a_tile)), blocks = (tiles + most - 1) / most;
    j->block = ((tiles + blocks - 1) / blocks + CHUNK - 1) / CHUNK * CHUNK;
    j->x_step = lt_wino_step(j->block, j->x_row);
    j->dy_step = lt_wino_step(j->block, j->dy.c);
    j->sums_step = lt_wino_step(s->groups * j->rows, j->width);
}

int LT_NAME(lt_conv_winograd_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    const int64_t tiles_h = (s->oh + LT_WINO_OUT - 1) / LT_WINO_OUT, tiles_w = (s->ow + LT_WINO_OUT - 1) / LT_WINO_OUT;
    float *zeros = lt_alloc_zeroed((size_t)lt_max_i64(s->w * s->cin, s->ow * s->cout) * sizeof(float));
    lt_wino_flag *extreme = lt_alloc_zeroed((size_t)s->n * sizeof *extreme);
    job j = {.s = s,
             .dweight = dweight,
             .x = {x, extreme, s->h, s->w, s->cin, tiles_h, tiles_w, zeros, .step = s->stride_h},
             .dy = {dy, extreme, s->oh, s->ow, s->cout, tiles_h, tiles_w, zeros, .step = 1},
             .taps = s->kh * s->kw,
             .side = s->stride_h == 2 ? 5 : 6};
    cut_parts(&j);
    j.frequencies = j.side * j.side;
    j.ins = j.parts * s->cin / s->groups;
    j.outs = s->cout / s->groups;
    cut(&j);
    // Whole vectors are read of the last channels: of the last tile, past its end.
    j.x_tiles = lt_alloc((size_t)(j.frequencies * (j.x_step + j.dy_step) + LT_NR_MAX) * sizeof(float));
    j.sums = lt_alloc((size_t)(j.frequencies * j.sums_step) * sizeof(float));
    int status = LT_FAIL;
    if (zeros && extreme && j.x_tiles && j.sums) {
        j.dy_tiles = j.x_tiles + j.frequencies * j.x_step;
        status = run(&j);
    }
    lt_free(extreme);
    lt_free(zeros);
    lt_free(j.x_tiles);
    lt_free(j.sums);
    return status;
}
