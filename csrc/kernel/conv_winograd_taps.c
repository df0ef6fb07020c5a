// The weights of convolutions that go Winograd's way (see conv_winograd.h): transformed, and packed in panels of 64
// columns (see tile.h), [part][frequency][group][panel][k][vectors].
#include <string.h>

#include "base/threads.h"
#include "kernel/conv_winograd.h"
#include "kernel/panel.h"

enum { DEEP = 16 }; // channels whose weights are turned at once

// A group's weights of a tap for columns [column, column + LANES) and channels [k, k + deep): to[k][LANES], zeros past
// the last.
static void turn(const lt_conv_plan *p, int64_t group, int64_t tap, int64_t column, int64_t k, int64_t deep, float *to)
{
    const float *w = p->weight + group * p->weight_group + tap * p->weight_tap + column * p->weight_n + k * p->weight_k;
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

// taps[y*(side - 3) + x][k][LANES], k < deep, into to[(y*side + x)*step + k*width].
LT_INLINE void transform(float (*taps)[DEEP * LT_LANES], int64_t deep, float *to, int64_t width, int64_t step,
                         const int side)
{
    for (int64_t k = 0; k < deep; k++) {
        lt_vec half[6][3], u[6];
        for (int x = 0; x < side - 3; x++) {
            lt_vec g[3];
            for (int y = 0; y < side - 3; y++)
                g[y] = ((const lt_vec_u *)taps[(side - 3) * y + x])[k];
            lt_wino_weight(g, u, side);
            for (int y = 0; y < side; y++)
                half[y][x] = u[y];
        }
        float *out = to + k * width;
        for (int y = 0; y < side; y++) {
            lt_wino_weight(half[y], u, side);
            for (int x = 0; x < side; x++, out += step)
                *(lt_vec_u *)out = u[x];
        }
    }
}

// One item: a part, a group, a vector of its columns and DEEP channels.
static void piece(void *context, int64_t begin, int64_t end)
{
    const lt_wino_weights *j = context;
    const lt_conv_plan *p = j->p;
    const int64_t deeps = (p->k + DEEP - 1) / DEEP, items = j->width / LT_LANES * deeps, side = j->side;
    for (int64_t item = begin; item < end; item++) {
        const int64_t part = item / (p->groups * items), group = item / items % p->groups;
        const int64_t column = item % items / deeps * LT_LANES, first = item % deeps * DEEP;
        const int64_t deep = lt_min_i64(DEEP, p->k - first), panel = column / LT_NR_MAX * LT_NR_MAX;
        const int64_t width = lt_panel_vectors(panel, j->width) * LT_LANES;
        float taps[9][DEEP * LT_LANES];
        lt_vec mark = {0};
        for (int64_t t = 0; t < (side - 3) * (side - 3); t++) {
            turn(p, group, j->part[part].tap[t], column, first, deep, taps[t]);
            for (int64_t k = 0; k < deep; k++)
                mark = lt_wino_mark(mark, ((const lt_vec_u *)taps[t])[k]);
        }
        lt_wino_set(j->extreme, mark);
        float *to =
            j->to + part * side * side * j->step + (group * j->width + panel) * p->k + first * width + column - panel;
        if (side == 6)
            transform(taps, deep, to, width, j->step, 6);
        else
            transform(taps, deep, to, width, j->step, 5);
    }
}

void LT_NAME(lt_wino_transform_weights)(const lt_wino_weights *j)
{
    const lt_conv_plan *p = j->p;
    lt_parallel(j->parts * p->groups * j->width / LT_LANES * ((p->k + DEEP - 1) / DEEP), 4, piece, (void *)j);
}
