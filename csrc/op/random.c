#include "op/random.h"

#include <string.h>

#include "base/threads.h"

typedef struct {
    lt_random *const *generator;
    int64_t size;
    float *y;
} job;

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++)
        lt_random_fill_normal(j->generator[i], j->y + i * j->size, j->size);
}

lt_tensor *lt_randn_each(int n, lt_random *const *generator, int ndim, const int64_t *sizes)
{
    int64_t shape[LT_MAX_DIM] = {n};
    if (ndim >= LT_MAX_DIM)
        return lt_fail_arg(2, "sizes: at most %d, got %d", LT_MAX_DIM - 1, ndim), NULL;
    memcpy(shape + 1, sizes, (size_t)ndim * sizeof *sizes);
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim + 1, shape);
    if (y && y->size) {
        job j = {generator, y->size / n, lt_f32(y)};
        lt_parallel(n, 1, piece, &j);
    }
    return y;
}
