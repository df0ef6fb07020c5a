// Winograd's convolution: what forward, input gradient and weight gradient share. Private to csrc/kernel.
//
// A tile is 4x4 outputs and the inputs that they read, `side` x side of them (transforms: conv_winograd_points.h). In
// two dimensions each transform is applied to columns and to rows; the sum over channels is taken between them, so it
// becomes side*side matrix products ("frequencies"). Two kinds of convolution go this way:
//
//   3x3 taps, stride 1   F(4x4, 3x3), side 6: 36 products in place of 144
//   4x4 taps, stride 2   The even and odd rows and columns of the pictures are four pictures, each met by 2x2 taps:
//                        F(4x4, 2x2), side 5. Forward sums these four "parts": 100 products in place of 256. The input
//                        gradient makes its even and odd rows and columns one by one, from 2x2 taps each; the
//                        weight gradient is that of four 2x2 kernels.
//
// Tiles of all pictures are counted in one row, picture by picture, line by line. Transformed tiles lie as
// [frequency][tile][channel]. Frequencies are a cache line more apart than a power of two, for all of them are
// written at once and would fall on the same sets of the cache.
//
// The transforms mix all inputs of a tile. So NaN would reach all of its outputs, infinities would meet as NaN, and
// every output has the rounding error of the tile's largest input, also where it does not read that one. Pictures that
// hold such extremes are found while they are transformed (lt_wino_mark) and go the direct way, each by itself: what
// becomes of a picture does not depend on the others of its batch. So do all pictures where the weights are extreme.
#ifndef LT_KERNEL_CONV_WINOGRAD_H
#define LT_KERNEL_CONV_WINOGRAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/settings.h"
#include "kernel/conv_shared.h"
#include "kernel/conv_winograd_points.h"
#include "kernel/rounding.h"

enum { LT_WINO_OUT = 4, LT_WINO_RUN = 8, LT_WINO_PARTS = 4 };

// Worth it: channels enough that the products outweigh the transforms, and not mostly tiles that stand out of the h x w
// outputs. With four tiles the transform of the weights already costs as much as is gained. cin and cout are of a
// group. Groups are transformed together and multiplied one by one, in whole vectors; direct products of so few
// channels leave registers empty, so groups as narrow as a vector are worth it.
LT_INLINE bool lt_wino_pays(int64_t n, int64_t h, int64_t w, int64_t groups, int64_t cin, int64_t cout)
{
    const int64_t tiles = n * ((h + LT_WINO_OUT - 1) / LT_WINO_OUT) * ((w + LT_WINO_OUT - 1) / LT_WINO_OUT);
    const bool enough =
        groups == 1 ? cin >= 32 && cout >= 32 : cin % LT_LANES == 0 && cout % LT_LANES == 0 && cin >= 16 && cout >= 16;
    return lt_convolution() == LT_CONVOLUTION_AUTO && enough && tiles >= 4 && n * h * w >= 6 * tiles;
}

// 3x3 taps without gaps, stride 1: what these transforms are for. In bfloat16 (see bf16.h) they round what they read.
LT_INLINE bool lt_wino_fits(const lt_conv_shape *s)
{
    return s->kh == 3 && s->kw == 3 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 && s->dilation_w == 1;
}

// The same of 4x4 taps with stride 2, for h x w outputs of forward, or even rows and columns of dx. Less is gained, and
// more weights are transformed: with 9 outputs a tile, or 16 channels, the direct way takes about as long.
LT_INLINE bool lt_wino_pays_strided(int64_t n, int64_t h, int64_t w, int64_t groups, int64_t cin, int64_t cout)
{
    const int64_t tiles = n * ((h + LT_WINO_OUT - 1) / LT_WINO_OUT) * ((w + LT_WINO_OUT - 1) / LT_WINO_OUT);
    return lt_convolution() == LT_CONVOLUTION_AUTO && groups == 1 && cin >= 32 && cout >= 32 && tiles >= 32 &&
           n * h * w >= 10 * tiles;
}

LT_INLINE bool lt_wino_takes_strided(const lt_conv_shape *s)
{
    return s->kh == 4 && s->kw == 4 && s->stride_h == 2 && s->stride_w == 2 && s->dilation_h == 1 &&
           s->dilation_w == 1 && lt_wino_pays_strided(s->n, s->oh, s->ow, s->groups, s->cin, s->cout);
}

// Does forward or weight gradient go this way; does the input gradient?
LT_INLINE bool lt_wino_takes(const lt_conv_shape *s)
{
    return lt_wino_fits(s) && lt_wino_pays(s->n, s->oh, s->ow, s->groups, s->cin / s->groups, s->cout / s->groups);
}

