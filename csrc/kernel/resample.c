// Resampling. Every routine fills whole rows of its result, reading what they need, so that rows can go to any thread.
#include "kernel/resample.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"

// Where an output coordinate reads: (1 - weight) * input[low] + weight * input[high].
typedef struct {
    int64_t low, high;
    float weight;
} tap;

typedef struct {
    const lt_resample_shape *s;
    const float *from;
    float *to;
    const tap *down, *across; // of oh rows, of ow columns
} job;

static void nearest_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_resample_shape *s = j->s;
    int64_t scale = s->ow / s->w;
    for (int64_t r = begin; r < end; r++) { // rows of x; each gives `scale` equal rows
        const float *x = j->from + r * s->w * s->c;
        float *y = j->to + r * (s->oh / s->h) * s->ow * s->c;
        for (int64_t ox = 0; ox < s->ow; ox++)
            memcpy(y + ox * s->c, x + ox / scale * s->c, (size_t)s->c * sizeof(float));
        for (int64_t i = 1; i < s->oh / s->h; i++)
            memcpy(y + i * s->ow * s->c, y, (size_t)(s->ow * s->c) * sizeof(float));
    }
}

static void nearest_adjoint_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_resample_shape *s = j->s;
    int64_t scale = s->ow / s->w, rows = s->oh / s->h;
    for (int64_t r = begin; r < end; r++) { // rows of dx
        float *dx = j->to + r * s->w * s->c;
        memset(dx, 0, (size_t)(s->w * s->c) * sizeof(float));
        for (int64_t i = 0; i < rows; i++) {
            const float *dy = j->from + (r * rows + i) * s->ow * s->c;
            for (int64_t ox = 0; ox < s->ow; ox++)
                for (int64_t c = 0; c < s->c; c++)
                    dx[ox / scale * s->c + c] += dy[ox * s->c + c];
        }
    }
}

// Output i lies at (i + 1/2) from / to - 1/2, here in units of 1 / (2 to), which are whole numbers. Where one input
// alone is read it is both, in halves: a weight of 0 would make NaN of an infinity beside it.
static void fill_taps(tap *t, int64_t from, int64_t to)
{
    for (int64_t i = 0; i < to; i++) {
        int64_t at = (2 * i + 1) * from - to;
        at = at < 0 ? 0 : at;
        const int64_t place = at / (2 * to), rest = at % (2 * to), low = place < from - 1 ? place : from - 1;
        const bool alone = low + 1 >= from || rest == 0;
        t[i] = (tap){.low = low,
                     .high = alone ? low : low + 1,
                     .weight = alone ? 0.5f : (float)((double)rest / (double)(2 * to))};
    }
}

static void bilinear_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_resample_shape *s = j->s;
    for (int64_t r = begin; r < end; r++) { // rows of y
        const tap v = j->down[r % s->oh];
        const float *picture = j->from + r / s->oh * s->h * s->w * s->c;
        const float *top = picture + v.low * s->w * s->c, *bottom = picture + v.high * s->w * s->c;
        for (int64_t ox = 0; ox < s->ow; ox++) {
            const tap u = j->across[ox];
            const float a = (1 - v.weight) * (1 - u.weight), b = (1 - v.weight) * u.weight;
            const float c = v.weight * (1 - u.weight), d = v.weight * u.weight;
            const int64_t left = u.low * s->c, right = u.high * s->c;
            float *y = j->to + (r * s->ow + ox) * s->c;
            for (int64_t i = 0; i < s->c; i++)
                y[i] = a * top[left + i] + b * top[right + i] + c * bottom[left + i] + d * bottom[right + i];
        }
    }
}

static void bilinear_adjoint_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_resample_shape *s = j->s;
    for (int64_t r = begin; r < end; r++) { // rows of dx
        int64_t iy = r % s->h;
        float *dx = j->to + r * s->w * s->c;
        memset(dx, 0, (size_t)(s->w * s->c) * sizeof(float));
        for (int64_t oy = 0; oy < s->oh; oy++) {
            const tap v = j->down[oy];
            const float down = (v.low == iy ? 1 - v.weight : 0) + (v.high == iy ? v.weight : 0);
            if (v.low != iy && v.high != iy)
                continue;
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const tap u = j->across[ox];
                const float *dy = j->from + ((r / s->h * s->oh + oy) * s->ow + ox) * s->c;
                for (int64_t i = 0; i < s->c; i++)
                    dx[u.low * s->c + i] += down * (1 - u.weight) * dy[i];
                for (int64_t i = 0; i < s->c; i++)
                    dx[u.high * s->c + i] += down * u.weight * dy[i];
            }
        }
    }
}

static int64_t grain(int64_t row)
{
    return 1 + 16384 / (row + 1);
}

static void nearest(const lt_resample_shape *s, const float *x, float *y)
{
    lt_parallel(s->n * s->h, grain(s->ow * s->c), nearest_row, &(job){.s = s, .from = x, .to = y});
}

static void nearest_adjoint(const lt_resample_shape *s, const float *dy, float *dx)
{
    lt_parallel(s->n * s->h, grain(s->ow * s->c), nearest_adjoint_row, &(job){.s = s, .from = dy, .to = dx});
}

static int with_taps(const lt_resample_shape *s, const float *from, float *to, int64_t rows, lt_piece piece)
{
    tap *t = lt_alloc((size_t)(s->oh + s->ow) * sizeof *t);
    if (!t)
        return LT_FAIL;
    fill_taps(t, s->h, s->oh);
    fill_taps(t + s->oh, s->w, s->ow);
    job j = {.s = s, .from = from, .to = to, .down = t, .across = t + s->oh};
    lt_parallel(rows, grain(s->ow * s->c), piece, &j);
    lt_free(t);
    return LT_OK;
}

static int bilinear(const lt_resample_shape *s, const float *x, float *y)
{
    return with_taps(s, x, y, s->n * s->oh, bilinear_row);
}

static int bilinear_adjoint(const lt_resample_shape *s, const float *dy, float *dx)
{
    return with_taps(s, dy, dx, s->n * s->h, bilinear_adjoint_row);
}

const lt_resample_kernels LT_NAME(lt_resample) = {
    .nearest = nearest, .nearest_adjoint = nearest_adjoint, .bilinear = bilinear, .bilinear_adjoint = bilinear_adjoint};
