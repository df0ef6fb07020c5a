#include "op/strided.h"

#include "base/threads.h"
#include "kernel/kernel.h"

_Static_assert((int)LT_WINDOW_AXES >= (int)LT_MAX_DIM, "a window holds every axis of a tensor");

typedef struct {
    lt_window window;
    char *strided, *packed;
} job;

// Merges neighbouring axes that are stepped through as one.
static lt_window merged(const lt_tensor *packed, const int64_t *step)
{
    lt_window w = {.item = (int64_t)lt_dtype_size(packed->dtype)};
    for (int i = 0; i < packed->ndim; i++) {
        const int last = w.ndim - 1;
        const int64_t size = packed->shape[i];
        if (size == 1)
            continue;
        if (w.ndim && w.step[last] == step[i] * size) {
            w.size[last] *= size;
            w.step[last] = step[i];
        } else {
            w.size[w.ndim] = size;
            w.step[w.ndim++] = step[i];
        }
    }
    if (w.ndim == 0) {
        w.size[0] = w.step[0] = 1;
        w.ndim = 1;
    }
    return w;
}

static void copy_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.copy->take(&j->window, begin, end, j->strided, j->packed);
}

static void paste_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.copy->put(&j->window, begin, end, j->strided, j->packed);
}

static void walk(const lt_tensor *packed, const lt_tensor *strided, int64_t offset, const int64_t *step, lt_piece piece)
{
    if (packed->size == 0)
        return;
    job j = {.window = merged(packed, step), .packed = packed->data};
    j.strided = (char *)strided->data + offset * j.window.item;
    const int64_t n = j.window.size[j.window.ndim - 1], cost = n < 1 << 15 ? n + 16 : 1 << 15;
    lt_parallel(packed->size / n, (1 << 15) / cost + 1, piece, &j);
}

void lt_strided_copy(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step)
{
    walk(y, x, offset, step, copy_piece);
}

void lt_strided_paste(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step)
{
    walk(x, y, offset, step, paste_piece);
}

lt_tensor *lt_copy_of(const lt_tensor *x)
{
    int64_t step[LT_MAX_DIM];
    lt_tensor *y = lt_tensor_like(x);
    lt_contiguous_steps(x->ndim, x->shape, step);
    if (y)
        lt_strided_copy(y, x, 0, step);
    return y;
}

void lt_contiguous_steps(int ndim, const int64_t *shape, int64_t *step)
{
    int64_t running = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        step[i] = running;
        running *= shape[i];
    }
}
