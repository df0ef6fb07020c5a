// Group norm forward (and, with n = 1 and groups = c, batch norm). Pass 1 goes over the chunks of a sample and leaves
// two numbers a channel and chunk: the chunk's mean, and the squared distances from it, which a second look at the
// chunk, still in cache, gives. They are put together in order, in double. Pass 2 is an affine map with coefficients a
// channel, and the activation.
#include "kernel/norm.h"
#include "kernel/norm_shared.h"

#define INLINE static inline __attribute__((always_inline))

// ---- pass 1 -------------------------------------------------------------------------------------------------------

// sum[i] += x[r, i] - centre[i], or its square, over rows of width w
INLINE void gather_rows(const bool squared, int64_t rows, int64_t w, const float *x, const float *centre, float *sum)
{
    for (int64_t r = 0; r < rows; r++, x += w) {
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++) {
            const float d = x[i] - centre[i];
            sum[i] += squared ? d * d : d;
        }
    }
}

// The same sums for c channels, folded; sum starts at 0.
INLINE void gather(const bool squared, int64_t rows, int64_t c, const float *x, const float *centre, float *sum)
{
    const int64_t k = lt_norm_fold(rows, c), wide = rows / k, done = wide * k;
    memset(sum, 0, (size_t)c * sizeof *sum);
    if (k == 1) {
        gather_rows(squared, rows, c, x, centre, sum);
        return;
    }
    float folded[LT_NORM_FOLD] = {0}, middle[LT_NORM_FOLD];
    lt_norm_repeat(c, k, centre, middle);
    gather_rows(squared, wide, k * c, x, middle, folded);
    for (int64_t i = 0; i < k * c; i += c)
        for (int64_t j = 0; j < c; j++)
            sum[j] += folded[i + j];
    gather_rows(squared, rows - done, c, x + done * c, centre, sum);
}

static void moments(const lt_norm_job *j, int64_t s, int64_t k)
{
    const int64_t c = j->a->c, rows = lt_norm_rows_at(j, k);
    const float *x = j->x + (s * j->a->hw + k * j->chunk) * c;
    float *mean = j->part + (s * j->chunks + k) * 2 * c, *squares = mean + c;
    gather(false, rows, c, x, x, mean); // from the first row: exact enough far from zero too
    for (int64_t i = 0; i < c; i++)
        mean[i] = x[i] + mean[i] / (float)rows;
    gather(true, rows, c, x, mean, squares);
}

// ---- between the passes: mean and rstd of a sample's groups, and the coefficients of its channels -------------------

// Mean and rstd of a group whose sums left the range of float, from its values one by one.
static lt_norm_moments wide_moments(const lt_norm_job *j, int64_t s, int64_t from, int64_t each)
{
    const int64_t c = j->a->c, hw = j->a->hw;
    const float *x = j->x + s * hw * c + from;
    const double count = (double)(each * hw);
    double mean = 0, squares = 0;
    for (int64_t r = 0; r < hw; r++)
        for (int64_t i = 0; i < each; i++)
            mean += (double)x[r * c + i] / count;
    for (int64_t r = 0; r < hw; r++)
        for (int64_t i = 0; i < each; i++)
            squares += ((double)x[r * c + i] - mean) * ((double)x[r * c + i] - mean);
    return (lt_norm_moments){(float)mean, (float)(1.0 / sqrt(squares / count + (double)j->a->eps))};
}

static lt_norm_moments moments_of_group(const lt_norm_job *j, int64_t s, int64_t from, int64_t each)
{
    const int64_t c = j->a->c;
    const double count = (double)(each * j->a->hw);
    double sum = 0, squares = 0;
    for (int64_t k = 0; k < j->chunks; k++) {
        const float *mean = j->part + (s * j->chunks + k) * 2 * c + from;
        const double rows = (double)lt_norm_rows_at(j, k);
        for (int64_t i = 0; i < each; i++)
            sum += (double)mean[i] * rows;
    }
    const double mu = sum / count;
    for (int64_t k = 0; k < j->chunks; k++) {
        const float *mean = j->part + (s * j->chunks + k) * 2 * c + from;
        const double rows = (double)lt_norm_rows_at(j, k);
        for (int64_t i = 0; i < each; i++) {
            const double d = (double)mean[i] - mu;
            squares += (double)mean[c + i] + rows * d * d;
        }
    }
    const double var = squares / count + (double)j->a->eps;
    if (!lt_norm_in_range(var))
        return wide_moments(j, s, from, each);
    return (lt_norm_moments){(float)mu, (float)(1.0 / sqrt(var))};
}

static void finish_group(const lt_norm_job *j, int64_t s, int64_t g)
{
    const int64_t each = j->a->c / j->a->groups, from = g * each;
    float *mean = j->mean + s * j->a->groups + g, *rstd = j->rstd + s * j->a->groups + g;
    if (!j->a->again) {
        const lt_norm_moments moments = moments_of_group(j, s, from, each);
        *mean = moments.mean;
        *rstd = moments.rstd;
    }
    const float m = *mean, r = *rstd;
    for (int64_t i = from; i < from + each; i++) {
        lt_norm_coef(j, s, LT_CENTRE)[i] = m;
        lt_norm_coef(j, s, LT_GAIN)[i] = r * lt_norm_gain(j->a, s, i);
        lt_norm_coef(j, s, LT_OFFSET)[i] = lt_norm_offset(j->a, s, i);
    }
}

