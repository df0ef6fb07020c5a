#include "optim/update.h"

#include <math.h>
#include <stdlib.h>

#include "base/threads.h"
#include "kernel/kernel.h"

enum { CHUNK = 1 << 14 };

typedef union {
    lt_sgd sgd;
    lt_adam adam;
    lt_rmsprop rmsprop;
    lt_lion lion;
    float number;
} settings;

// What one parameter's update works on; a and b are its state, or NULL.
typedef struct {
    int64_t n, first_piece;
    float *p, *a, *b;
    const float *g;
} part;

typedef struct job job;
struct job {
    int n;
    part *part; // those with something to do
    settings set;
    void (*update)(const job *s, const part *part, int64_t at, int64_t n);
};

// ---- checks ---------------------------------------------------------------------------------------------------------

lt_tensor *lt_gradient_of(const lt_tensor *p)
{
    return p->node && lt_is_leaf(p) ? p->node->grad : NULL;
}

int lt_check_param(const lt_tensor *p, int i)
{
    if (p->dtype != LT_FLOAT32)
        return lt_fail_arg(1, "params: item %d: expected float32 tensor, got %s", i + 1, lt_dtype_name(p->dtype));
    if (p->node && !lt_is_leaf(p))
        return lt_fail_arg(1, "params: item %d is the result of '%s', not a parameter", i + 1, p->node->name);
    const lt_tensor *g = lt_gradient_of(p);
    if (g && !lt_same_shape(p, g))
        return lt_fail_arg(1, "params: item %d has shape %s, its gradient %s", i + 1, lt_shape_text(p),
                           lt_shape_text(g));
    return LT_OK;
}

static int check_state(lt_tensors params, lt_tensors state, int arg, const char *name)
{
    if (!state.tensor)
        return LT_OK;
    if (state.n != params.n)
        return lt_fail_arg(arg, "%s: expected %d tensors, got %d", name, params.n, state.n);
    for (int i = 0; i < state.n; i++) {
        const lt_tensor *t = state.tensor[i];
        if (t->dtype != LT_FLOAT32 || !lt_same_shape(t, params.tensor[i]))
            return lt_fail_arg(arg, "%s: item %d: expected float32 %s, got %s %s", name, i + 1,
                               lt_shape_text(params.tensor[i]), lt_dtype_name(t->dtype), lt_shape_text(t));
        if (t->node)
            return lt_fail_arg(arg, "%s: item %d: expected a plain tensor, got one on the tape", name, i + 1);
    }
    return LT_OK;
}

typedef struct {
    const char *begin, *end;
} span;

static int by_begin(const void *a, const void *b)
{
    const char *x = ((const span *)a)->begin, *y = ((const span *)b)->begin;
    return (x > y) - (x < y);
}

static bool apart(int n, span *spans)
{
    qsort(spans, (size_t)n, sizeof *spans, by_begin);
    for (int i = 1; i < n; i++)
        if (spans[i].begin < spans[i - 1].end)
            return false;
    return true;
}

static int64_t add_spans(lt_tensors list, span *spans, int64_t n)
{
    for (int i = 0; list.tensor && i < list.n; i++) {
        const lt_tensor *t = list.tensor[i];
        if (t->size)
            spans[n++] = (span){t->data, (const char *)t->data + (size_t)t->size * sizeof(float)};
    }
    return n;
}

int lt_check_update(lt_tensors params, lt_tensors a, const char *a_name, lt_tensors b, const char *b_name)
{
    for (int i = 0; i < params.n; i++)
        if (lt_check_param(params.tensor[i], i) != LT_OK)
            return LT_FAIL;
    if (check_state(params, a, 2, a_name) != LT_OK || check_state(params, b, 3, b_name) != LT_OK)
        return LT_FAIL;
    span *spans = lt_alloc(3 * (size_t)params.n * sizeof *spans);
    if (!spans)
        return LT_FAIL;
    const int64_t n = add_spans(b, spans, add_spans(a, spans, add_spans(params, spans, 0)));
    // two threads must not write the same memory: no tensor may be listed twice, in part or as a whole
    const bool good = apart((int)n, spans);
    lt_free(spans);
    return good ? LT_OK : lt_fail_arg(1, "params: two of the tensors to be updated share memory");
}

// ---- the pass over all parameters -----------------------------------------------------------------------------------

static const part *part_of(const job *s, int64_t piece) // the last part that begins at or before the piece
{
    int low = 0, high = s->n - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (s->part[middle].first_piece <= piece)
            low = middle;
        else
            high = middle - 1;
    }
    return &s->part[low];
}

static void run_pieces(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    for (int64_t i = begin; i < end; i++) {
        const part *p = part_of(s, i);
        const int64_t at = (i - p->first_piece) * CHUNK;
        s->update(s, p, at, p->n - at < CHUNK ? p->n - at : CHUNK);
    }
}

static float *state_of(lt_tensors list, int i)
{
    return list.tensor ? lt_f32(list.tensor[i]) : NULL;
}

