// Group norm (and, with n = 1 and groups = c, batch norm). The rows of a sample, (hw, c), are cut into chunks that stay
// in cache. Pass 1 leaves two numbers a channel and chunk; they are put together in order, in double; pass 2 is an
// affine map with coefficients a channel. Where c is small, several rows are taken as one wide row ("folded").
#include "kernel/norm.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/norm_rows.h"
#include "kernel/simd.h"

enum { FOLD = 128, PIECE = 1 << 14 };

typedef struct {
    int64_t n, hw, c, groups;
    int64_t chunk, chunks; // rows a chunk, chunks a sample
    const float *x, *dy;
    float *out;
    float *part;  // (n, chunks, 2, c): forward mean and squared distance, backward sum dy and sum dy (x - mean)
    float *coef;  // (n, 4, c)
    float *total; // (n, 2, c), backward: the parts put together
    const float *weight, *bias;
    float eps, *mean, *rstd;              // forward, out
    const float *saved_mean, *saved_rstd; // backward, in
} job;

static int64_t fold(int64_t rows, int64_t c)
{
    const int64_t k = c < FOLD ? FOLD / c : 1;
    return k < rows ? k : rows > 0 ? rows : 1;
}

static void repeat(int64_t c, int64_t k, const float *from, float *to)
{
    for (int64_t i = 0; i < k; i++)
        memcpy(to + i * c, from, (size_t)c * sizeof *to);
}

// sum[i] += a[r, i] * (b ? b[r, i] - centre[i] : 1), or with squared: (a - centre)^2, over rows of width w
static inline __attribute__((always_inline)) void gather_rows(int squared, int64_t rows, int64_t w, const float *a,
                                                              const float *b, const float *centre, float *sum)
{
    for (int64_t r = 0; r < rows; r++, a += w) {
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++) {
            const float d = squared ? a[i] - centre[i] : b ? b[r * w + i] - centre[i] : 1.0f;
            sum[i] += squared ? d * d : a[i] * d;
        }
    }
}

// The same sums for c channels, folded; sum starts at 0.
static inline __attribute__((always_inline)) void gather(int squared, int64_t rows, int64_t c, const float *a,
                                                         const float *b, const float *centre, float *sum)
{
    const int64_t k = fold(rows, c), wide = rows / k, done = wide * k;
    memset(sum, 0, (size_t)c * sizeof *sum);
    if (k == 1) {
        gather_rows(squared, rows, c, a, b, centre, sum);
        return;
    }
    float folded[FOLD] = {0}, middle[FOLD] = {0};
    if (centre)
        repeat(c, k, centre, middle);
    gather_rows(squared, wide, k * c, a, b, middle, folded);
    for (int64_t i = 0; i < k * c; i += c)
        for (int64_t j = 0; j < c; j++)
            sum[j] += folded[i + j];
    gather_rows(squared, rows - done, c, a + done * c, b ? b + done * c : NULL, centre, sum);
}

// ---- pass 1 -------------------------------------------------------------------------------------------------------

static void moments_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t c = j->c;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k % j->chunks * j->chunk, rows = j->hw - first < j->chunk ? j->hw - first : j->chunk;
        const float *x = j->x + (k / j->chunks * j->hw + first) * c;
        float *mean = j->part + k * 2 * c, *squares = mean + c;
        gather(0, rows, c, x, NULL, NULL, mean);
        for (int64_t i = 0; i < c; i++)
            mean[i] /= (float)rows;
        gather(1, rows, c, x, NULL, mean, squares);
    }
}

static void products_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t c = j->c;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k % j->chunks * j->chunk, rows = j->hw - first < j->chunk ? j->hw - first : j->chunk;
        const int64_t s = k / j->chunks, at = (s * j->hw + first) * c;
        float *sum = j->part + k * 2 * c;
        gather(0, rows, c, j->dy + at, NULL, NULL, sum);
        gather(0, rows, c, j->dy + at, j->x + at, j->coef + s * 4 * c, sum + c);
    }
}

// ---- between the passes, a sample at a time: coef = centre, slope of x, constant, slope of dy (backward only)
// -----------

