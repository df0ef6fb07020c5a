// What the files of the normalisations share. Private to csrc/kernel.
#ifndef LT_KERNEL_NORM_SHARED_H
#define LT_KERNEL_NORM_SHARED_H

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/activate.h"
#include "kernel/isa.h"
#include "kernel/norm.h"

// FOLD: narrow rows are taken several at a time, as one row of at most so many floats. PIECE: floats a chunk, 64 KB:
// what a chunk's passes read again is still in the second level cache.
enum { LT_NORM_FOLD = 256, LT_NORM_PIECE = 1 << 14 };

// A group norm at work. The rows of a sample, (hw, c), are cut into `chunks` of `chunk` rows.
typedef struct {
    const lt_norm_call *a;
    int64_t chunk, chunks;
    const float *x, *dy, *plus;
    float *out;         // y or dx
    float *part;        // (n, chunks, 2, c): forward mean and squared distance, backward sum du and sum du (x - mean)
    float *coef;        // (n, LT_NORM_COEFS, c)
    float *total;       // (n, 2, c), backward: sum du and sum du xhat
    float *mean, *rstd; // forward, out
    const float *saved_mean, *saved_rstd; // backward, in
} lt_norm_job;

typedef struct {
    float mean, rstd;
} lt_norm_moments;

// Squares are summed in float first. Where var + eps is below or above this range, a square may have overflowed, or
// what was lost below the smallest float may count: what was normalised is done again in double, which is rare.
static inline bool lt_norm_in_range(double var_eps)
{
    return var_eps >= 0x1p-100 && var_eps <= 0x1p127;
}

// Numbers a channel: centre, gain = rstd weight (1 + scale), offset = bias (1 + scale) + shift; backward also the rstd,
// the slope and the constant of dx = du gain + (x - centre) rstd slope + constant; there the rstd takes the place of
// the offset, which is no longer needed then.
enum { LT_CENTRE, LT_GAIN, LT_OFFSET, LT_RSTD = LT_OFFSET, LT_SLOPE, LT_CONSTANT, LT_NORM_COEFS };

static inline float *lt_norm_coef(const lt_norm_job *j, int64_t s, int which)
{
    return j->coef + (s * LT_NORM_COEFS + which) * j->a->c;
}

static inline float lt_norm_gain(const lt_norm_call *a, int64_t s, int64_t i) // weight (1 + scale)
{
    const float w = a->weight ? a->weight[i] : 1.0f;
    return a->scale ? w * (1.0f + a->scale[s * a->c + i]) : w;
}

static inline float lt_norm_offset(const lt_norm_call *a, int64_t s, int64_t i) // bias (1 + scale) + shift
{
    const float b = a->bias ? a->bias[i] : 0.0f, t = a->shift ? a->shift[s * a->c + i] : 0.0f;
    return (a->scale ? b * (1.0f + a->scale[s * a->c + i]) : b) + t;
}

static inline int64_t lt_norm_rows_at(const lt_norm_job *j, int64_t k) // rows of a sample's k-th chunk
{
    const int64_t left = j->a->hw - k * j->chunk;
    return left < j->chunk ? left : j->chunk;
}

// How many rows are taken as one: a whole number of cache lines where that fits.
static inline int64_t lt_norm_fold(int64_t rows, int64_t c)
{
    int64_t k = c < LT_NORM_FOLD ? LT_NORM_FOLD / c : 1, lines = 1;
    while (lines * c % 16 != 0)
        lines *= 2;
    k = k > lines ? k / lines * lines : k;
    return k < rows ? k : rows > 0 ? rows : 1;
}

static inline void lt_norm_repeat(int64_t c, int64_t k, const float *from, float *to)
{
    for (int64_t i = 0; i < k; i++)
        memcpy(to + i * c, from, (size_t)c * sizeof *to);
}

// A whole sample that stays in cache is normalised by one thread, which reads it from memory once; where samples are
// large or few, every pass goes over the chunks of all samples. The chunks, so the results, are the same.
enum { LT_NORM_SAMPLE = 1 << 17, LT_NORM_FEW = 8 };

static inline bool lt_norm_by_sample(const lt_norm_call *a)
{
    return a->n >= LT_NORM_FEW && a->hw * a->c <= LT_NORM_SAMPLE;
}

// Chunks, and one block of scratch: parts, coefficients, totals.
static inline int lt_norm_plan(lt_norm_job *j)
{
    const lt_norm_call *a = j->a;
    j->chunk = LT_NORM_PIECE / a->c > 16 ? LT_NORM_PIECE / a->c : 16;
    j->chunks = (a->hw + j->chunk - 1) / j->chunk;
    j->part = lt_alloc((size_t)(a->n * (j->chunks * 2 + LT_NORM_COEFS + 2) * a->c) * sizeof *j->part);
    j->coef = j->part ? j->part + a->n * j->chunks * 2 * a->c : NULL;
    j->total = j->part ? j->coef + a->n * LT_NORM_COEFS * a->c : NULL;
    return j->part ? LT_OK : LT_FAIL;
}

// How many samples (or chunks, where one is large) make a piece worth a thread's while.
static inline int64_t lt_norm_grain(const lt_norm_call *a)
{
    return LT_NORM_PIECE / (a->hw * a->c) + 1;
}

// From parts (n, chunks, 2, c), sum du and sum du xhat, to dweight, dbias, dscale and dshift.
void LT_NAME(lt_norm_collect)(const lt_norm_call *a, int64_t chunks, const float *part, const lt_norm_grads *out);

int LT_NAME(lt_norm_group_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean,
                                const float *rstd, const lt_norm_grads *out);
int LT_NAME(lt_norm_layer)(const lt_norm_call *a, const float *x, float *y, float *mean, float *rstd);
int LT_NAME(lt_norm_layer_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean,
                                const float *rstd, const lt_norm_grads *out);
void LT_NAME(lt_norm_running)(int64_t n, int64_t count, float eps, float momentum, const float *mean, const float *rstd,
                              float *running_mean, float *running_var);

#endif
