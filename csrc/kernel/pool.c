// Pooling. Forward works a row of output pixels at a time; adjoints a picture at a time, so that what overlapping
// windows add to one pixel is always added in the same order.
#include "kernel/pool.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/threads.h"
#include "kernel/isa.h"

typedef struct {
    const lt_pool_shape *s;
    const float *from;
    float *to;
    int32_t *index;
    const int32_t *at;
} job;

// The part of a window that lies inside: [*begin, *end) of `size`.
static void clip(int64_t o, int64_t stride, int64_t padding, int64_t k, int64_t size, int64_t *begin, int64_t *end)
{
    int64_t first = o * stride - padding;
    *begin = first < 0 ? 0 : first;
    *end = first + k < size ? first + k : size;
}

static void average_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pool_shape *s = j->s;
    const float share = 1.0f / (float)(s->kh * s->kw);
    for (int64_t r = begin; r < end; r++) {
        int64_t y0, y1, x0, x1;
        const float *picture = j->from + r / s->oh * s->h * s->w * s->c;
        clip(r % s->oh, s->stride_h, s->padding_h, s->kh, s->h, &y0, &y1);
        for (int64_t ox = 0; ox < s->ow; ox++) {
            float *y = j->to + (r * s->ow + ox) * s->c;
            clip(ox, s->stride_w, s->padding_w, s->kw, s->w, &x0, &x1);
            memset(y, 0, (size_t)s->c * sizeof(float));
            for (int64_t iy = y0; iy < y1; iy++)
                for (int64_t ix = x0; ix < x1; ix++) {
                    const float *x = picture + (iy * s->w + ix) * s->c;
                    for (int64_t c = 0; c < s->c; c++)
                        y[c] += x[c];
                }
            for (int64_t c = 0; c < s->c; c++)
                y[c] *= share;
        }
    }
}

static void average_adjoint_picture(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pool_shape *s = j->s;
    const float share = 1.0f / (float)(s->kh * s->kw);
    for (int64_t r = begin * s->oh; r < end * s->oh; r++) {
        int64_t y0, y1, x0, x1;
        float *picture = j->to + r / s->oh * s->h * s->w * s->c;
        if (r % s->oh == 0)
            memset(picture, 0, (size_t)(s->h * s->w * s->c) * sizeof(float));
        clip(r % s->oh, s->stride_h, s->padding_h, s->kh, s->h, &y0, &y1);
        for (int64_t ox = 0; ox < s->ow; ox++) {
            const float *dy = j->from + (r * s->ow + ox) * s->c;
            clip(ox, s->stride_w, s->padding_w, s->kw, s->w, &x0, &x1);
            for (int64_t iy = y0; iy < y1; iy++)
                for (int64_t ix = x0; ix < x1; ix++) {
                    float *dx = picture + (iy * s->w + ix) * s->c;
                    for (int64_t c = 0; c < s->c; c++)
                        dx[c] += share * dy[c];
                }
        }
    }
}

static void max_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pool_shape *s = j->s;
    for (int64_t r = begin; r < end; r++) {
        int64_t y0, y1, x0, x1;
        const float *picture = j->from + r / s->oh * s->h * s->w * s->c;
        clip(r % s->oh, s->stride_h, s->padding_h, s->kh, s->h, &y0, &y1);
        for (int64_t ox = 0; ox < s->ow; ox++) {
            float *y = j->to + (r * s->ow + ox) * s->c;
            int32_t *at = j->index + (r * s->ow + ox) * s->c;
            clip(ox, s->stride_w, s->padding_w, s->kw, s->w, &x0, &x1);
            for (int64_t c = 0; c < s->c; c++) {
                y[c] = -INFINITY;
                at[c] = (int32_t)(y0 * s->w + x0);
            }
            for (int64_t iy = y0; iy < y1; iy++)
                for (int64_t ix = x0; ix < x1; ix++) {
                    const float *x = picture + (iy * s->w + ix) * s->c;
                    const int32_t here = (int32_t)(iy * s->w + ix);
                    for (int64_t c = 0; c < s->c; c++) {
                        bool take = x[c] > y[c] || isnan(x[c]);
                        y[c] = take ? x[c] : y[c];
                        at[c] = take ? here : at[c];
                    }
                }
        }
    }
}

static void max_adjoint_picture(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pool_shape *s = j->s;
    for (int64_t n = begin; n < end; n++) {
        float *picture = j->to + n * s->h * s->w * s->c;
        memset(picture, 0, (size_t)(s->h * s->w * s->c) * sizeof(float));
        for (int64_t p = n * s->oh * s->ow; p < (n + 1) * s->oh * s->ow; p++)
            for (int64_t c = 0; c < s->c; c++)
                picture[j->at[p * s->c + c] * s->c + c] += j->from[p * s->c + c];
    }
}

static void max_gather_picture(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pool_shape *s = j->s;
    for (int64_t n = begin; n < end; n++) {
        const float *picture = j->from + n * s->h * s->w * s->c;
        for (int64_t p = n * s->oh * s->ow; p < (n + 1) * s->oh * s->ow; p++)
            for (int64_t c = 0; c < s->c; c++)
                j->to[p * s->c + c] = picture[j->at[p * s->c + c] * s->c + c];
    }
}

// Rows in a piece of work worth a thread.
static int64_t grain(const lt_pool_shape *s)
{
    return 1 + (int64_t)(16384 / ((double)s->ow * (double)s->c * (double)s->kh * (double)s->kw + 1));
}

static void average(const lt_pool_shape *s, const float *x, float *y)
{
    lt_parallel(s->n * s->oh, grain(s), average_row, &(job){.s = s, .from = x, .to = y});
}

static void average_adjoint(const lt_pool_shape *s, const float *dy, float *dx)
{
    lt_parallel(s->n, 1 + grain(s) / s->oh, average_adjoint_picture, &(job){.s = s, .from = dy, .to = dx});
}

static void max(const lt_pool_shape *s, const float *x, float *y, int32_t *index)
{
    lt_parallel(s->n * s->oh, grain(s), max_row, &(job){.s = s, .from = x, .to = y, .index = index});
}

static void max_adjoint(const lt_pool_shape *s, const float *dy, const int32_t *index, float *dx)
{
    lt_parallel(s->n, 1 + grain(s) / s->oh, max_adjoint_picture, &(job){.s = s, .from = dy, .to = dx, .at = index});
}

static void max_gather(const lt_pool_shape *s, const float *x, const int32_t *index, float *y)
{
    lt_parallel(s->n, 1 + grain(s) / s->oh, max_gather_picture, &(job){.s = s, .from = x, .to = y, .at = index});
}

const lt_pool_kernels LT_NAME(lt_pool) = {.average = average,
                                          .average_adjoint = average_adjoint,
                                          .max = max,
                                          .max_adjoint = max_adjoint,
                                          .max_gather = max_gather};
