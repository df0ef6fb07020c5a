// Limits on the gradients of a list of parameters.
#include <math.h>
#include <stdlib.h>

#include "base/threads.h"
#include "kernel/kernel.h"
#include "optim/update.h"

enum { ENOUGH = 1 << 15 }; // numbers that are worth a thread

typedef struct {
    int64_t n, grain;
    lt_tensor **gradient;
    double *square; // of each one's length
    float scale;
} clipping;

static void square_piece(void *context, int64_t begin, int64_t end)
{
    const clipping *c = context;
    for (int64_t i = begin; i < end; i++) {
        const lt_tensor *g = c->gradient[i];
        c->square[i] = lt_k.reduce->dot(g->size, lt_f32(g), lt_f32(g));
    }
}

static void scale_piece(void *context, int64_t begin, int64_t end)
{
    const clipping *c = context;
    for (int64_t i = begin; i < end; i++) {
        lt_tensor *g = c->gradient[i];
        lt_k.pointwise->mul_scalar.forward(g->size, lt_f32(g), lt_f32(g), &c->scale);
    }
}

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t) * (lt_tensor *const *)a, y = (uintptr_t) * (lt_tensor *const *)b;
    return (x > y) - (x < y);
}

// A parameter that is listed twice is scaled twice, one after the other. The order of the gradients is lost.
static void scale_all(clipping *c)
{
    qsort(c->gradient, (size_t)c->n, sizeof(lt_tensor *), by_address);
    bool apart = true;
    for (int64_t i = 1; i < c->n; i++)
        apart = apart && c->gradient[i] != c->gradient[i - 1];
    lt_parallel(c->n, apart ? c->grain : c->n, scale_piece, c);
    for (int64_t i = 0; i < c->n; i++)
        lt_touch(c->gradient[i]);
}

// The gradients there are, in order; each is one item of work.
static void gather(clipping *c, lt_tensors params)
{
    int64_t total = 1;
    for (int i = 0; i < params.n; i++) {
        lt_tensor *g = lt_gradient_of(params.tensor[i]);
        if (!g)
            continue;
        c->gradient[c->n++] = g;
        total += g->size;
    }
    c->grain = 1 + c->n * ENOUGH / total;
}

static int check_gradients(lt_tensors params)
{
    for (int i = 0; i < params.n; i++)
        if (lt_check_param(params.tensor[i], i) != LT_OK)
            return LT_FAIL;
    return LT_OK;
}

int lt_clip_grad_norm(lt_tensors params, double max_norm, double *norm)
{
    if (check_gradients(params) != LT_OK)
        return LT_FAIL;
    double *square = lt_alloc((size_t)params.n * (sizeof *square + sizeof(lt_tensor *)));
    if (!square)
        return LT_FAIL;
    clipping c = {.square = square, .gradient = (lt_tensor **)(square + params.n)};
    gather(&c, params);
    lt_parallel(c.n, c.grain, square_piece, &c);
    double sum = 0;
    for (int64_t i = 0; i < c.n; i++)
        sum += square[i];
    *norm = sqrt(sum);
    c.scale = (float)(max_norm / (*norm + 1e-6));
    if (!(c.scale >= 1)) // a NaN norm makes every gradient NaN: it is seen
        scale_all(&c);
    lt_free(square);
    return LT_OK;
}

int lt_clip_grad_value(lt_tensors params, float limit)
{
    const float range[2] = {-limit, limit};
    if (check_gradients(params) != LT_OK)
        return LT_FAIL;
    for (int i = 0; i < params.n; i++) {
        lt_tensor *g = lt_gradient_of(params.tensor[i]);
        if (!g)
            continue;
        lt_k.pointwise->clamp.forward(g->size, lt_f32(g), lt_f32(g), range);
        lt_touch(g);
    }
    return LT_OK;
}