static void finish_moments(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t c = j->c, each = c / j->groups;
    for (int64_t s = begin; s < end; s++) {
        float *centre = j->coef + s * 4 * c, *slope = centre + c, *constant = centre + 2 * c;
        for (int64_t g = 0; g < j->groups; g++) {
            double sum = 0, squares = 0;
            for (int64_t k = 0; k < j->chunks; k++) {
                const float *mean = j->part + (s * j->chunks + k) * 2 * c;
                const int64_t left = j->hw - k * j->chunk, rows = left < j->chunk ? left : j->chunk;
                for (int64_t i = g * each; i < (g + 1) * each; i++)
                    sum += (double)mean[i] * (double)rows;
            }
            const double mu = sum / (double)(each * j->hw);
            for (int64_t k = 0; k < j->chunks; k++) {
                const float *mean = j->part + (s * j->chunks + k) * 2 * c;
                const int64_t left = j->hw - k * j->chunk, rows = left < j->chunk ? left : j->chunk;
                for (int64_t i = g * each; i < (g + 1) * each; i++) {
                    const double d = (double)mean[i] - mu;
                    squares += (double)mean[c + i] + (double)rows * d * d;
                }
            }
            const float m = j->mean[s * j->groups + g] = (float)mu;
            const float r = j->rstd[s * j->groups + g] =
                (float)(1.0 / sqrt(squares / (double)(each * j->hw) + (double)j->eps));
            for (int64_t i = g * each; i < (g + 1) * each; i++) {
                centre[i] = m;
                slope[i] = j->weight ? r * j->weight[i] : r;
                constant[i] = j->bias ? j->bias[i] : 0.0f;
            }
        }
    }
}

static void centres(const job *j) // products_piece needs the means a channel
{
    const int64_t each = j->c / j->groups;
    for (int64_t s = 0; s < j->n; s++)
        for (int64_t i = 0; i < j->c; i++)
            j->coef[s * 4 * j->c + i] = j->saved_mean[s * j->groups + i / each];
}

static void finish_products(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t c = j->c, each = c / j->groups;
    const double m = (double)(each * j->hw);
    for (int64_t s = begin; s < end; s++) {
        float *centre = j->coef + s * 4 * c, *slope = centre + c, *constant = centre + 2 * c, *gain = centre + 3 * c;
        float *sum = j->total + s * 2 * c, *product = sum + c;
        for (int64_t g = 0; g < j->groups; g++) {
            const double r = (double)j->saved_rstd[s * j->groups + g];
            double m1 = 0, m2 = 0;
            for (int64_t i = g * each; i < (g + 1) * each; i++) {
                double dy = 0, dy_x = 0;
                for (int64_t k = 0; k < j->chunks; k++) {
                    dy += (double)j->part[(s * j->chunks + k) * 2 * c + i];
                    dy_x += (double)j->part[(s * j->chunks + k) * 2 * c + c + i];
                }
                sum[i] = (float)dy;
                product[i] = (float)(dy_x * r);
                m1 += dy * (double)(j->weight ? j->weight[i] : 1.0f);
                m2 += dy_x * r * (double)(j->weight ? j->weight[i] : 1.0f);
            }
            for (int64_t i = g * each; i < (g + 1) * each; i++) {
                slope[i] = (float)(-r * r * m2 / m);
                constant[i] = (float)(-r * m1 / m);
                gain[i] = (float)r * (j->weight ? j->weight[i] : 1.0f);
            }
        }
    }
}

// ---- pass 2: out = (x - centre) * slope + constant (+ dy * gain)
// ---------------------------------------------------------

static void map_rows(int64_t rows, int64_t w, const float *x, const float *dy, const float *coef, float *out)
{
    const float *centre = coef, *slope = coef + w, *constant = coef + 2 * w, *gain = coef + 3 * w;
    for (int64_t r = 0; r < rows; r++, x += w, out += w) {
        if (dy) {
            LT_VECTORIZE
            for (int64_t i = 0; i < w; i++)
                out[i] = (x[i] - centre[i]) * slope[i] + constant[i] + dy[r * w + i] * gain[i];
        } else {
            LT_VECTORIZE
            for (int64_t i = 0; i < w; i++)
                out[i] = (x[i] - centre[i]) * slope[i] + constant[i];
        }
    }
}

static void map(int64_t rows, int64_t c, const float *x, const float *dy, const float *coef, float *out)
{
    const int64_t k = fold(rows, c), wide = rows / k, done = wide * k;
    if (k == 1) {
        map_rows(rows, c, x, dy, coef, out);
        return;
    }
    float folded[4 * FOLD];
    for (int a = 0; a < (dy ? 4 : 3); a++)
        repeat(c, k, coef + a * c, folded + a * k * c);
    map_rows(wide, k * c, x, dy, folded, out);
    map_rows(rows - done, c, x + done * c, dy ? dy + done * c : NULL, coef, out + done * c);
}

static void map_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k % j->chunks * j->chunk, rows = j->hw - first < j->chunk ? j->hw - first : j->chunk;
        const int64_t s = k / j->chunks, at = (s * j->hw + first) * j->c;
        map(rows, j->c, j->x + at, j->dy ? j->dy + at : NULL, j->coef + s * 4 * j->c, j->out + at);
    }
}

// ---- the functions of norm.h
// --------------------------------------------------------------------------------------------

