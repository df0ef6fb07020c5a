// Group norm backward (and, with n = 1 and groups = c, batch norm). Pass 1 makes du = dy activation'(u) from x and dy,
// keeps it in dx, and leaves sum du and sum du (x - mean) a channel and chunk. They are put together in order, in
// double. Pass 2 is dx = du gain + (x - centre) rstd slope + constant with coefficients a channel; rstd and slope are
// two, because their product leaves the range of float long before the gradient does.
#include "kernel/norm_shared.h"

#define INLINE static inline __attribute__((always_inline))

// ---- pass 1 -------------------------------------------------------------------------------------------------------

// Rows of width w; du may be dy, or (without an activation) NULL: then it is dy and is not written.
INLINE void product_rows(const lt_activation f, float slope, int64_t rows, int64_t w, const float *x, const float *dy,
                         const float *coef, float *du, float *sum, float *product)
{
    const float *centre = coef, *gain = coef + w, *offset = coef + 2 * w;
    for (int64_t r = 0; r < rows; r++) {
        if (f != LT_LINEAR) {
            LT_VECTORIZE
            for (int64_t i = r * w; i < (r + 1) * w; i++) {
                const float u = (x[i] - centre[i - r * w]) * gain[i - r * w] + offset[i - r * w];
                du[i] = dy[i] * lt_activate_d1(f, u, slope);
            }
        }
        const float *d = f != LT_LINEAR ? du + r * w : dy + r * w, *v = x + r * w;
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++) {
            sum[i] += d[i];
            product[i] += d[i] * (v[i] - centre[i]);
        }
    }
}

static void products(const lt_norm_job *j, int64_t s, int64_t k)
{
    const int64_t c = j->a->c, rows = lt_norm_rows_at(j, k), at = (s * j->a->hw + k * j->chunk) * c;
    const int64_t fold = lt_norm_fold(rows, c), wide = rows / fold, done = at + wide * fold * c;
    const float *coef = lt_norm_coef(j, s, 0), slope = j->a->slope;
    float *sum = j->part + (s * j->chunks + k) * 2 * c, *product = sum + c;
    float folded[3 * LT_NORM_FOLD], sums[LT_NORM_FOLD] = {0}, products_[LT_NORM_FOLD] = {0};
    memset(sum, 0, (size_t)(2 * c) * sizeof *sum);
    for (int i = 0; fold > 1 && i < 3; i++)
        lt_norm_repeat(c, fold, coef + i * c, folded + i * fold * c);
    LT_WITH_ACTIVATION(j->a->activation, product_rows, slope, wide, fold * c, j->x + at, j->dy + at,
                       fold > 1 ? folded : coef, j->out ? j->out + at : NULL, fold > 1 ? sums : sum,
                       fold > 1 ? products_ : product);
    for (int64_t i = 0; fold > 1 && i < fold * c; i += c)
        for (int64_t l = 0; l < c; l++) {
            sum[l] += sums[i + l];
            product[l] += products_[i + l];
        }
    if (rows > wide * fold)
        LT_WITH_ACTIVATION(j->a->activation, product_rows, slope, rows - wide * fold, c, j->x + done, j->dy + done,
                           coef, j->out ? j->out + done : NULL, sum, product);
}

// ---- coefficients: what pass 1 needs, and what comes out of it ------------------------------------------------------

static void prepare(const lt_norm_job *j, int64_t s)
{
    const lt_norm_call *a = j->a;
    const int64_t each = a->c / a->groups;
    float *centre = lt_norm_coef(j, s, LT_CENTRE), *gain = lt_norm_coef(j, s, LT_GAIN);
    float *offset = lt_norm_coef(j, s, LT_OFFSET);
    for (int64_t g = 0; g < a->groups; g++) {
        const float m = j->saved_mean[s * a->groups + g], r = j->saved_rstd[s * a->groups + g];
        for (int64_t i = g * each; i < (g + 1) * each; i++) {
            centre[i] = m;
            gain[i] = r * lt_norm_gain(a, s, i);
            offset[i] = lt_norm_offset(a, s, i);
        }
    }
}

static void finish_group(const lt_norm_job *j, int64_t s, int64_t g)
{
    const lt_norm_call *a = j->a;
    const int64_t c = a->c, each = c / a->groups, from = g * each;
    const double r = (double)j->saved_rstd[s * a->groups + g], count = (double)(each * a->hw);
    float *sum = j->total + s * 2 * c, *product = sum + c;
    double m1 = 0, m2 = 0;
    for (int64_t i = from; i < from + each; i++) {
        double du = 0, du_x = 0;
        for (int64_t k = 0; k < j->chunks; k++) {
            du += (double)j->part[(s * j->chunks + k) * 2 * c + i];
            du_x += (double)j->part[(s * j->chunks + k) * 2 * c + c + i];
        }
        sum[i] = (float)du;
        product[i] = (float)(du_x * r);
        m1 += du * (double)lt_norm_gain(a, s, i);
        m2 += du_x * r * (double)lt_norm_gain(a, s, i);
    }
    for (int64_t i = from; i < from + each; i++) {
        lt_norm_coef(j, s, LT_RSTD)[i] = (float)r;
        lt_norm_coef(j, s, LT_SLOPE)[i] = (float)(-r * m2 / count);
        lt_norm_coef(j, s, LT_CONSTANT)[i] = (float)(-r * m1 / count);
    }
}

// ---- pass 2 ---------------------------------------------------------------------------------------------------------

