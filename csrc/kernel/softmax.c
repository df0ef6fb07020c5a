// Softmax and its logarithm, forward and backward. inner = 1 is done line by line; otherwise up to WIDTH neighbouring
// columns go together, each vector lane being a softmax of its own.
#include "kernel/softmax.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/line_sum.h"

enum { WIDTH = 128, PIECE = 1 << 14, SHORT = 32, TOGETHER = 512 };

static float line_max(int64_t n, const float *x)
{
    float lane[LT_LINE_LANES], best = -INFINITY;
    int64_t i = 0;
    for (int j = 0; j < LT_LINE_LANES; j++)
        lane[j] = -INFINITY;
    for (; i + LT_LINE_LANES <= n; i += LT_LINE_LANES)
        for (int j = 0; j < LT_LINE_LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    for (int j = 0; j < LT_LINE_LANES; j++)
        best = lane[j] > best ? lane[j] : best;
    return best;
}

static void softmax_line(int64_t n, const float *x, const float *unused, float *y)
{
    const float m = line_max(n, x);
    float sum;
    LT_LINE_SUM(n, sum, y[i] = lt_exp(x[i] - m));
    const float scale = 1.0f / sum;
    for (int64_t i = 0; i < n; i++)
        y[i] *= scale;
}

static void log_softmax_line(int64_t n, const float *x, const float *unused, float *y)
{
    const float m = line_max(n, x);
    float sum;
    LT_LINE_SUM(n, sum, lt_exp(x[i] - m));
    const float shift = lt_log(sum);
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - m) - shift;
}

static void softmax_grad_line(int64_t n, const float *y, const float *dy, float *dx)
{
    float sum;
    LT_LINE_SUM(n, sum, y[i] * dy[i]);
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - sum);
}

static void log_softmax_grad_line(int64_t n, const float *y, const float *dy, float *dx)
{
    float sum;
    LT_LINE_SUM(n, sum, dy[i]);
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] - lt_exp(y[i]) * sum;
}

// ---- short lines: several go through one loop of exp
// ----------------------------------------------------------------------

static void short_lines(int64_t lines, int64_t n, const float *x, float *y, int log)
{
    float e[TOGETHER];
    const int64_t each = TOGETHER / n;
    for (int64_t first = 0; first < lines; first += each, x += each * n, y += each * n) {
        const int64_t now = lines - first < each ? lines - first : each;
        for (int64_t l = 0; l < now; l++) {
            float m = x[l * n];
            for (int64_t i = 1; i < n; i++)
                m = x[l * n + i] > m ? x[l * n + i] : m;
            for (int64_t i = 0; i < n; i++)
                y[l * n + i] = x[l * n + i] - m;
        }
        for (int64_t i = 0; i < now * n; i++)
            e[i] = lt_exp(y[i]);
        for (int64_t l = 0; l < now; l++) {
            float sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += e[l * n + i];
            const float shift = log ? lt_log(sum) : 0.0f, scale = 1.0f / sum;
            for (int64_t i = 0; i < n; i++)
                y[l * n + i] = log ? y[l * n + i] - shift : e[l * n + i] * scale;
        }
    }
}

// ---- the same for `width` columns side by side, `stride` floats from one row to the next
// -------------------------------

#define EACH(r, c, rows, width)                                                                                        \
    for (int64_t r = 0; r < (rows); r++)                                                                               \
    LT_VECTORIZE for (int64_t c = 0; c < (width); c++)

static void columns_max_sum(int64_t rows, int64_t width, int64_t stride, const float *x, float *m, float *sum)
{
    memcpy(m, x, (size_t)width * sizeof *x);
    EACH(r, c, rows, width)
    m[c] = x[r * stride + c] > m[c] ? x[r * stride + c] : m[c];
    memset(sum, 0, (size_t)width * sizeof *sum);
    EACH(r, c, rows, width)
    sum[c] += lt_exp(x[r * stride + c] - m[c]);
}

