// Layer norm and RMS norm: every row of c floats by itself, in cache between its passes.
#include "kernel/norm_rows.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/simd.h"

enum { LANES = 32, PIECE = 1 << 14, CHUNKS = 128 };

// Sum over i < n of `term`, in LANES running sums.
#define LINE_SUM(n, result, term)                                                                                      \
    do {                                                                                                               \
        float lane_[LANES] = {0}, rest_ = 0;                                                                           \
        int64_t i_ = 0;                                                                                                \
        for (; i_ + LANES <= (n); i_ += LANES)                                                                         \
            for (int j_ = 0; j_ < LANES; j_++) {                                                                       \
                const int64_t i = i_ + j_;                                                                             \
                lane_[j_] += (term);                                                                                   \
            }                                                                                                          \
        for (; i_ < (n); i_++) {                                                                                       \
            const int64_t i = i_;                                                                                      \
            rest_ += (term);                                                                                           \
        }                                                                                                              \
        for (int j_ = 0; j_ < LANES; j_++)                                                                             \
            rest_ += lane_[j_];                                                                                        \
        result = rest_;                                                                                                \
    } while (0)

typedef struct {
    int64_t rows, c, chunk;
    const float *x, *dy, *weight, *bias;
    float eps, *y, *dx;
    float *mean, *rstd; // mean NULL: RMS norm
    const float *saved_mean, *saved_rstd;
    float *part; // per chunk: dweight(c), dbias(c)
} job;

static void forward_row(const job *j, int64_t row)
{
    const int64_t c = j->c;
    const float *x = j->x + row * c;
    float *y = j->y + row * c, mean = 0, squares;
    if (j->mean) {
        LINE_SUM(c, mean, x[i]);
        j->mean[row] = mean /= (float)c;
    }
    LINE_SUM(c, squares, (x[i] - mean) * (x[i] - mean));
    const float rstd = j->rstd[row] = 1.0f / sqrtf(squares / (float)c + j->eps);
    if (j->weight && j->bias)
        for (int64_t i = 0; i < c; i++)
            y[i] = (x[i] - mean) * rstd * j->weight[i] + j->bias[i];
    else if (j->weight)
        for (int64_t i = 0; i < c; i++)
            y[i] = (x[i] - mean) * rstd * j->weight[i];
    else
        for (int64_t i = 0; i < c; i++)
            y[i] = (x[i] - mean) * rstd + (j->bias ? j->bias[i] : 0.0f);
}

static void forward_piece(void *context, int64_t begin, int64_t end)
{
    for (int64_t row = begin; row < end; row++)
        forward_row(context, row);
}

void LT_NAME(lt_norm_rows)(int64_t rows, int64_t c, const float *x, const float *weight, const float *bias, float eps,
                           float *y, float *mean, float *rstd)
{
    job j = {.rows = rows, .c = c, .x = x, .weight = weight, .bias = bias, .eps = eps, .y = y};
    j.mean = mean;
    j.rstd = rstd;
    lt_parallel(rows, PIECE / (c + 1) + 1, forward_piece, &j);
}

// dx = rstd * (w dy - m1 - xhat m2), m1 = mean of w dy (0 for RMS norm), m2 = mean of w dy xhat
static void dx_row(const job *j, int64_t row)
{
    const int64_t c = j->c;
    const float *x = j->x + row * c, *dy = j->dy + row * c, *w = j->weight;
    const float mean = j->saved_mean ? j->saved_mean[row] : 0.0f, rstd = j->saved_rstd[row];
    float *dx = j->dx + row * c, m1 = 0, m2;
    if (w) {
        if (j->saved_mean)
            LINE_SUM(c, m1, w[i] * dy[i]);
        LINE_SUM(c, m2, w[i] * dy[i] * (x[i] - mean));
    } else {
        if (j->saved_mean)
            LINE_SUM(c, m1, dy[i]);
        LINE_SUM(c, m2, dy[i] * (x[i] - mean));
    }
    const float constant = -rstd * m1 / (float)c, slope = -rstd * rstd * rstd * m2 / (float)c;
    for (int64_t i = 0; i < c; i++)
        dx[i] = rstd * (w ? w[i] : 1.0f) * dy[i] + (x[i] - mean) * slope + constant;
}

static void grad_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t c = j->c;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k * j->chunk, last = first + j->chunk < j->rows ? first + j->chunk : j->rows;
        float *dweight = j->part ? j->part + k * 2 * c : NULL, *dbias = dweight + (dweight ? c : 0);
        if (dweight)
            memset(dweight, 0, (size_t)(2 * c) * sizeof *dweight);
        for (int64_t row = first; row < last; row++) {
            const float *x = j->x + row * c, *dy = j->dy + row * c;
            const float mean = j->saved_mean ? j->saved_mean[row] : 0.0f, rstd = j->saved_rstd[row];
            if (dweight) { // before dx, which may be dy's own memory
                LT_VECTORIZE
                for (int64_t i = 0; i < c; i++) {
                    dweight[i] += dy[i] * (x[i] - mean) * rstd;
                    dbias[i] += dy[i];
                }
            }
            if (j->dx)
                dx_row(j, row);
        }
    }
}

int LT_NAME(lt_norm_rows_grad)(int64_t rows, int64_t c, const float *x, const float *dy, const float *mean,
                               const float *rstd, const float *weight, float *dx, float *dweight, float *dbias)
{
    job j = {.rows = rows, .c = c, .x = x, .dy = dy, .weight = weight, .dx = dx};
    j.saved_mean = mean;
    j.saved_rstd = rstd;
    j.chunk = PIECE / (c + 1) + 16;
    if (j.chunk < rows / CHUNKS + 1)
        j.chunk = rows / CHUNKS + 1;
    const int64_t chunks = (rows + j.chunk - 1) / j.chunk;
    if ((dweight || dbias) && !(j.part = lt_alloc((size_t)(chunks * 2 * c) * sizeof *j.part)))
        return LT_FAIL;
    lt_parallel(chunks, 1, grad_piece, &j);
    for (int64_t i = 0; i < c && (dweight || dbias); i++) {
        double weights = 0, biases = 0;
        for (int64_t k = 0; k < chunks; k++) {
            weights += (double)j.part[k * 2 * c + i];
            biases += (double)j.part[k * 2 * c + c + i];
        }
        if (dweight)
            dweight[i] = (float)weights;
        if (dbias)
            dbias[i] = (float)biases;
    }
    lt_free(j.part);
    return LT_OK;
}
