// Rational-quadratic splines (Durkan et al. 2019, arXiv 1906.04032, eq. 4 to 8), LANES numbers side by side. In the bin
// of x, with width w, height h, slope s = h / w, derivatives d, e at its ends, p = (x - x0) / w and q = p (1 - p):
//
//   y = y0 + h N / B,   log y' = 2 log s + log A - 2 log B
//   N = s p^2 + d q,   B = s + (d + e - 2 s) q,   A = e p^2 + 2 s q + d (1 - p)^2
#include "kernel/spline.h"

#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/simd.h"

enum { LANES = 16, PIECE = 32 }; // numbers side by side; how many such groups are a piece of work

typedef float lanes[LANES];

#define EACH_LANE LT_VECTORIZE for (int l = 0; l < LANES; l++)

typedef struct {
    lanes x, inside;
    lanes width[LT_SPLINE_BINS], height[LT_SPLINE_BINS]; // parts of 1
    lanes bin;                                           // its number, from 0
    lanes x0, w, y0, h, d, e;
    lanes before_w, own_w, before_h, own_h; // parts: of all bins before, of the bin
    lanes said_d, said_e;                   // what d and e were made of
    lanes p;
} group;

static void softmax(int64_t k, const float *const row[LANES], lanes *part)
{
    lanes most, sum;
    EACH_LANE most[l] = row[l][0];
    for (int64_t j = 0; j < k; j++)
        EACH_LANE
        {
            part[j][l] = row[l][j];
            most[l] = part[j][l] > most[l] ? part[j][l] : most[l];
        }
    EACH_LANE sum[l] = 0;
    for (int64_t j = 0; j < k; j++)
        EACH_LANE
        {
            part[j][l] = lt_exp(part[j][l] - most[l]);
            sum[l] += part[j][l];
        }
    EACH_LANE sum[l] = 1.0f / sum[l];
    for (int64_t j = 0; j < k; j++)
        EACH_LANE part[j][l] *= sum[l];
}

// The bin that x is in, all it is made of, and where in it.
static void find(group *g, const lt_spline_settings *set)
{
    const int64_t k = set->bins;
    const float whole = 2 * set->bound, rest = (1 - set->least * (float)k) * whole, floor = set->least * whole;
    lanes left, low, seen_w, seen_h;
    EACH_LANE
    {
        left[l] = low[l] = -set->bound;
        seen_w[l] = seen_h[l] = 0;
    }
    for (int64_t j = 0; j < k; j++)
        EACH_LANE
        {
            const float own_w = g->width[j][l], own_h = g->height[j][l];
            const float w = floor + rest * own_w, h = floor + rest * own_h;
            const bool here = j == 0 || g->x[l] >= (set->inverse ? low[l] : left[l]);
            g->bin[l] = here ? (float)j : g->bin[l];
            g->x0[l] = here ? left[l] : g->x0[l];
            g->y0[l] = here ? low[l] : g->y0[l];
            g->w[l] = here ? w : g->w[l];
            g->h[l] = here ? h : g->h[l];
            g->own_w[l] = here ? own_w : g->own_w[l];
            g->own_h[l] = here ? own_h : g->own_h[l];
            g->before_w[l] = here ? seen_w[l] : g->before_w[l];
            g->before_h[l] = here ? seen_h[l] : g->before_h[l];
            left[l] += w;
            low[l] += h;
            seen_w[l] += own_w;
            seen_h[l] += own_h;
        }
}

static void place(group *g, const lt_spline_settings *set)
{
    EACH_LANE
    {
        float p = (g->x[l] - g->x0[l]) / g->w[l];
        if (set->inverse) {
            const float s = g->h[l] / g->w[l], rise = g->x[l] - g->y0[l], turn = rise * (g->d[l] + g->e[l] - 2 * s);
            const float b = g->h[l] * g->d[l] - turn, a = g->h[l] * (s - g->d[l]) + turn;
            const float inner = b * b + 4 * a * rise * s;
            p = 2 * rise * s / (b + sqrtf(inner > 1e-20f ? inner : 1e-20f));
        }
        g->p[l] = lt_clampf(p, 0, 1);
    }
}

