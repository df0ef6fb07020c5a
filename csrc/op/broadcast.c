#include "op/broadcast.h"

#include "base/threads.h"

enum { GRAIN = 1 << 15 };

static int64_t size_at(const lt_tensor *t, int ndim, int axis)
{
    int own = axis - (ndim - t->ndim); // aligned at the last axis
    return own < 0 ? 1 : t->shape[own];
}

int lt_broadcast_shape(int n, lt_tensor *const *x, int64_t *shape, int *ndim)
{
    *ndim = 0;
    for (int k = 0; k < n; k++)
        if (x[k]->ndim > *ndim)
            *ndim = x[k]->ndim;
    for (int i = 0; i < *ndim; i++) {
        shape[i] = 1;
        for (int k = 0; k < n; k++) {
            int64_t size = size_at(x[k], *ndim, i);
            if (size == 1 || size == shape[i])
                continue;
            if (shape[i] != 1)
                return lt_fail_arg(k + 1, "shapes do not broadcast: %s and %s", lt_shape_text(x[k ? k - 1 : 0]),
                                   lt_shape_text(x[k]));
            shape[i] = size;
        }
    }
    return LT_OK;
}

static bool mergeable(const lt_broadcast *b, int n, int64_t size, const int64_t *step)
{
    int last = b->ndim - 1;
    for (int k = 0; k < n; k++)
        if (b->step[k][last] != step[k] * size)
            return false;
    return true;
}

lt_broadcast lt_broadcast_plan(int n, lt_tensor *const *x, int ndim, const int64_t *shape)
{
    lt_broadcast b = {.operands = n};
    int64_t stride[LT_OPERANDS][LT_MAX_DIM];
    for (int k = 0; k < n; k++) {
        int64_t running = 1;
        for (int i = ndim - 1; i >= 0; i--) {
            int64_t size = size_at(x[k], ndim, i);
            stride[k][i] = size == 1 ? 0 : running;
            running *= size;
        }
    }
    for (int i = 0; i < ndim; i++) {
        int64_t step[LT_OPERANDS];
        if (shape[i] == 1)
            continue;
        for (int k = 0; k < n; k++)
            step[k] = stride[k][i];
        if (b.ndim && mergeable(&b, n, shape[i], step))
            b.size[b.ndim - 1] *= shape[i];
        else
            b.size[b.ndim++] = shape[i];
        for (int k = 0; k < n; k++)
            b.step[k][b.ndim - 1] = step[k];
    }
    if (b.ndim == 0) // one element
        b.size[b.ndim++] = 1;
    return b;
}

int64_t lt_broadcast_runs(const lt_broadcast *b)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < b->ndim; i++)
        n *= b->size[i];
    return n;
}

void lt_broadcast_at(const lt_broadcast *b, int64_t i, int64_t *offset)
{
    for (int k = 0; k < b->operands; k++)
        offset[k] = 0;
    for (int axis = b->ndim - 2; axis >= 0; axis--) {
        int64_t place = i % b->size[axis];
        i /= b->size[axis];
        for (int k = 0; k < b->operands; k++)
            offset[k] += place * b->step[k][axis];
    }
}

typedef struct {
    const lt_broadcast *plan;
    lt_broadcast_piece f;
    const void *context;
} job;

// The places of a run's operands, from those of the run before it: an axis that is at its end starts again, and the
// one before it goes on.
static void next_run(const lt_broadcast *b, int64_t *place, int64_t *at)
{
    for (int axis = b->ndim - 2; axis >= 0; axis--) {
        const bool goes_on = ++place[axis] < b->size[axis];
        for (int k = 0; k < LT_OPERANDS; k++)
            at[k] += goes_on ? b->step[k][axis] : -(b->size[axis] - 1) * b->step[k][axis];
        if (goes_on)
            return;
        place[axis] = 0;
    }
}

static void runs_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t n = j->plan->size[j->plan->ndim - 1];
    int64_t at[LT_OPERANDS] = {0}, place[LT_MAX_DIM], rest = begin;
    for (int axis = j->plan->ndim - 2; axis >= 0; axis--) {
        place[axis] = rest % j->plan->size[axis];
        rest /= j->plan->size[axis];
    }
    lt_broadcast_at(j->plan, begin, at);
    for (int64_t i = begin; i < end; i++, next_run(j->plan, place, at))
        j->f(j->context, n, at, i * n);
}

static void flat_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t at[LT_OPERANDS] = {0};
    for (int k = 0; k < j->plan->operands; k++)
        at[k] = begin * j->plan->step[k][0];
    j->f(j->context, end - begin, at, begin);
}

void lt_broadcast_each(const lt_broadcast *b, lt_broadcast_piece f, const void *context)
{
    job j = {b, f, context};
    const int64_t n = b->size[b->ndim - 1];
    if (b->ndim == 1)
        lt_parallel(n, GRAIN, flat_piece, &j);
    else
        lt_parallel(lt_broadcast_runs(b), GRAIN / (n < GRAIN ? n + 1 : GRAIN) + 1, runs_piece, &j);
}
