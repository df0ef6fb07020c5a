#include "op/strided.h"

#include <string.h>

#include "base/threads.h"
#include "kernel/kernel.h"

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

// Runs are often as short as the channels of a picture: whole cache lines go by without a call.
static inline void copy_bytes(char *restrict to, const char *restrict from, size_t n)
{
    if (n > 1024) {
        memcpy(to, from, n);
        return;
    }
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        memcpy(to + i, from + i, 64);
    for (; i + 16 <= n; i += 16)
        memcpy(to + i, from + i, 16);
    for (; i + 4 <= n; i += 4)
        memcpy(to + i, from + i, 4);
    for (; i < n; i++)
        to[i] = from[i];
}

static void copy_run(char *restrict to, const char *restrict from, int64_t n, int64_t to_step, int64_t from_step,
                     size_t item)
{
    if (to_step == 1 && from_step == 1)
        copy_bytes(to, from, (size_t)n * item);
    else if (item == 4 && from_step == 0)
        lt_k.pointwise->fill(n, *(const float *)from, (float *)to);
    else if (item == 4)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step * 4, from + i * from_step * 4, 4);
    else
        for (int64_t i = 0; i < n; i++)
            to[i * to_step] = from[i * from_step];
}

// Where run `run` lies in the window, and how many runs follow at the same distance from each other.
static int64_t place(const job *j, int64_t run, int64_t *same)
{
    int64_t at = 0;
    *same = 1;
    for (int axis = j->ndim - 2; axis >= 0; axis--) {
        const int64_t k = run % j->size[axis];
        if (axis == j->ndim - 2)
            *same = j->size[axis] - k;
        at += k * j->step[axis];
        run /= j->size[axis];
    }
    return at;
}

// Runs of a few floats, all `apart` bytes from each other: the copy of a constant size is an instruction or two.
static inline __attribute__((always_inline)) void small_runs(const job *j, int64_t runs, const size_t bytes,
                                                             char *window, int64_t apart, char *packed)
{
    for (; runs > 0; runs--, window += apart, packed += bytes)
        if (j->paste)
            memcpy(window, packed, bytes);
        else
            memcpy(packed, window, bytes);
}

static bool copied_small(const job *j, int64_t runs, size_t bytes, char *window, int64_t apart, char *packed)
{
    switch (bytes) {
    case 8:
        small_runs(j, runs, 8, window, apart, packed);
        return true;
    case 16:
        small_runs(j, runs, 16, window, apart, packed);
        return true;
    case 32:
        small_runs(j, runs, 32, window, apart, packed);
        return true;
    default:
        return false;
    }
}

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int last = j->ndim - 1;
    const int64_t n = j->size[last], step = j->step[last], item = (int64_t)j->item;
    const int64_t apart = last ? j->step[last - 1] * item : 0;
    for (int64_t run = begin; run < end;) {
        int64_t same;
        char *window = j->window + place(j, run, &same) * item, *packed = (char *)j->packed + run * n * item;
        same = same < end - run ? same : end - run;
        if (step == 1 && copied_small(j, same, (size_t)(n * item), window, apart, packed)) {
            run += same;
            continue;
        }
        for (; same > 0; same--, run++, window += apart, packed += n * item) {
            if (j->paste)
                copy_run(window, packed, n, step, 1, j->item);
            else
                copy_run(packed, window, n, 1, step, j->item);
        }
    }
}

static void walk(const lt_tensor *packed, const lt_tensor *strided, int64_t offset, const int64_t *step, bool paste)
{
    if (packed->size == 0)
        return;
    job j = {.item = lt_dtype_size(packed->dtype), .packed = packed->data, .paste = paste};
    j.window = (char *)strided->data + offset * (int64_t)j.item;
    merge(&j, packed->ndim, packed->shape, step);
    const int64_t n = j.size[j.ndim - 1], cost = n < 1 << 15 ? n + 16 : 1 << 15, grain = (1 << 15) / cost + 1;
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
