// y = c_1 t_1 + c_2 t_2 + ... + c_k t_k, shapes equal, numbers c: one pass over memory.
//
//   dt_i = c_i dy                                                                          saved: nothing but c
#include "op/combine.h"

#include <string.h>

#include "base/threads.h"
#include "op/arith.h"

// Sums grow in y, in pieces that stay in the cache nearest to the processor.
enum { GRAIN = 1 << 14, BLOCK = 1 << 10 };

typedef struct {
    int n;
    const float *t[LT_COMBINE_MAX];
    float c[LT_COMBINE_MAX];
    float *y;
} job;

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i += BLOCK) {
        const int64_t n = end - i < BLOCK ? end - i : BLOCK;
        lt_k.pointwise->mul_scalar.forward(n, j->t[0] + i, j->y + i, j->c);
        for (int k = 1; k < j->n; k++)
            lt_k.pointwise->axpy(n, j->c[k], j->t[k] + i, j->y + i);
    }
}

static int combine_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const float *c = node->attributes;
    for (int i = 0; i < node->inputs; i++)
        if (lt_wants(node, i) && !(dx[i] = lt_mul_scalar(dy, c[i])))
            return LT_FAIL;
    return LT_OK;
}

lt_tensor *lt_combine(int n, lt_tensor *const *t, const float *c)
{
    static const lt_op op = {"combine", combine_backward};
    job j = {.n = n};
    if (n < 1 || n > LT_COMBINE_MAX)
        return lt_fail_arg(1, "tensors: expected 1 to %d, got %d", LT_COMBINE_MAX, n), NULL;
    for (int i = 0; i < n; i++) {
        if (t[i]->dtype != LT_FLOAT32 || !lt_same_shape(t[i], t[0]))
            return lt_fail_arg(1, "tensors: item %d: expected float32 %s, got %s %s", i + 1, lt_shape_text(t[0]),
                               lt_dtype_name(t[i]->dtype), lt_shape_text(t[i])),
                   NULL;
        j.t[i] = lt_f32(t[i]);
    }
    memcpy(j.c, c, (size_t)n * sizeof *c);
    lt_tensor *y = lt_tensor_like(t[0]);
    if (y) {
        j.y = lt_f32(y);
        lt_parallel(y->size, GRAIN, piece, &j);
    }
    return lt_record(y, &op, n, t, LT_NONE, c, (size_t)n * sizeof *c);
}