static void map_rows(int64_t rows, int64_t w, const float *x, const float *du, const float *plus, const float *coef,
                     float *dx)
{
    const float *centre = coef + LT_CENTRE * w, *gain = coef + LT_GAIN * w, *slope = coef + LT_SLOPE * w;
    const float *constant = coef + LT_CONSTANT * w, *rstd = coef + LT_RSTD * w;
    for (int64_t r = 0; r < rows; r++, x += w, du += w, dx += w) {
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++)
            dx[i] = (x[i] - centre[i]) * rstd[i] * slope[i] + constant[i] + du[i] * gain[i];
        if (!plus)
            continue;
        LT_VECTORIZE
        for (int64_t i = 0; i < w; i++)
            dx[i] += plus[r * w + i];
    }
}

static void map(const lt_norm_job *j, int64_t s, int64_t k)
{
    const int64_t c = j->a->c, rows = lt_norm_rows_at(j, k), at = (s * j->a->hw + k * j->chunk) * c;
    const int64_t fold = lt_norm_fold(rows, c), wide = rows / fold, done = at + wide * fold * c;
    const float *coef = lt_norm_coef(j, s, 0), *du = j->a->activation ? j->out : j->dy;
    float folded[LT_NORM_COEFS * LT_NORM_FOLD];
    for (int i = 0; fold > 1 && i < LT_NORM_COEFS; i++)
        lt_norm_repeat(c, fold, coef + i * c, folded + i * fold * c);
    map_rows(wide, fold * c, j->x + at, du + at, j->plus ? j->plus + at : NULL, fold > 1 ? folded : coef, j->out + at);
    map_rows(rows - wide * fold, c, j->x + done, du + done, j->plus ? j->plus + done : NULL, coef, j->out + done);
}

// ---- the order of the work ------------------------------------------------------------------------------------------

static void prepare_piece(void *context, int64_t begin, int64_t end)
{
    for (int64_t s = begin; s < end; s++)
        prepare(context, s);
}

static void products_piece(void *context, int64_t begin, int64_t end)
{
    const lt_norm_job *j = context;
    for (int64_t k = begin; k < end; k++)
        products(j, k / j->chunks, k % j->chunks);
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
        prepare(j, s);
        products_piece(context, s * j->chunks, (s + 1) * j->chunks);
        finish_piece(context, s * j->a->groups, (s + 1) * j->a->groups);
        if (j->out)
            map_piece(context, s * j->chunks, (s + 1) * j->chunks);
    }
}

int LT_NAME(lt_norm_group_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean,
                                const float *rstd, const lt_norm_grads *out)
{
    lt_norm_job j = {
        .a = a, .x = x, .dy = dy, .plus = out->plus, .out = out->dx, .saved_mean = mean, .saved_rstd = rstd};
    if (a->n * a->hw * a->c == 0) {
        LT_NAME(lt_norm_collect)(a, 0, NULL, out);
        return LT_OK;
    }
    if (lt_norm_plan(&j) != LT_OK)
        return LT_FAIL;
    const int64_t grain = lt_norm_grain(a), each = a->c / a->groups;
    if (lt_norm_by_sample(a)) {
        lt_parallel(a->n, grain, sample_piece, &j);
    } else {
        lt_parallel(a->n, 4096 / a->c + 1, prepare_piece, &j);
        lt_parallel(a->n * j.chunks, grain, products_piece, &j);
        lt_parallel(a->n * a->groups, 4096 / (each * j.chunks) + 1, finish_piece, &j);
        if (j.out)
            lt_parallel(a->n * j.chunks, grain, map_piece, &j);
    }
    LT_NAME(lt_norm_collect)(a, 1, j.total, out);
    lt_free(j.part);
    return LT_OK;
}

// ---- gradients of the channels' numbers, some columns a piece -------------------------------------------------------

enum { COLUMNS = 64 };

typedef struct {
    const lt_norm_call *a;
    int64_t chunks;
    const float *part;
    const lt_norm_grads *out;
} collection;

static void collect_piece(void *context, int64_t begin, int64_t end)
{
    const collection *j = context;
    const lt_norm_call *a = j->a;
    const int64_t w = end - begin;
    double weights[COLUMNS] = {0}, biases[COLUMNS] = {0};
    for (int64_t s = 0; s < a->n; s++) {
        double sum[COLUMNS] = {0}, product[COLUMNS] = {0};
        for (int64_t k = 0; k < j->chunks; k++) {
            const float *part = j->part + (s * j->chunks + k) * 2 * a->c + begin;
            for (int64_t i = 0; i < w; i++) {
                sum[i] += (double)part[i];
                product[i] += (double)part[a->c + i];
            }
        }
        const int64_t at = s * a->c + begin;
        for (int64_t i = 0; i < w; i++) {
            const double gain = a->scale ? 1.0 + (double)a->scale[at + i] : 1.0;
            weights[i] += gain * product[i];
            biases[i] += gain * sum[i];
        }
        for (int64_t i = 0; j->out->dshift && i < w; i++)
            j->out->dshift[at + i] = (float)sum[i];
        for (int64_t i = 0; j->out->dscale && i < w; i++) {
            const double weight = a->weight ? (double)a->weight[begin + i] : 1.0;
            const double bias = a->bias ? (double)a->bias[begin + i] : 0.0;
            j->out->dscale[at + i] = (float)(weight * product[i] + bias * sum[i]);
        }
    }
    for (int64_t i = 0; j->out->dweight && i < w; i++)
        j->out->dweight[begin + i] = (float)weights[i];
    for (int64_t i = 0; j->out->dbias && i < w; i++)
        j->out->dbias[begin + i] = (float)biases[i];
}

void LT_NAME(lt_norm_collect)(const lt_norm_call *a, int64_t chunks, const float *part, const lt_norm_grads *out)
{
    collection j = {a, chunks, part, out};
    if (out->dweight || out->dbias || out->dscale || out->dshift)
        lt_parallel(a->c, COLUMNS, collect_piece, &j);
}