// Reads up to LANES numbers; where there are fewer, the last one again.
static void read(group *g, const lt_spline_settings *set, int count, const float *x, const float *said)
{
    const int64_t k = set->bins, each = 3 * k - 1;
    const float *widths[LANES], *heights[LANES], *slopes[LANES];
    for (int l = 0; l < LANES; l++) {
        const int i = l < count ? l : count - 1;
        widths[l] = said + i * each;
        heights[l] = widths[l] + k;
        slopes[l] = heights[l] + k;
        g->inside[l] = fabsf(x[i]) <= set->bound ? 1.0f : 0.0f; // NaN is outside, and comes out as it is
        g->x[l] = g->inside[l] != 0 ? x[i] : 0.0f;
    }
    softmax(k, widths, g->width);
    softmax(k, heights, g->height);
    find(g, set);
    for (int l = 0; l < LANES; l++) {
        const int64_t b = (int64_t)g->bin[l];
        g->said_d[l] = b > 0 ? slopes[l][b - 1] : 0.0f;
        g->said_e[l] = b < k - 1 ? slopes[l][b] : 0.0f;
    }
    // So shifted that zeros mean a derivative of 1, which is that of the ends.
    const float shift = lt_log(lt_exp(1 - set->least) - 1);
    EACH_LANE
    {
        const float d = lt_softplus(g->said_d[l] + shift) + set->least;
        const float e = lt_softplus(g->said_e[l] + shift) + set->least;
        g->d[l] = g->bin[l] > 0 ? d : 1.0f;
        g->e[l] = g->bin[l] < (float)(k - 1) ? e : 1.0f;
        g->said_d[l] += shift;
        g->said_e[l] += shift;
    }
    place(g, set);
}

typedef struct {
    const lt_spline_settings *set;
    int64_t n;
    const float *x, *said, *dy, *dlogs;
    float *y, *logs, *dx, *dsaid;
} job;

static void forward_group(const job *j, int64_t first, int count)
{
    group g;
    lanes y, logs;
    read(&g, j->set, count, j->x + first, j->said + first * (3 * j->set->bins - 1));
    EACH_LANE
    {
        const float s = g.h[l] / g.w[l], p = g.p[l], q = p * (1 - p), d = g.d[l], e = g.e[l];
        const float below = s + (d + e - 2 * s) * q, a = e * p * p + 2 * s * q + d * (1 - p) * (1 - p);
        const float slope = lt_log(s * s * a) - 2 * lt_log(below);
        y[l] = j->set->inverse ? g.x0[l] + p * g.w[l] : g.y0[l] + g.h[l] * (s * p * p + d * q) / below;
        logs[l] = j->set->inverse ? -slope : slope;
    }
    for (int l = 0; l < count; l++) {
        j->y[first + l] = g.inside[l] != 0 ? y[l] : j->x[first + l];
        j->logs[first + l] = g.inside[l] != 0 ? logs[l] : 0.0f;
    }
}

// Gradients of gy * y + gl * log y' (x to y), with respect to x and to what the bin is made of.
typedef struct {
    lanes x, x0, w, y0, h, d, e;
} parts;

static void reverse(const group *g, const lanes gy, const lanes gl, parts *o)
{
    EACH_LANE
    {
        const float w = g->w[l], h = g->h[l], d = g->d[l], e = g->e[l], s = h / w;
        const float p = g->p[l], r = 1 - p, q = p * r, bend = d + e - 2 * s;
        const float num = s * p * p + d * q, below = s + bend * q, a = e * p * p + 2 * s * q + d * r * r;
        const float dnum = gy[l] * h / below, dbelow = -(gy[l] * h * num / below + 2 * gl[l]) / below, da = gl[l] / a;
        const float ds = 2 * gl[l] / s + dnum * p * p + 2 * da * q + dbelow * (1 - 2 * q);
        const float dq = dnum * d + 2 * da * s + dbelow * bend;
        const float dp = 2 * dnum * s * p + 2 * da * (e * p - d * r) + dq * (1 - 2 * p);
        o->d[l] = dnum * q + da * r * r + dbelow * q;
        o->e[l] = da * p * p + dbelow * q;
        o->h[l] = gy[l] * num / below + ds / w;
        o->w[l] = -(ds * s + dp * p) / w;
        o->x[l] = dp / w;
        o->x0[l] = -dp / w;
        o->y0[l] = gy[l];
    }
}