// ---- pass 2: y = activation((x - centre) * gain + offset) -----------------------------------------------------------

INLINE void map_rows(const lt_activation f, float slope, int64_t rows, int64_t w, const float *x, const float *coef,
                     float *y)
{
    const float *centre = coef, *gain = coef + w, *offset = coef + 2 * w;
    for (int64_t r = 0; r < rows; r++, x += w, y += w) {
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++)
            y[i] = lt_activate(f, (x[i] - centre[i]) * gain[i] + offset[i], slope);
    }
}

static void map(const lt_norm_job *j, int64_t s, int64_t k)
{
    const int64_t c = j->a->c, rows = lt_norm_rows_at(j, k), at = (s * j->a->hw + k * j->chunk) * c;
    const int64_t fold = lt_norm_fold(rows, c), wide = rows / fold, done = at + wide * fold * c;
    const float *coef = lt_norm_coef(j, s, 0), slope = j->a->slope;
    float folded[3 * LT_NORM_FOLD];
    for (int i = 0; fold > 1 && i < 3; i++)
        lt_norm_repeat(c, fold, coef + i * c, folded + i * fold * c);
    LT_WITH_ACTIVATION(j->a->activation, map_rows, slope, wide, fold * c, j->x + at, fold > 1 ? folded : coef,
                       j->out + at);
    if (rows > wide * fold)
        LT_WITH_ACTIVATION(j->a->activation, map_rows, slope, rows - wide * fold, c, j->x + done, coef, j->out + done);
}

// ---- the order of the work ------------------------------------------------------------------------------------------

static void moments_piece(void *context, int64_t begin, int64_t end)
{
    const lt_norm_job *j = context;
    for (int64_t k = begin; k < end && !j->a->again; k++)
        moments(j, k / j->chunks, k % j->chunks);
}

static void finish_piece(void *context, int64_t begin, int64_t end)
{
    const lt_norm_job *j = context;
    for (int64_t k = begin; k < end; k++)
        finish_group(j, k / j->a->groups, k % j->a->groups);
}

static void map_piece(void *context, int64_t begin, int64_t end)
{
    const lt_norm_job *j = context;
    for (int64_t k = begin; k < end; k++)
        map(j, k / j->chunks, k % j->chunks);
}

static void sample_piece(void *context, int64_t begin, int64_t end)
{
    const lt_norm_job *j = context;
    for (int64_t s = begin; s < end; s++) {
        moments_piece(context, s * j->chunks, (s + 1) * j->chunks);
        finish_piece(context, s * j->a->groups, (s + 1) * j->a->groups);
        map_piece(context, s * j->chunks, (s + 1) * j->chunks);
    }
}

static int group(const lt_norm_call *a, const float *x, float *y, float *mean, float *rstd)
{
    lt_norm_job j = {.a = a, .x = x, .out = y, .mean = mean, .rstd = rstd};
    if (a->n * a->hw * a->c == 0)
        return LT_OK;
    if (lt_norm_plan(&j) != LT_OK)
        return LT_FAIL;
    const int64_t grain = lt_norm_grain(a), each = a->c / a->groups;
    if (lt_norm_by_sample(a)) {
        lt_parallel(a->n, grain, sample_piece, &j);
    } else {
        lt_parallel(a->n * j.chunks, grain, moments_piece, &j);
        lt_parallel(a->n * a->groups, 4096 / (each * j.chunks) + 1, finish_piece, &j);
        lt_parallel(a->n * j.chunks, grain, map_piece, &j);
    }
    lt_free(j.part);
    return LT_OK;
}

static int affine(const lt_norm_call *a, const float *x, const float *mean, const float *gain, float *y)
{
    const lt_norm_call all = {
        .n = 1, .hw = a->n * a->hw, .c = a->c, .groups = a->c, .activation = a->activation, .slope = a->slope};
    lt_norm_job j = {.a = &all, .x = x, .out = y};
    if (all.hw * all.c == 0)
        return LT_OK;
    if (lt_norm_plan(&j) != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < a->c; i++) {
        lt_norm_coef(&j, 0, LT_CENTRE)[i] = mean[i];
        lt_norm_coef(&j, 0, LT_GAIN)[i] = gain[i];
        lt_norm_coef(&j, 0, LT_OFFSET)[i] = a->bias ? a->bias[i] : 0.0f;
    }
    lt_parallel(j.chunks, lt_norm_grain(&all), map_piece, &j);
    lt_free(j.part);
    return LT_OK;
}

const lt_norm_kernels LT_NAME(lt_norm) = {
    .group = group,
    .group_grad = LT_NAME(lt_norm_group_grad),
    .layer = LT_NAME(lt_norm_layer),
    .layer_grad = LT_NAME(lt_norm_layer_grad),
    .affine = affine,
    .running = LT_NAME(lt_norm_running),
};
