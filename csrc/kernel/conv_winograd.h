// Winograd's convolution F(4x4, 3x3): transforms that forward, input gradient and weight gradient share. Private to
// csrc/kernel.
//
// In one dimension four outputs of three taps are y = A^T ((G g) * (B^T d)): six products for six inputs d in place of
// twelve. In two dimensions each matrix is applied to columns and to rows: 36 products in place of 144. The sum over
// channels is taken between the transforms, so it becomes 36 matrix products ("frequencies").
// Toom-Cook with the points 0, +-p, +-q, infinity: rows of A^T are the powers of the points; a row of G is (1, a, a^2)
// over the product of a's differences to the other finite points; a row of B^T is the polynomial that vanishes at every
// other point. With p = sqrt(1/2), q = sqrt(2) the rounding error is half that of the textbook's 1 and 2, about twice
// that of the direct sum. Opposite points share their even and odd halves.
//
// A tile is 4x4 outputs and the 6x6 inputs that they read; tiles of all pictures are counted in one row, picture by
// picture, line by line. Transformed tiles lie as [frequency][tile][channel]. Frequencies are a cache line more apart
// than a power of two, for 36 of them are written at once and would fall on the same sets of the cache.
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
#include "kernel/rounding.h"

enum { LT_WINO_SIDE = 4, LT_WINO_FREQUENCIES = 36, LT_WINO_RUN = 8 };

// Worth it: channels enough that the products outweigh the transforms, and not mostly tiles that stand out of the h x w
// outputs. With four tiles the transform of the weights already costs as much as is gained. cin and cout are of a
// group. Groups are transformed together and multiplied one by one, in whole vectors; direct products of so few
// channels leave registers empty, so groups as narrow as a vector are worth it.
LT_INLINE bool lt_wino_pays(int64_t n, int64_t h, int64_t w, int64_t groups, int64_t cin, int64_t cout)
{
    const int64_t tiles = n * ((h + LT_WINO_SIDE - 1) / LT_WINO_SIDE) * ((w + LT_WINO_SIDE - 1) / LT_WINO_SIDE);
    const bool enough =
        groups == 1 ? cin >= 32 && cout >= 32 : cin % LT_LANES == 0 && cout % LT_LANES == 0 && cin >= 16 && cout >= 16;
    return lt_convolution() == LT_CONVOLUTION_AUTO && enough && tiles >= 4 && n * h * w >= 6 * tiles;
}

