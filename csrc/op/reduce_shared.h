// The axes of a reduction. Private to csrc/op.
#ifndef LT_OP_REDUCE_SHARED_H
#define LT_OP_REDUCE_SHARED_H

#include <string.h>

#include "op/reduce.h"

typedef struct {
    int n, axes[LT_MAX_DIM]; // sorted
} lt_axis_set;

static inline lt_axis_set lt_axes_or_all(const lt_tensor *x, int n, const int *axes)
{
    lt_axis_set s = {n, {0}};
    if (n == 0)
        for (; s.n < x->ndim; s.n++)
            s.axes[s.n] = s.n;
    else
        memcpy(s.axes, axes, (size_t)n * sizeof *axes);
    return s;
}

static inline bool lt_reduced(const lt_axis_set *s, int axis)
{
    for (int i = 0; i < s->n; i++)
        if (s->axes[i] == axis)
            return true;
    return false;
}

static inline int lt_reduced_shape(const lt_tensor *x, const lt_axis_set *s, bool keepdim, int64_t *shape)
{
    int ndim = 0;
    for (int i = 0; i < x->ndim; i++)
        if (!lt_reduced(s, i))
            shape[ndim++] = x->shape[i];
        else if (keepdim)
            shape[ndim++] = 1;
    return ndim;
}

static inline int64_t lt_reduced_count(const lt_tensor *x, const lt_axis_set *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->n; i++)
        n *= x->shape[s->axes[i]];
    return n;
}

#endif
