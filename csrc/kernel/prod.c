// The product of all other values of a column, without a division, so that zeros are no exception:
//
//   y_k = before_k after_k                            before_k = x_1 ... x_(k-1), after_k = x_(k+1) ... x_r
//   y_k' = before_k after_k' + before_k' after_k      derivatives in the direction g, by the product rule
#include "kernel/prod.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/simd.h"

enum { PIECE = 1 << 13 };

typedef struct {
    double value, slope; // of a product so far, and its derivative in the direction g
} partial;

typedef struct {
    int64_t r, inner;
    const float *x, *g;
    float *y;
    partial *after; // r of them for each thread
} job;

static partial times(partial p, double x, double g)
{
    return (partial){p.value * x, p.slope * x + p.value * g};
}

static void column(const job *j, int64_t at, partial *after)
{
    partial p = {1, 0};
    for (int64_t k = j->r - 1; k >= 0; k--) {
        const int64_t i = at + k * j->inner;
        after[k] = p;
        p = times(p, (double)j->x[i], j->g ? (double)j->g[i] : 0);
    }
    p = (partial){1, 0};
    for (int64_t k = 0; k < j->r; k++) {
        const int64_t i = at + k * j->inner;
        const double x = (double)j->x[i], g = j->g ? (double)j->g[i] : 0;
        j->y[i] = (float)(j->g ? p.value * after[k].slope + p.slope * after[k].value : p.value * after[k].value);
        p = times(p, x, g);
    }
}

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    partial *after = j->after + lt_thread_index() * j->r;
    for (int64_t i = begin; i < end; i++)
        column(j, i / j->inner * j->r * j->inner + i % j->inner, after);
}

int LT_NAME(lt_prod_others)(int64_t outer, int64_t r, int64_t inner, const float *x, const float *g, float *y)
{
    if (outer * inner * r == 0)
        return LT_OK;
    job j = {r, inner, x, g, y, lt_alloc((size_t)lt_threads() * (size_t)r * sizeof *j.after)};
    if (!j.after)
        return LT_FAIL;
    lt_parallel(outer * inner, PIECE / (r + 1) + 1, piece, &j);
    lt_free(j.after);
    return LT_OK;
}