// 3x3 taps without gaps, stride 1: what these transforms are for. In bfloat16 (see bf16.h) they round what they read.
LT_INLINE bool lt_wino_fits(const lt_conv_shape *s)
{
    return s->kh == 3 && s->kw == 3 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 && s->dilation_w == 1;
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

#define LT_WINO_P 0.70710678118654752f
#define LT_WINO_Q 1.41421356237309505f

// v = B^T d
LT_INLINE void lt_wino_input(const lt_vec *d, lt_vec *v)
{
    const lt_vec even_p = d[4] - 2.0f * d[2], odd_p = d[3] - 2.0f * d[1];
    const lt_vec even_q = d[4] - 0.5f * d[2], odd_q = d[3] - 0.5f * d[1];
    const lt_vec first = d[0] + d[4], last = d[1] + d[5];
    v[0] = first - 2.5f * d[2];
    v[1] = even_p + LT_WINO_P * odd_p;
    v[2] = even_p - LT_WINO_P * odd_p;
    v[3] = even_q + LT_WINO_Q * odd_q;
    v[4] = even_q - LT_WINO_Q * odd_q;
    v[5] = last - 2.5f * d[3];
}

// y = A^T m
LT_INLINE void lt_wino_output(const lt_vec *m, lt_vec *y)
{
    const lt_vec even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
    const lt_vec odd = odd_p + 2.0f * odd_q, even = even_p + 4.0f * even_q;
    const lt_vec cubes = odd_p + 8.0f * odd_q, both = even_p + even_q;
    y[0] = m[0] + both;
    y[1] = LT_WINO_P * odd;
    y[2] = 0.5f * even;
    y[3] = m[5] + 0.5f * LT_WINO_P * cubes;
}

// u = G g
LT_INLINE void lt_wino_weight(const lt_vec *g, lt_vec *u)
{
    const lt_vec even_p = -2.0f / 3 * g[0] - 1.0f / 3 * g[2], odd_p = -2.0f / 3 * LT_WINO_P * g[1];
    const lt_vec even_q = 1.0f / 6 * g[0] + 1.0f / 3 * g[2], odd_q = 1.0f / 6 * LT_WINO_Q * g[1];
    u[0] = g[0];
    u[1] = even_p + odd_p;
    u[2] = even_p - odd_p;
    u[3] = even_q + odd_q;
    u[4] = even_q - odd_q;
    u[5] = g[2];
}

// v = A d, the adjoint of lt_wino_output: what the gradient of the outputs becomes
LT_INLINE void lt_wino_output_adjoint(const lt_vec *d, lt_vec *v)
{
    const lt_vec even_p = d[0] + 0.5f * d[2], odd_p = d[1] + 0.5f * d[3];
    const lt_vec even_q = d[0] + 2.0f * d[2], odd_q = d[1] + 2.0f * d[3];
    v[0] = d[0];
    v[1] = even_p + LT_WINO_P * odd_p;
    v[2] = even_p - LT_WINO_P * odd_p;
    v[3] = even_q + LT_WINO_Q * odd_q;
    v[4] = even_q - LT_WINO_Q * odd_q;
    v[5] = d[3];
}

// g = G^T u, the adjoint of lt_wino_weight
LT_INLINE void lt_wino_weight_adjoint(const lt_vec *u, lt_vec *g)
{
    const lt_vec even_p = -2.0f / 3 * (u[1] + u[2]), odd_p = -2.0f / 3 * LT_WINO_P * (u[1] - u[2]);
    const lt_vec even_q = 1.0f / 6 * (u[3] + u[4]), odd_q = 1.0f / 6 * LT_WINO_Q * (u[3] - u[4]);
    const lt_vec both = even_p + even_q;
    g[0] = u[0] + both;
    g[1] = odd_p + odd_q;
    const lt_vec squares = 0.5f * even_p + 2.0f * even_q;
    g[2] = squares + u[5];
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

// Pictures that are cut into tiles: tile (i,j) starts at pixel (4i + top, 4j + left); outside of a picture is zero.
typedef struct {
    const float *first;
    lt_wino_flag *extreme; // a flag a picture
    int64_t h, w, c;       // c >= LT_LANES
    int64_t top, left;
    int64_t tiles_h, tiles_w;
    const float *zeros; // a line of a picture
} lt_wino_pictures;

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

// `count` neighbouring tiles of one line, of `size` pixels a side (6: inputs, 4: gradients of outputs), transformed
// into to[frequency*step + tile*c + channel]. Columns first, for neighbours share them; then the rows of each tile.
LT_INLINE void lt_wino_run(const lt_wino_pictures *s, int64_t n, int64_t i, int64_t j, int64_t count, float *to,
                           int64_t step, const int size)
{
    const int64_t y = i * LT_WINO_SIDE + s->top, x = j * LT_WINO_SIDE + s->left, h = s->h, w = s->w, c = s->c;
    const int64_t columns = (count - 1) * LT_WINO_SIDE + size, below = LT_WINO_SIDE * w * c;
    const bool rounds = lt_precision() == LT_PRECISION_ROUNDED;
    const int64_t from = lt_min_i64(columns, lt_max_i64(0, -x)), stop = lt_max_i64(from, lt_min_i64(columns, w - x));
    const float *row[6];
    lt_vec half[LT_WINO_RUN * LT_WINO_SIDE + 2][6], mark = {0};
    for (int r = 0; r < size; r++)
        row[r] = y + r >= 0 && y + r < h ? s->first + (n * h + y + r) * w * c : s->zeros;
    for (int64_t k = 0; k < columns; k++)
        if (k < from || k >= stop)
            memset(half[k], 0, sizeof half[k]);
    for (int64_t at = 0; at < c; at += LT_LANES) {
        const int64_t channel = lt_wino_channel(at, c);
        for (int64_t k = from, offset = (x + from) * c + channel; k < stop; k++, offset += c) {
            lt_vec d[6];
            for (int r = 0; r < size; r++)
                d[r] = *(const lt_vec_u *)(row[r] + offset);
            for (int r = 0; r < size; r++) // the line of tiles above has looked at the first two
                if (r >= size - LT_WINO_SIDE || i == 0)
                    mark = lt_wino_mark(mark, d[r]);
            if (rounds)
                for (int r = 0; r < size; r++)
                    d[r] = lt_round_vector(d[r]);
            for (int r = size - LT_WINO_SIDE; r < size; r++) // what the line of tiles below will read
                __builtin_prefetch(row[r] + offset + below);
            if (size == 6)
                lt_wino_input(d, half[k]);
            else
                lt_wino_output_adjoint(d, half[k]);
        }
        for (int64_t tile = 0; tile < count; tile++) {
            float *out = to + tile * c + channel;
            for (int r = 0; r < 6; r++) {
                lt_vec d[6], v[6];
                for (int k = 0; k < size; k++)
                    d[k] = half[tile * LT_WINO_SIDE + k][r];
                if (size == 6)
                    lt_wino_input(d, v);
                else
                    lt_wino_output_adjoint(d, v);
                for (int k = 0; k < 6; k++, out += step)
                    *(lt_vec_u *)out = v[k];
            }
        }
    }
    lt_wino_set(&s->extreme[n], mark);
}

// Tiles [begin, end), the first of them at to[0].
LT_INLINE void lt_wino_tiles(const lt_wino_pictures *s, int64_t begin, int64_t end, float *to, int64_t step,
                             const int size)
{
    while (begin < end) {
        const int64_t j = begin % s->tiles_w, i = begin / s->tiles_w % s->tiles_h;
        const int64_t n = begin / (s->tiles_w * s->tiles_h);
        const int64_t count = lt_min_i64(lt_min_i64(LT_WINO_RUN, s->tiles_w - j), end - begin);
        lt_wino_run(s, n, i, j, count, to, step, size);
        begin += count;
        to += count * s->c;
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