// The inverse x(y) satisfies y = f(x): its gradients are those of f, over -f', with that of log f' taken along.
static void reverse_inverse(const group *g, const lanes dy, const lanes dlogs, parts *o)
{
    lanes none = {0}, gl, gy, whole;
    EACH_LANE gl[l] = -dlogs[l];
    reverse(g, none, gl, o);
    EACH_LANE
    {
        const float s = g->h[l] / g->w[l], p = g->p[l], q = p * (1 - p), d = g->d[l], e = g->e[l];
        const float below = s + (d + e - 2 * s) * q, a = e * p * p + 2 * s * q + d * (1 - p) * (1 - p);
        whole[l] = (dy[l] + o->x[l]) * below * below / (s * s * a);
        gy[l] = -whole[l];
    }
    reverse(g, gy, gl, o);
    EACH_LANE o->x[l] = whole[l];
}

// From the gradients of a bin's start and size to those of all numbers that softmax made the sizes of.
static void write_parts(int64_t k, float rest, const lanes *part, const group *g, const lanes start, const lanes size,
                        const lanes before, const lanes own, int count, float *out, int64_t each)
{
    lanes mean;
    EACH_LANE mean[l] = start[l] * before[l] + size[l] * own[l];
    for (int64_t j = 0; j < k; j++) {
        lanes du;
        EACH_LANE
        {
            const float at = (float)j < g->bin[l] ? start[l] : (float)j == g->bin[l] ? size[l] : 0.0f;
            du[l] = g->inside[l] * rest * part[j][l] * (at - mean[l]);
        }
        for (int l = 0; l < count; l++)
            out[l * each + j] = du[l];
    }
}

static void backward_group(const job *j, int64_t first, int count)
{
    const lt_spline_settings *set = j->set;
    const int64_t k = set->bins, each = 3 * k - 1;
    const float rest = (1 - set->least * (float)k) * 2 * set->bound;
    group g;
    parts o;
    lanes dy = {0}, dlogs = {0}, dd, de;
    read(&g, set, count, j->x + first, j->said + first * each);
    for (int l = 0; l < count; l++) {
        dy[l] = j->dy[first + l];
        dlogs[l] = j->dlogs[first + l];
    }
    if (set->inverse)
        reverse_inverse(&g, dy, dlogs, &o);
    else
        reverse(&g, dy, dlogs, &o);
    for (int l = 0; l < count && j->dx; l++)
        j->dx[first + l] = g.inside[l] != 0 ? o.x[l] : dy[l];
    if (!j->dsaid)
        return;
    float *out = j->dsaid + first * each;
    write_parts(k, rest, g.width, &g, o.x0, o.w, g.before_w, g.own_w, count, out, each);
    write_parts(k, rest, g.height, &g, o.y0, o.h, g.before_h, g.own_h, count, out + k, each);
    EACH_LANE
    {
        dd[l] = g.inside[l] * o.d[l] * lt_sigmoid(g.said_d[l]);
        de[l] = g.inside[l] * o.e[l] * lt_sigmoid(g.said_e[l]);
    }
    for (int l = 0; l < count; l++) {
        float *slopes = out + l * each + 2 * k;
        const int64_t b = (int64_t)g.bin[l];
        for (int64_t i = 0; i < k - 1; i++)
            slopes[i] = 0;
        if (b > 0)
            slopes[b - 1] = dd[l];
        if (b < k - 1)
            slopes[b] = de[l];
    }
}

static void run(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * LANES, left = j->n - first;
        const int count = left < LANES ? (int)left : LANES;
        if (j->y)
            forward_group(j, first, count);
        else
            backward_group(j, first, count);
    }
}

static void forward(const lt_spline_settings *set, int64_t n, const float *x, const float *said, float *y, float *logs)
{
    lt_parallel((n + LANES - 1) / LANES, PIECE, run, &(job){set, n, x, said, .y = y, .logs = logs});
}

static void backward(const lt_spline_settings *set, int64_t n, const float *x, const float *said, const float *dy,
                     const float *dlogs, float *dx, float *dsaid)
{
    lt_parallel((n + LANES - 1) / LANES, PIECE, run, &(job){set, n, x, said, dy, dlogs, .dx = dx, .dsaid = dsaid});
}

const lt_spline_kernels LT_NAME(lt_spline) = {.forward = forward, .backward = backward};