// Everything has been checked. sources: where g comes from instead of the gradients (ema).
static int run(job *s, lt_tensors params, lt_tensors a, lt_tensors b, lt_tensors sources)
{
    int64_t pieces = 0, total = 0;
    s->n = 0;
    s->part = lt_alloc((size_t)params.n * sizeof *s->part);
    if (!s->part)
        return LT_FAIL;
    for (int i = 0; i < params.n; i++) {
        lt_tensor *p = params.tensor[i], *g = sources.tensor ? sources.tensor[i] : lt_gradient_of(p);
        if (!g || p->size == 0)
            continue;
        s->part[s->n++] = (part){p->size, pieces, lt_f32(p), state_of(a, i), state_of(b, i), lt_f32(g)};
        pieces += (p->size + CHUNK - 1) / CHUNK;
        total += p->size;
        lt_touch(p);
        if (a.tensor)
            lt_touch(a.tensor[i]);
        if (b.tensor)
            lt_touch(b.tensor[i]);
    }
    lt_parallel(pieces, pieces * CHUNK / (total + 1), run_pieces, s); // small ones go together
    lt_free(s->part);
    return LT_OK;
}

static const lt_tensors none = {0, NULL};

// ---- one function an optimizer --------------------------------------------------------------------------------------

static void sgd(const job *s, const part *p, int64_t at, int64_t n)
{
    lt_k.update->sgd(n, p->p + at, p->g + at, p->a ? p->a + at : NULL, &s->set.sgd);
}

int lt_sgd_update(lt_tensors params, lt_tensors momenta, lt_sgd set)
{
    job s = {.set = {.sgd = set}, .update = sgd};
    if (lt_check_update(params, momenta, "momenta", none, "") != LT_OK)
        return LT_FAIL;
    return run(&s, params, momenta, none, none);
}

static void adam(const job *s, const part *p, int64_t at, int64_t n)
{
    lt_k.update->adam(n, p->p + at, p->g + at, p->a + at, p->b + at, &s->set.adam);
}

int lt_adam_update(lt_tensors params, lt_tensors exp_avg, lt_tensors exp_avg_sq, lt_adam set)
{
    job s = {.set = {.adam = set}, .update = adam};
    if (lt_check_update(params, exp_avg, "exp_avg", exp_avg_sq, "exp_avg_sq") != LT_OK)
        return LT_FAIL;
    return run(&s, params, exp_avg, exp_avg_sq, none);
}

static void rmsprop(const job *s, const part *p, int64_t at, int64_t n)
{
    lt_k.update->rmsprop(n, p->p + at, p->g + at, p->a + at, p->b ? p->b + at : NULL, &s->set.rmsprop);
}

int lt_rmsprop_update(lt_tensors params, lt_tensors square_avg, lt_tensors momenta, lt_rmsprop set)
{
    job s = {.set = {.rmsprop = set}, .update = rmsprop};
    if (lt_check_update(params, square_avg, "square_avg", momenta, "momenta") != LT_OK)
        return LT_FAIL;
    return run(&s, params, square_avg, momenta, none);
}

static void lion(const job *s, const part *p, int64_t at, int64_t n)
{
    lt_k.update->lion(n, p->p + at, p->g + at, p->a + at, &s->set.lion);
}

int lt_lion_update(lt_tensors params, lt_tensors exp_avg, lt_lion set)
{
    job s = {.set = {.lion = set}, .update = lion};
    if (lt_check_update(params, exp_avg, "exp_avg", none, "") != LT_OK)
        return LT_FAIL;
    return run(&s, params, exp_avg, none, none);
}

static void ema(const job *s, const part *p, int64_t at, int64_t n)
{
    lt_k.update->ema(n, p->p + at, p->g + at, s->set.number);
}

int lt_ema_update(lt_tensors targets, lt_tensors sources, float decay)
{
    job s = {.set = {.number = decay}, .update = ema};
    if (sources.n != targets.n)
        return lt_fail_arg(2, "sources: expected %d tensors, got %d", targets.n, sources.n);
    for (int i = 0; i < targets.n; i++) {
        const lt_tensor *t = targets.tensor[i], *from = sources.tensor[i];
        if (t->dtype != LT_FLOAT32)
            return lt_fail_arg(1, "targets: item %d: expected float32, got %s", i + 1, lt_dtype_name(t->dtype));
        if (lt_may_edit(t, 1) != LT_OK)
            return LT_FAIL;
        if (from->dtype != LT_FLOAT32 || !lt_same_shape(t, from))
            return lt_fail_arg(2, "sources: item %d: expected float32 %s, got %s %s", i + 1, lt_shape_text(t),
                               lt_dtype_name(from->dtype), lt_shape_text(from));
    }
    if (lt_check_update(targets, none, "", none, "") != LT_OK)
        return LT_FAIL;
    return run(&s, targets, none, none, sources);
}