LT_INLINE bool lt_wino_takes_back(const lt_conv_shape *s)
{
    return lt_wino_fits(s) && lt_wino_pays(s->n, s->h, s->w, s->groups, s->cout / s->groups, s->cin / s->groups);
}

// Extreme is what is 512 or more, infinite or NaN: times 2^119 it is past the largest float, and infinity times 0 is
// NaN. A mark starts as 0 and is NaN in some lane once it has met an extreme.
LT_INLINE lt_vec lt_wino_mark(lt_vec mark, lt_vec x)
{
    return x * 0x1p119f * 0.0f + mark;
}

LT_INLINE bool lt_wino_marked(lt_vec mark)
{
    bool marked = false;
    for (int i = 0; i < LT_LANES; i++)
        marked |= mark[i] != mark[i];
    return marked;
}

// A picture's flag, which any thread may set.
typedef atomic_uchar lt_wino_flag;

LT_INLINE void lt_wino_set(lt_wino_flag *flag, lt_vec mark)
{
    if (lt_wino_marked(mark))
        atomic_store_explicit(flag, 1, memory_order_relaxed);
}

LT_INLINE bool lt_wino_is_set(const lt_wino_flag *flag)
{
    return atomic_load_explicit(flag, memory_order_relaxed) != 0;
}

// The end of the stretch of pictures, of n, that begins with `first` and whose flags are the same.
LT_INLINE int64_t lt_wino_stretch(const lt_wino_flag *flag, int64_t first, int64_t n)
{
    int64_t end = first + 1;
    while (end < n && lt_wino_is_set(&flag[end]) == lt_wino_is_set(&flag[first]))
        end++;
    return end;
}

// Where the tiles of a part begin: tile (i,j) with pixel (4*step*i + top, 4*step*j + left). tap: the kernel's taps that
// meet the part, by rows of side - 3.
typedef struct {
    int64_t top, left;
    int32_t tap[9];
} lt_wino_part;

// Pictures that are cut into tiles, whose inputs are `step` pixels apart; outside of a picture is zero.
typedef struct {
    const float *first;
    lt_wino_flag *extreme; // a flag a picture
    int64_t h, w, c;       // c >= LT_LANES
    int64_t tiles_h, tiles_w;
    const float *zeros; // a line of a picture
    int64_t step;
} lt_wino_pictures;

// The weights that meet so many parts, transformed: the panels of every part and frequency, which are `step` apart.
typedef struct {
    const lt_conv_plan *p;
    int64_t side, width; // columns of a group, in whole vectors
    int64_t parts;
    const lt_wino_part *part;
    float *to;
    int64_t step;
    lt_wino_flag *extreme; // set where a weight is extreme
} lt_wino_weights;
void LT_NAME(lt_wino_transform_weights)(const lt_wino_weights *j);

// Distance of frequencies of `rows` rows of `width` floats: an odd number of cache lines.
LT_INLINE int64_t lt_wino_step(int64_t rows, int64_t width)
{
    return ((rows * width + 15) / 16 | 1) * 16;
}

// Channels are taken a vector at a time; the last vector ends with the last channel and may repeat some of the one
// before it. Hence c >= LT_LANES, and no vector is ever partly filled.
LT_INLINE int64_t lt_wino_channel(int64_t at, int64_t channels)
{
    return lt_min_i64(at, channels - LT_LANES);
}

