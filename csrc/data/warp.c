#include "data/warp.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

#define FARTHEST 1e9 // pixels from the middle: what lies farther out is as far out as this

typedef struct {
    const float *x, *maps;
    float *out;
    int64_t h, w, c;
} warp;

// The four pixels around a place, by row and column, and how much of each; they may lie outside.
typedef struct {
    int64_t y, x;
    float weight;
} corner;

static int64_t held_within(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

// Corners that weigh nothing are left out, so that a move by whole pixels is exact. Returns how many are left.
static int corners_of(double y, double x, corner *out)
{
    double top = floor(y), left = floor(x);
    float below = (float)(y - top), right = (float)(x - left);
    int n = 0;
    for (int k = 0; k < 4; k++) {
        float weight = (k & 2 ? below : 1 - below) * (k & 1 ? right : 1 - right);
        if (weight > 0)
            out[n++] = (corner){(int64_t)top + (k >> 1), (int64_t)left + (k & 1), weight};
    }
    return n;
}

// to[k] = sum of weight x pixel, the nearest pixel of the edge standing for what lies outside.
static void mix(const warp *p, const float *picture, const corner *at, int n, float *to)
{
    for (int64_t k = 0; k < p->c; k++)
        to[k] = 0;
    for (int i = 0; i < n; i++) {
        const float *from = picture + (held_within(at[i].y, p->h) * p->w + held_within(at[i].x, p->w)) * p->c;
        for (int64_t k = 0; k < p->c; k++)
            to[k] += at[i].weight * from[k];
    }
}

// The same with alpha, which is in [0,1] here: alpha = sum of weight x alpha, colour = sum of weight x alpha x colour /
// alpha. Nothing lies outside.
static void mix_alpha(const warp *p, const float *picture, const corner *at, int n, float *to)
{
    int64_t colours = p->c - 1;
    float alpha = 0, share = 0;
    for (int64_t k = 0; k < colours; k++)
        to[k] = 0;
    for (int i = 0; i < n; i++) {
        if (at[i].y < 0 || at[i].y >= p->h || at[i].x < 0 || at[i].x >= p->w)
            continue;
        const float *from = picture + (at[i].y * p->w + at[i].x) * p->c;
        share = at[i].weight * (from[colours] + 1) / 2;
        alpha += share;
        for (int64_t k = 0; k < colours; k++)
            to[k] += share * from[k];
    }
    bool seen = alpha >= 0.5f / 255;
    for (int64_t k = 0; k < colours; k++)
        to[k] = seen ? to[k] / alpha : -1;
    to[colours] = seen ? 2 * alpha - 1 : -1;
}

static void warp_row(const warp *p, int64_t picture, int64_t row)
{
    const float *m = p->maps + 6 * picture, *from = p->x + picture * p->h * p->w * p->c;
    float *to = p->out + (picture * p->h + row) * p->w * p->c;
    double middle_x = (double)(p->w - 1) / 2, middle_y = (double)(p->h - 1) / 2, y = (double)row - middle_y;
    bool alpha = p->c == 2 || p->c == 4;
    for (int64_t column = 0; column < p->w; column++, to += p->c) {
        double x = (double)column - middle_x;
        double at_x = fmax(-FARTHEST, fmin(FARTHEST, m[0] * x + m[1] * y + m[2])) + middle_x;
        double at_y = fmax(-FARTHEST, fmin(FARTHEST, m[3] * x + m[4] * y + m[5])) + middle_y;
        corner at[4];
        int n = corners_of(at_y, at_x, at);
        bool whole = n == 1 && at[0].y >= 0 && at[0].y < p->h && at[0].x >= 0 && at[0].x < p->w;
        const float *pixel = from + (whole ? (at[0].y * p->w + at[0].x) * p->c : 0);
        if (whole && (!alpha || pixel[p->c - 1] >= 1.0f / 255 - 1))
            memcpy(to, pixel, (size_t)p->c * sizeof(float)); // as it is, to the last bit
        else if (alpha)
            mix_alpha(p, from, at, n, to);
        else
            mix(p, from, at, n, to);
    }
}

static void warp_piece(void *context, int64_t begin, int64_t end)
{
    const warp *p = context;
    for (int64_t i = begin; i < end; i++)
        warp_row(p, i / p->h, i % p->h);
}

static int check_warp(const lt_tensor *x, const lt_tensor *maps)
{
    if (lt_want_dtype(x, LT_FLOAT32, 1, "x") != LT_OK || lt_want_ndim(x, 4, 1, "x") != LT_OK ||
        lt_want_dtype(maps, LT_FLOAT32, 2, "maps") != LT_OK || lt_want_ndim(maps, 2, 2, "maps") != LT_OK)
        return LT_FAIL;
    if (maps->shape[0] != x->shape[0] || maps->shape[1] != 6)
        return lt_fail_arg(2, "maps: expected (%lld,6), got %s", (long long)x->shape[0], lt_shape_text(maps));
    for (int64_t i = 0; i < maps->size; i++)
        if (!isfinite(lt_f32(maps)[i]))
            return lt_fail_arg(2, "maps: expected finite numbers, got %g in row %lld", (double)lt_f32(maps)[i],
                               (long long)i / 6 + 1);
    return LT_OK;
}

lt_tensor *lt_warp_pictures(const lt_tensor *x, const lt_tensor *maps)
{
    if (check_warp(x, maps) != LT_OK)
        return NULL;
    lt_tensor *out = lt_tensor_new(LT_FLOAT32, 4, x->shape);
    if (!out)
        return NULL;
    warp p = {lt_f32(x), lt_f32(maps), lt_f32(out), x->shape[1], x->shape[2], x->shape[3]};
    int64_t row = p.w * p.c;
    if (out->size > 0)
        lt_parallel(x->shape[0] * p.h, 1 + (1 << 14) / row, warp_piece, &p);
    return out;
}
