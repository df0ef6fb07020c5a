#include "op/strided.h"

#include <string.h>

#include "base/threads.h"

typedef struct {
    int ndim;
    int64_t size[LT_MAX_DIM], step[LT_MAX_DIM];
    size_t item;
    const char *packed; // the contiguous side
    char *window;       // the strided side
    bool paste;         // packed -> window
} job;

// Merges neighbouring axes that are stepped through as one.
static void merge(job *j, int ndim, const int64_t *shape, const int64_t *step)
{
    for (int i = 0; i < ndim; i++) {
        int last = j->ndim - 1;
        if (shape[i] == 1)
            continue;
        if (j->ndim && j->step[last] == step[i] * shape[i]) {
            j->size[last] *= shape[i];
            j->step[last] = step[i];
        } else {
            j->size[j->ndim] = shape[i];
            j->step[j->ndim++] = step[i];
        }
    }
    if (j->ndim == 0) {
        j->size[0] = j->step[0] = 1;
        j->ndim = 1;
    }
}

static void copy_run(char *restrict to, const char *restrict from, int64_t n, int64_t to_step, int64_t from_step,
                     size_t item)
{
    if (to_step == 1 && from_step == 1)
        memcpy(to, from, (size_t)n * item);
    else if (item == 4)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step * 4, from + i * from_step * 4, 4);
    else
        for (int64_t i = 0; i < n; i++)
            to[i * to_step] = from[i * from_step];
}

static void piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    int last = j->ndim - 1;
    int64_t n = j->size[last], item = (int64_t)j->item;
    for (int64_t run = begin; run < end; run++) {
        int64_t at = 0, rest = run;
        for (int axis = last - 1; axis >= 0; axis--) {
            at += rest % j->size[axis] * j->step[axis];
            rest /= j->size[axis];
        }
        char *window = j->window + at * item, *packed = (char *)j->packed + run * n * item;
        if (j->paste)
            copy_run(window, packed, n, j->step[last], 1, j->item);
        else
            copy_run(packed, window, n, 1, j->step[last], j->item);
    }
}

static void walk(const lt_tensor *packed, const lt_tensor *strided, int64_t offset, const int64_t *step, bool paste)
{
    if (packed->size == 0)
        return;
    job j = {.item = lt_dtype_size(packed->dtype), .packed = packed->data, .paste = paste};
    j.window = (char *)strided->data + offset * (int64_t)j.item;
    merge(&j, packed->ndim, packed->shape, step);
    int64_t n = j.size[j.ndim - 1], grain = (1 << 15) / (n < 1 << 15 ? n : 1 << 15) + 1;
    lt_parallel(packed->size / n, grain, piece, &j);
}

void lt_strided_copy(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step)
{
    walk(y, x, offset, step, false);
}

void lt_strided_paste(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step)
{
    walk(x, y, offset, step, true);
}

void lt_contiguous_steps(int ndim, const int64_t *shape, int64_t *step)
{
    int64_t running = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        step[i] = running;
        running *= shape[i];
    }
}
