// Layer norm and RMS norm: every row of c floats by itself, in cache between its passes. Rows with a scale or a shift
// belong to a picture, and pieces of the backward do not cross from one picture into the next.
#include "kernel/line_sum.h"
#include "kernel/norm_shared.h"

#define INLINE static inline __attribute__((always_inline))

enum { CHUNKS = 128 };

typedef struct {
    const lt_norm_call *a;
    int64_t pictures, rows, chunk, chunks; // rows a picture (all in one where nothing depends on it), chunks of them
    const float *x, *dy, *plus;
    float *y, *dx;
    float *mean, *rstd; // mean NULL: RMS norm
    const float *saved_mean, *saved_rstd;
    float *coef; // (pictures, 2, c): gain and offset; NULL: xhat is the result
    float *part; // (pictures, chunks, 2, c), backward: sum du and sum du xhat
} job;

static int plan(job *j, bool per_picture, bool parts) // per_picture: pictures differ
{
    const lt_norm_call *a = j->a;
    j->pictures = per_picture ? a->n : 1;
    j->rows = per_picture ? a->hw : a->n * a->hw;
    j->chunk = LT_NORM_PIECE / (a->c + 1) + 16;
    if (j->chunk < j->rows / CHUNKS + 1)
        j->chunk = j->rows / CHUNKS + 1;
    j->chunks = (j->rows + j->chunk - 1) / j->chunk;
    const bool coefs = per_picture || a->weight || a->bias || a->activation;
    const size_t numbers = (size_t)(j->pictures * 2 * a->c);
    if (coefs && !(j->coef = lt_alloc(numbers * sizeof *j->coef)))
        return LT_FAIL;
    if (parts && !(j->part = lt_alloc(numbers * (size_t)j->chunks * sizeof *j->part))) {
        lt_free(j->coef);
        return LT_FAIL;
    }
    for (int64_t s = 0; coefs && s < j->pictures; s++)
        for (int64_t i = 0; i < a->c; i++) {
            j->coef[s * 2 * a->c + i] = lt_norm_gain(a, s, i);
            j->coef[(s * 2 + 1) * a->c + i] = lt_norm_offset(a, s, i);
        }
    return LT_OK;
}

// ---- forward --------------------------------------------------------------------------------------------------------

INLINE void finish_row(const lt_activation f, float slope, int64_t c, const float *x, float mean, float rstd,
                       const float *gain, float *y)
{
    const float *offset = gain + c;
    LT_VECTORIZE
    for (int64_t i = 0; i < c; i++)
        y[i] = lt_activate(f, (x[i] - mean) * rstd * gain[i] + offset[i], slope);
}

// Mean and rstd of a row whose sums left the range of float.
static lt_norm_moments wide_moments(int64_t c, const float *x, bool centred, float eps)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; centred && i < c; i++)
        mean += (double)x[i] / (double)c;
    for (int64_t i = 0; i < c; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    return (lt_norm_moments){(float)mean, (float)(1.0 / sqrt(squares / (double)c + (double)eps))};
}

static lt_norm_moments moments_of(int64_t c, const float *x, bool centred, float eps)
{
    float mean = 0, squares;
    if (centred) {
        const float near = x[0]; // keeps the sum exact enough far from zero too
        LT_LINE_SUM(c, mean, x[i] - near);
        mean = near + mean / (float)c;
    }
    LT_LINE_SUM(c, squares, (x[i] - mean) * (x[i] - mean));
    const float var = squares / (float)c + eps;
    if (!lt_norm_in_range((double)var))
        return wide_moments(c, x, centred, eps);
    return (lt_norm_moments){mean, 1.0f / sqrtf(var)};
}

static void forward_row(const job *j, int64_t row)
{
    const int64_t c = j->a->c;
    const float *x = j->x + row * c;
    float *y = j->y + row * c;
    if (!j->a->again) {
        const lt_norm_moments m = moments_of(c, x, j->mean != NULL, j->a->eps);
        j->rstd[row] = m.rstd;
        if (j->mean)
            j->mean[row] = m.mean;
    }
    const float mean = j->mean ? j->mean[row] : 0.0f, rstd = j->rstd[row];
    if (j->coef) {
        const float *gain = j->coef + row / j->rows * 2 * c, slope = j->a->slope;
        LT_WITH_ACTIVATION(j->a->activation, finish_row, slope, c, x, mean, rstd, gain, y);
        return;
    }
    LT_VECTORIZE
    for (int64_t i = 0; i < c; i++)
        y[i] = (x[i] - mean) * rstd;
}

static void forward_piece(void *context, int64_t begin, int64_t end)
{
    for (int64_t row = begin; row < end; row++)
        forward_row(context, row);
}

