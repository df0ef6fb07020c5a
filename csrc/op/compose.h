// Operations made of operations, without a line of clean-up each: intermediate tensors go into a scratch list that is
// released at once. Every function takes NULL (after a failure) for an operand and then gives NULL.
#ifndef LT_OP_COMPOSE_H
#define LT_OP_COMPOSE_H

#include "op/arith.h"
#include "op/reduce.h"
#include "op/shape.h"

enum { LT_SCRATCH_MAX = 64 };

typedef struct {
    int n;
    lt_tensor *tensor[LT_SCRATCH_MAX];
} lt_scratch;

static inline lt_tensor *lt_keep(lt_scratch *s, lt_tensor *t) // the scratch list takes the reference
{
    if (t)
        s->tensor[s->n++] = t;
    return t;
}

static inline lt_tensor *lt_then(lt_scratch *s, lt_tensor *(*f)(lt_tensor *, lt_tensor *), lt_tensor *a, lt_tensor *b)
{
    return a && b ? lt_keep(s, f(a, b)) : NULL;
}

static inline lt_tensor *lt_then_unary(lt_scratch *s, const lt_unary_kernel *f, lt_tensor *x, float p0, float p1)
{
    return x ? lt_keep(s, lt_unary(f, x, p0, p1)) : NULL;
}

static inline lt_tensor *lt_then_scale(lt_scratch *s, lt_tensor *x, float v)
{
    return x ? lt_keep(s, lt_mul_scalar(x, v)) : NULL;
}

static inline lt_tensor *lt_then_shift(lt_scratch *s, lt_tensor *x, float v)
{
    return x ? lt_keep(s, lt_add_scalar(x, v)) : NULL;
}

static inline lt_tensor *lt_then_sum(lt_scratch *s, lt_tensor *x, int n, const int *axes) // axes stay, with size 1
{
    return x ? lt_keep(s, lt_sum(x, n, axes, true)) : NULL;
}

static inline lt_tensor *lt_then_mean(lt_scratch *s, lt_tensor *x, int n, const int *axes)
{
    return x ? lt_keep(s, lt_mean(x, n, axes, true)) : NULL;
}

static inline lt_tensor *lt_then_view(lt_scratch *s, lt_tensor *x, int ndim, const int64_t *shape)
{
    return x ? lt_keep(s, lt_view(x, ndim, shape)) : NULL;
}

// Releases everything in the list and returns `result` with a reference of its own (NULL stays NULL).
static inline lt_tensor *lt_finish(lt_scratch *s, lt_tensor *result)
{
    lt_retain(result);
    while (s->n > 0)
        lt_release(s->tensor[--s->n]);
    return result;
}

#endif