// Chunks, and one block of scratch: parts, coefficients, totals.
static int plan(job *j)
{
    j->chunk = PIECE / j->c > 16 ? PIECE / j->c : 16;
    j->chunks = (j->hw + j->chunk - 1) / j->chunk;
    j->part = lt_alloc((size_t)(j->n * (j->chunks * 2 + 6) * j->c) * sizeof *j->part);
    j->coef = j->part ? j->part + j->n * j->chunks * 2 * j->c : NULL;
    j->total = j->part ? j->coef + j->n * 4 * j->c : NULL;
    return j->part ? LT_OK : LT_FAIL;
}

static int group(int64_t n, int64_t hw, int64_t c, int64_t groups, const float *x, const float *weight,
                 const float *bias, float eps, float *y, float *mean, float *rstd)
{
    job j = {.n = n, .hw = hw, .c = c, .groups = groups, .x = x, .out = y, .weight = weight, .bias = bias, .eps = eps};
    j.mean = mean;
    j.rstd = rstd;
    if (n * hw * c == 0)
        return LT_OK;
    if (plan(&j) != LT_OK)
        return LT_FAIL;
    const int64_t small = PIECE / (hw * c) + 1; // chunks a piece, where samples are small
    lt_parallel(n * j.chunks, small, moments_piece, &j);
    lt_parallel(n, small, finish_moments, &j);
    lt_parallel(n * j.chunks, small, map_piece, &j);
    lt_free(j.part);
    return LT_OK;
}

static int group_grad(int64_t n, int64_t hw, int64_t c, int64_t groups, const float *x, const float *dy,
                      const float *mean, const float *rstd, const float *weight, float *dx, float *dweight,
                      float *dbias)
{
    job j = {.n = n, .hw = hw, .c = c, .groups = groups, .x = x, .dy = dy, .out = dx, .weight = weight};
    j.saved_mean = mean;
    j.saved_rstd = rstd;
    for (int64_t i = 0; i < c && n * hw == 0; i++) {
        if (dweight)
            dweight[i] = 0;
        if (dbias)
            dbias[i] = 0;
    }
    if (n * hw * c == 0)
        return LT_OK;
    if (plan(&j) != LT_OK)
        return LT_FAIL;
    const int64_t small = PIECE / (hw * c) + 1;
    centres(&j);
    lt_parallel(n * j.chunks, small, products_piece, &j);
    lt_parallel(n, small, finish_products, &j);
    for (int64_t i = 0; i < c; i++) {
        double biases = 0, weights = 0;
        for (int64_t s = 0; s < n; s++) {
            biases += (double)j.total[s * 2 * c + i];
            weights += (double)j.total[s * 2 * c + c + i];
        }
        if (dbias)
            dbias[i] = (float)biases;
        if (dweight)
            dweight[i] = (float)weights;
    }
    if (dx)
        lt_parallel(n * j.chunks, small, map_piece, &j);
    lt_free(j.part);
    return LT_OK;
}

static void layer(int64_t rows, int64_t c, const float *x, const float *weight, const float *bias, float eps, float *y,
                  float *mean, float *rstd)
{
    LT_NAME(lt_norm_rows)(rows, c, x, weight, bias, eps, y, mean, rstd);
}

static void rms(int64_t rows, int64_t c, const float *x, const float *weight, float eps, float *y, float *rstd)
{
    LT_NAME(lt_norm_rows)(rows, c, x, weight, NULL, eps, y, NULL, rstd);
}

static int rms_grad(int64_t rows, int64_t c, const float *x, const float *dy, const float *rstd, const float *weight,
                    float *dx, float *dweight)
{
    return LT_NAME(lt_norm_rows_grad)(rows, c, x, dy, NULL, rstd, weight, dx, dweight, NULL);
}

static int affine(int64_t rows, int64_t c, const float *x, const float *mean, const float *scale, const float *shift,
                  float *y)
{
    job j = {.n = 1, .hw = rows, .c = c, .groups = c, .x = x, .out = y};
    if (rows * c == 0)
        return LT_OK;
    if (plan(&j) != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < c; i++) {
        j.coef[i] = mean ? mean[i] : 0.0f;
        j.coef[c + i] = scale[i];
        j.coef[2 * c + i] = shift ? shift[i] : 0.0f;
    }
    lt_parallel(j.chunks, 1, map_piece, &j);
    lt_free(j.part);
    return LT_OK;
}

const lt_norm_kernels LT_NAME(lt_norm) = {
    .group = group,
    .group_grad = group_grad,
    .layer = layer,
    .layer_grad = LT_NAME(lt_norm_rows_grad),
    .rms = rms,
    .rms_grad = rms_grad,
    .affine = affine,
};
