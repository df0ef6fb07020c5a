// The loops of index.h.
#include "kernel/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "kernel/isa.h"
#include "kernel/simd.h"

static int64_t outside(int64_t n, const int32_t *index, int64_t most)
{
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 1 || index[i] > most)
            return i;
    return n;
}

static void select_rows(const lt_index_shape *s, int64_t item, const void *x, const int32_t *index, void *y)
{
    const size_t bytes = (size_t)(s->inner * item);
    const char *slab = x;
    if (bytes == 0 || s->count == 0) // nothing to copy, however many slabs
        return;
    char *to = y;
    for (int64_t o = 0; o < s->outer; o++, slab += (size_t)s->size * bytes)
        for (int64_t i = 0; i < s->count; i++, to += bytes)
            memcpy(to, slab + (size_t)(index[i] - 1) * bytes, bytes);
}

static void add_rows(const lt_index_shape *s, const float *x, const int32_t *index, float *y)
{
    const int64_t n = s->inner, outer = n > 0 && s->count > 0 ? s->outer : 0;
    for (int64_t o = 0; o < outer; o++, y += s->size * n)
        for (int64_t i = 0; i < s->count; i++, x += n) {
            float *to = y + (index[i] - 1) * n;
            LT_VECTORIZE
            for (int64_t k = 0; k < n; k++)
                to[k] += x[k];
        }
}

static void gather(const lt_index_shape *s, const float *x, const int32_t *index, float *y)
{
    const int64_t n = s->inner, outer = n > 0 && s->count > 0 ? s->outer : 0;
    for (int64_t o = 0; o < outer; o++, x += s->size * n)
        for (int64_t i = 0; i < s->count; i++, index += n, y += n)
            for (int64_t k = 0; k < n; k++)
                y[k] = x[(index[k] - 1) * n + k];
}

static void scatter_add(const lt_index_shape *s, const float *x, const int32_t *index, float *y)
{
    const int64_t n = s->inner, outer = n > 0 && s->count > 0 ? s->outer : 0;
    for (int64_t o = 0; o < outer; o++, y += s->size * n)
        for (int64_t i = 0; i < s->count; i++, index += n, x += n)
            for (int64_t k = 0; k < n; k++)
                y[(index[k] - 1) * n + k] += x[k];
}

static void mark(int64_t n, int64_t size, const int32_t *index, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i * size + index[i] - 1] = 1.0f;
}

static void triangle(int64_t rows, int64_t columns, int64_t shift, float *y)
{
    for (int64_t i = 0; columns > 0 && i < rows; i++, y += columns)
        for (int64_t j = 0; j < columns; j++)
            y[j] = j <= i + shift ? 1.0f : 0.0f;
}

// ---- argsort: pairs of value and place, so that equal values keep their order ---------------------------------------

typedef struct {
    float value;
    int32_t place;
} keyed;

static int ascending(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    const int nan = (x->value != x->value) - (y->value != y->value); // NaN after everything
    if (nan)
        return nan;
    if (x->value < y->value)
        return -1;
    return x->value > y->value ? 1 : x->place - y->place;
}

static int argsort(int64_t outer, int64_t r, int64_t inner, const float *x, bool descending, int32_t *y)
{
    if (outer * r * inner == 0) // no element, however long the other axes are
        return LT_OK;
    keyed *line = lt_alloc((size_t)r * sizeof *line);
    if (!line)
        return LT_FAIL;
    for (int64_t k = 0; k < outer * inner; k++) {
        const int64_t at = k / inner * r * inner + k % inner;
        for (int64_t i = 0; i < r; i++) {
            const float value = x[at + i * inner];
            line[i] = (keyed){descending ? -value : value, (int32_t)i + 1};
        }
        qsort(line, (size_t)r, sizeof *line, ascending);
        for (int64_t i = 0; i < r; i++)
            y[at + i * inner] = line[i].place;
    }
    lt_free(line);
    return LT_OK;
}

const lt_index_kernels LT_NAME(lt_index) = {
    .outside = outside,
    .select = select_rows,
    .add = add_rows,
    .gather = gather,
    .scatter_add = scatter_add,
    .mark = mark,
    .triangle = triangle,
    .argsort = argsort,
};
