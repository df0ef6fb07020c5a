// Where the source rows of a block of pixels lie, tap by tap. Private to csrc/kernel.
#ifndef LT_KERNEL_CONV_ROWS_H
#define LT_KERNEL_CONV_ROWS_H

#include "kernel/conv_shared.h"
#include "kernel/tile.h"

enum { LT_CONV_PIXELS = 256 }; // most pixels of a block

// The picture that taps read.
typedef struct {
    const float *first; // first channel of the group, in the first picture
    int64_t h, w, c;    // c: channels of all groups, the distance between pixels
    int64_t k;          // channels of a group
    int64_t taps;
    const lt_conv_tap *tap;
    const float *zeros; // k of them: what the padding holds
} lt_conv_source;

typedef struct {
    int64_t count;
    int32_t y[LT_CONV_PIXELS], x[LT_CONV_PIXELS]; // source position of a tap at (0,0)
    const float *picture[LT_CONV_PIXELS];
} lt_conv_pixels;

// Pixels [begin, end) of the grids (grid_h x grid_w) of all pictures, one grid step being (step_h, step_w) source
// pixels. Then up to `padded` pixels that lie outside of everything.
static inline void lt_conv_locate(const lt_conv_source *s, int64_t begin, int64_t end, int64_t padded, int64_t grid_h,
                                  int64_t grid_w, int64_t step_h, int64_t step_w, lt_conv_pixels *p)
{
    int64_t gx = begin % grid_w, gy = begin / grid_w % grid_h, n = begin / (grid_w * grid_h);
    p->count = padded;
    for (int64_t i = 0; i < end - begin; i++) {
        p->y[i] = (int32_t)(gy * step_h);
        p->x[i] = (int32_t)(gx * step_w);
        p->picture[i] = s->first + n * s->h * s->w * s->c;
        if (++gx == grid_w) {
            gx = 0;
            if (++gy == grid_h) {
                gy = 0;
                n++;
            }
        }
    }
    for (int64_t i = end - begin; i < padded; i++) {
        p->y[i] = p->x[i] = -(1 << 30);
        p->picture[i] = s->first;
    }
}

// rows[tap*ld + i]: the source row of pixel i under a tap, or zeros.
static inline void lt_conv_point(const lt_conv_source *s, const lt_conv_pixels *p, const float **rows, int64_t ld)
{
    const uint32_t h = (uint32_t)s->h, w = (uint32_t)s->w;
    const int64_t row = s->w * s->c;
    for (int64_t t = 0; t < s->taps; t++, rows += ld) {
        const lt_conv_tap tap = s->tap[t];
        for (int64_t i = 0; i < p->count; i++) {
            int32_t y = p->y[i] + tap.dy, x = p->x[i] + tap.dx;
            int64_t offset = y * row + x * s->c;
            rows[i] = (uint32_t)y < h && (uint32_t)x < w ? p->picture[i] + offset : s->zeros;
        }
    }
}

// How many taps from t on read next to each other in one source row.
static inline int64_t lt_conv_run(const lt_conv_source *s, int64_t t)
{
    int64_t n = 1;
    if (s->c == s->k)
        while (t + n < s->taps && s->tap[t + n].dy == s->tap[t].dy && s->tap[t + n].dx == s->tap[t].dx + n)
            n++;
    return n;
}

// The rows of all taps copied side by side: rows[i] = room + i*width has taps*k values, then zeros.
static inline void lt_conv_gather(const lt_conv_source *s, const lt_conv_pixels *p, float *room, int64_t width,
                                  const float **rows)
{
    const int64_t k = s->k;
    for (int64_t i = 0; i < p->count; i++) {
        rows[i] = room + i * width;
        for (int64_t c = s->taps * k; c < width; c++)
            room[i * width + c] = 0;
    }
    for (int64_t t = 0, n; t < s->taps; t += n) {
        n = lt_conv_run(s, t);
        for (int64_t i = 0; i < p->count; i++) {
            const int64_t y = p->y[i] + s->tap[t].dy, x = p->x[i] + s->tap[t].dx;
            float *to = room + i * width + t * k;
            if (y < 0 || y >= s->h || x + n <= 0 || x >= s->w) {
                for (int64_t c = 0; c < n * k; c++)
                    to[c] = 0;
            } else if (x >= 0 && x + n <= s->w) {
                const float *from = p->picture[i] + (y * s->w + x) * s->c;
                for (int64_t c = 0; c < n * k; c++)
                    to[c] = from[c];
            } else {
                const float *row = p->picture[i] + y * s->w * s->c;
                for (int64_t m = 0; m < n; m++)
                    for (int64_t c = 0; c < k; c++)
                        to[m * k + c] = x + m >= 0 && x + m < s->w ? row[(x + m) * s->c + c] : 0;
            }
        }
    }
}

#endif