// `count` neighbouring tiles of one line of a part, of `size` pixels a side (side: inputs, 4: gradients of outputs),
// transformed into to[frequency*step + tile*width + channel]. Columns first, for neighbours share them; then the rows
// of each tile.
LT_INLINE void lt_wino_run(const lt_wino_pictures *s, const lt_wino_part *part, int64_t n, int64_t i, int64_t j,
                           int64_t count, float *to, int64_t width, int64_t step, const int size, const int side)
{
    const int64_t apart = s->step, h = s->h, w = s->w, c = s->c;
    const int64_t y = i * LT_WINO_OUT * apart + part->top, x = j * LT_WINO_OUT * apart + part->left;
    const int64_t columns = (count - 1) * LT_WINO_OUT + size, below = LT_WINO_OUT * apart * w * c;
    const bool rounds = lt_precision() == LT_PRECISION_ROUNDED;
    const int64_t from = lt_min_i64(columns, x < 0 ? (apart - 1 - x) / apart : 0);
    const int64_t stop = lt_max_i64(from, lt_min_i64(columns, x < w ? (w - x + apart - 1) / apart : 0));
    const float *row[6];
    lt_vec half[LT_WINO_RUN * LT_WINO_OUT + 2][6], mark = {0};
    for (int r = 0; r < size; r++) {
        const int64_t at = y + r * apart;
        row[r] = at >= 0 && at < h ? s->first + (n * h + at) * w * c : s->zeros;
    }
    for (int64_t k = 0; k < columns; k++)
        if (k < from || k >= stop)
            memset(half[k], 0, sizeof half[k]);
    for (int64_t at = 0; at < c; at += LT_LANES) {
        const int64_t channel = lt_wino_channel(at, c);
        for (int64_t k = from, offset = (x + from * apart) * c + channel; k < stop; k++, offset += apart * c) {
            lt_vec d[6];
            for (int r = 0; r < size; r++)
                d[r] = *(const lt_vec_u *)(row[r] + offset);
            for (int r = 0; r < size; r++) // the line of tiles above has looked at the first size - 4
                if (r >= size - LT_WINO_OUT || i == 0)
                    mark = lt_wino_mark(mark, d[r]);
            if (rounds)
                for (int r = 0; r < size; r++)
                    d[r] = lt_round_vector(d[r]);
            for (int r = size - LT_WINO_OUT; r < size; r++) // what the line of tiles below will read
                __builtin_prefetch(row[r] + offset + below);
            if (size == side)
                lt_wino_input(d, half[k], side);
            else
                lt_wino_output_adjoint(d, half[k], side);
        }
        for (int64_t tile = 0; tile < count; tile++) {
            float *out = to + tile * width + channel;
            for (int r = 0; r < side; r++) {
                lt_vec d[6], v[6];
                for (int k = 0; k < size; k++)
                    d[k] = half[tile * LT_WINO_OUT + k][r];
                if (size == side)
                    lt_wino_input(d, v, side);
                else
                    lt_wino_output_adjoint(d, v, side);
                for (int k = 0; k < side; k++, out += step)
                    *(lt_vec_u *)out = v[k];
            }
        }
    }
    lt_wino_set(&s->extreme[n], mark);
}

// Tiles [begin, end) of a part, the first of them at to[0], `width` apart.
LT_INLINE void lt_wino_tiles(const lt_wino_pictures *s, const lt_wino_part *part, int64_t begin, int64_t end, float *to,
                             int64_t width, int64_t step, const int size, const int side)
{
    while (begin < end) {
        const int64_t j = begin % s->tiles_w, i = begin / s->tiles_w % s->tiles_h;
        const int64_t n = begin / (s->tiles_w * s->tiles_h);
        const int64_t count = lt_min_i64(lt_min_i64(LT_WINO_RUN, s->tiles_w - j), end - begin);
        lt_wino_run(s, part, n, i, j, count, to, width, step, size, side);
        begin += count;
        to += count * width;
    }
}

#if defined(LT_NEON)
// The sums of lt_wino_product over the steps that go by lanes: all where the elements of a step lie side by side, else
// those that go in fours. Returns their number.
LT_INLINE int64_t lt_wino_neon(const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t b_step,
                               int64_t steps, lt_vec (*sum)[LT_NV_MAX], const int mr, const int nv)
{
    if (__builtin_constant_p(a_row)) { // 1, then; known where this is inlined
#pragma GCC unroll 4
        for (int64_t k = 0; k < steps; k++, a += a_step, b += b_step)
            lt_neon_outer(sum, a, b, mr, nv);
        return steps;
    }
    const float *row[LT_MR_MAX];
    for (int i = 0; i < mr; i++)
        row[i] = a + i * a_row;
    return lt_neon_rows(row, steps, b, sum, mr, nv);
}
#endif

// c[i*ldc + j] (+)= sum over k of a[i*a_row + k*a_step] b[k*b_step + j], i < mr, j < nv vectors.
LT_INLINE void lt_wino_product(const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t b_step,
                               int64_t steps, float *c, int64_t ldc, bool add, const int mr, const int nv)
{
    lt_vec sum[LT_MR_MAX][LT_NV_MAX];
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++)
            sum[i][j] = (lt_vec){0};
    int64_t k = 0;
#if defined(LT_NEON)
    k = lt_wino_neon(a, a_row, a_step, b, b_step, steps, sum, mr, nv);
    a += k * a_step;
    b += k * b_step;
#endif
    for (; k < steps; k++, a += a_step, b += b_step) {
        lt_vec bv[LT_NV_MAX];
        for (int j = 0; j < nv; j++)
            bv[j] = ((const lt_vec_u *)b)[j];
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nv; j++)
                sum[i][j] += a[i * a_row] * bv[j];
    }
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++) {
            lt_vec_u *to = (lt_vec_u *)(c + i * ldc) + j;
            *to = add ? sum[i][j] + *to : sum[i][j];
        }
}

#endif