static void softmax_columns(int64_t rows, int64_t width, int64_t stride, const float *x, const float *unused, float *y)
{
    float m[WIDTH], sum[WIDTH];
    columns_max_sum(rows, width, stride, x, m, sum);
    for (int64_t c = 0; c < width; c++)
        sum[c] = 1.0f / sum[c];
    EACH(r, c, rows, width)
    y[r * stride + c] = lt_exp(x[r * stride + c] - m[c]) * sum[c];
}

static void log_softmax_columns(int64_t rows, int64_t width, int64_t stride, const float *x, const float *unused,
                                float *y)
{
    float m[WIDTH], sum[WIDTH];
    columns_max_sum(rows, width, stride, x, m, sum);
    for (int64_t c = 0; c < width; c++)
        sum[c] = lt_log(sum[c]);
    EACH(r, c, rows, width)
    y[r * stride + c] = (x[r * stride + c] - m[c]) - sum[c];
}

static void softmax_grad_columns(int64_t rows, int64_t width, int64_t stride, const float *y, const float *dy,
                                 float *dx)
{
    float sum[WIDTH] = {0};
    EACH(r, c, rows, width)
    sum[c] += y[r * stride + c] * dy[r * stride + c];
    EACH(r, c, rows, width)
    dx[r * stride + c] = y[r * stride + c] * (dy[r * stride + c] - sum[c]);
}

static void log_softmax_grad_columns(int64_t rows, int64_t width, int64_t stride, const float *y, const float *dy,
                                     float *dx)
{
    float sum[WIDTH] = {0};
    EACH(r, c, rows, width)
    sum[c] += dy[r * stride + c];
    EACH(r, c, rows, width)
    dx[r * stride + c] = dy[r * stride + c] - lt_exp(y[r * stride + c]) * sum[c];
}

// ---- sharing ------------------------------------------------------------------------------------------------------

typedef struct {
    void (*line)(int64_t n, const float *a, const float *b, float *out);
    void (*columns)(int64_t rows, int64_t width, int64_t stride, const float *a, const float *b, float *out);
    int64_t r, inner, blocks; // column blocks of WIDTH in `inner`
    const float *a, *b;       // b: dy, or a again where there is none
    float *out;
} job;

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    if (j->inner == 1 && j->r <= SHORT && (j->line == softmax_line || j->line == log_softmax_line)) {
        short_lines(end - begin, j->r, j->a + begin * j->r, j->out + begin * j->r, j->line == log_softmax_line);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        const int64_t column = i % j->blocks * WIDTH, at = i / j->blocks * j->r * j->inner + column;
        const int64_t width = j->inner - column < WIDTH ? j->inner - column : WIDTH;
        if (j->inner == 1)
            j->line(j->r, j->a + at, j->b + at, j->out + at);
        else
            j->columns(j->r, width, j->inner, j->a + at, j->b + at, j->out + at);
    }
}

static void run(job j, int64_t outer)
{
    if (outer == 0 || j.r == 0 || j.inner == 0)
        return;
    const int64_t width = j.inner < WIDTH ? j.inner : WIDTH;
    j.blocks = (j.inner + WIDTH - 1) / WIDTH;
    lt_parallel(outer * j.blocks, PIECE / (j.r * width) + 1, piece, &j);
}

static void softmax(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    run((job){softmax_line, softmax_columns, r, inner, 0, x, x, y}, outer);
}

static void log_softmax(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    run((job){log_softmax_line, log_softmax_columns, r, inner, 0, x, x, y}, outer);
}

static void softmax_grad(int64_t outer, int64_t r, int64_t inner, const float *y, const float *dy, float *dx)
{
    run((job){softmax_grad_line, softmax_grad_columns, r, inner, 0, y, dy, dx}, outer);
}

static void log_softmax_grad(int64_t outer, int64_t r, int64_t inner, const float *y, const float *dy, float *dx)
{
    run((job){log_softmax_grad_line, log_softmax_grad_columns, r, inner, 0, y, dy, dx}, outer);
}

const lt_softmax_kernels LT_NAME(lt_softmax) = {
    .softmax = softmax,
    .log_softmax = log_softmax,
    .softmax_grad = softmax_grad,
    .log_softmax_grad = log_softmax_grad,
};