int LT_NAME(lt_norm_layer)(const lt_norm_call *a, const float *x, float *y, float *mean, float *rstd)
{
    job j = {.a = a, .x = x, .y = y, .mean = mean, .rstd = rstd};
    if (plan(&j, a->scale || a->shift, false) != LT_OK)
        return LT_FAIL;
    lt_parallel(a->n * a->hw, LT_NORM_PIECE / (a->c + 1) + 1, forward_piece, &j);
    lt_free(j.coef);
    return LT_OK;
}

// ---- backward -------------------------------------------------------------------------------------------------------

// du = dy activation'(u)
INLINE void du_row(const lt_activation f, float slope, int64_t c, const float *x, const float *dy, float mean,
                   float rstd, const float *gain, float *du)
{
    const float *offset = gain + c;
    LT_VECTORIZE
    for (int64_t i = 0; i < c; i++)
        du[i] = dy[i] * lt_activate_d1(f, (x[i] - mean) * rstd * gain[i] + offset[i], slope);
}

// dx = rstd (g du - m1 - xhat m2) + plus, m1 = mean of g du (0 for RMS norm), m2 = mean of g du xhat; g NULL: 1.
// rstd goes in one at a time: its square leaves the range of float long before the gradient does.
static void dx_row(int64_t c, const float *x, const float *du, bool rms, float mean, float rstd, const float *g,
                   const float *plus, float *dx)
{
    float m1 = 0, m2;
    if (g) {
        if (!rms)
            LT_LINE_SUM(c, m1, g[i] * du[i]);
        LT_LINE_SUM(c, m2, g[i] * du[i] * ((x[i] - mean) * rstd));
    } else {
        if (!rms)
            LT_LINE_SUM(c, m1, du[i]);
        LT_LINE_SUM(c, m2, du[i] * ((x[i] - mean) * rstd));
    }
    const float constant = -m1 / (float)c, slope = -rstd * m2 / (float)c;
    LT_VECTORIZE
    for (int64_t i = 0; i < c; i++)
        dx[i] = rstd * ((g ? g[i] : 1.0f) * du[i] + (x[i] - mean) * slope + constant);
    if (!plus)
        return;
    LT_VECTORIZE
    for (int64_t i = 0; i < c; i++)
        dx[i] += plus[i];
}

static void grad_chunk(const job *j, int64_t s, int64_t k)
{
    const int64_t c = j->a->c, last = s * j->rows + ((k + 1) * j->chunk < j->rows ? (k + 1) * j->chunk : j->rows);
    const float *gain = j->coef ? j->coef + s * 2 * c : NULL, leak = j->a->slope;
    float *sum = j->part ? j->part + (s * j->chunks + k) * 2 * c : NULL, *product = sum + (sum ? c : 0);
    if (sum)
        memset(sum, 0, (size_t)(2 * c) * sizeof *sum);
    for (int64_t row = s * j->rows + k * j->chunk; row < last; row++) {
        const float *x = j->x + row * c, *du = j->dy + row * c;
        const float mean = j->saved_mean ? j->saved_mean[row] : 0.0f, rstd = j->saved_rstd[row];
        if (j->a->activation) {
            LT_WITH_ACTIVATION(j->a->activation, du_row, leak, c, x, du, mean, rstd, gain, j->dx + row * c);
            du = j->dx + row * c;
        }
        if (sum) {
            LT_VECTORIZE
            for (int64_t i = 0; i < c; i++) {
                product[i] += du[i] * ((x[i] - mean) * rstd);
                sum[i] += du[i];
            }
        }
        if (j->dx)
            dx_row(c, x, du, !j->saved_mean, mean, rstd, gain, j->plus ? j->plus + row * c : NULL, j->dx + row * c);
    }
}

static void grad_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t k = begin; k < end; k++)
        grad_chunk(j, k / j->chunks, k % j->chunks);
}

int LT_NAME(lt_norm_layer_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean,
                                const float *rstd, const lt_norm_grads *out)
{
    job j = {.a = a, .x = x, .dy = dy, .plus = out->plus, .dx = out->dx, .saved_mean = mean, .saved_rstd = rstd};
    if (a->c == 0) // rows of nothing, however many
        return LT_OK;
    const bool per_picture = a->scale || a->shift || out->dshift;
    if (plan(&j, per_picture, out->dweight || out->dbias || out->dscale || out->dshift) != LT_OK)
        return LT_FAIL;
    const int64_t rows = j.rows < j.chunk ? j.rows : j.chunk;
    lt_parallel(j.pictures * j.chunks, j.chunk / (rows + 1) + 1, grad_piece, &j);
    const lt_norm_call by_picture = {
        .n = j.pictures, .c = a->c, .weight = a->weight, .bias = a->bias, .scale = a->scale};
    LT_NAME(lt_norm_collect)(&by_picture, j.chunks, j.part, out);
    lt_free(j.part);
    lt_free(j.coef);
    return LT_OK;
}
