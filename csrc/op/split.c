// An axis cut into parts. Between x and its parts stands a node of its own, the trunk: parts write their gradients
// side by side into the trunk's, without a tensor of zeros for each and without an addition.
#include <string.h>

#include "op/shape.h"
#include "op/strided.h"

// Attributes of the trunk: the axis, the number of parts, where each starts and the last one ends, and for the backward
// that is running which have come.
enum { AXIS, PARTS, STARTS };

static int64_t *arrived(int64_t *a)
{
    return a + STARTS + a[PARTS] + 1;
}

static void paste(lt_tensor *whole, const lt_tensor *part, const int64_t *a, int64_t i)
{
    int64_t step[LT_MAX_DIM];
    lt_contiguous_steps(whole->ndim, whole->shape, step);
    lt_strided_paste(whole, part, a[STARTS + i] * step[a[AXIS]], step);
}

// part = its places of x            gradient: into those places of the trunk's
static int part_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_node *trunk = node->input[0];
    int64_t *a = trunk->attributes;
    const int64_t i = *(const int64_t *)node->attributes, axis = a[AXIS];
    if (lt_grad_mode()) {
        int64_t before[LT_MAX_DIM] = {0}, after[LT_MAX_DIM] = {0};
        before[axis] = a[STARTS + i];
        after[axis] = trunk->shape[axis] - a[STARTS + i + 1];
        dx[0] = lt_pad(dy, before, after, 0);
        return dx[0] ? LT_OK : LT_FAIL;
    }
    if (!trunk->sum) {
        trunk->sum = lt_tensor_new(LT_FLOAT32, trunk->ndim, trunk->shape);
        if (!trunk->sum)
            return LT_FAIL;
        memset(arrived(a), 0, (size_t)a[PARTS] * sizeof *a);
    }
    paste(trunk->sum, dy, a, i);
    arrived(a)[i] = 1;
    return LT_OK;
}

// dx = dy, with zeros for parts that nothing was made of
static int trunk_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    int64_t *a = node->attributes;
    for (int64_t i = 0; i < a[PARTS] && !lt_grad_mode(); i++) {
        if (arrived(a)[i])
            continue;
        int64_t shape[LT_MAX_DIM];
        memcpy(shape, node->shape, sizeof shape);
        shape[a[AXIS]] = a[STARTS + i + 1] - a[STARTS + i];
        lt_tensor *zeros = lt_tensor_zeros(LT_FLOAT32, node->ndim, shape);
        if (!zeros)
            return LT_FAIL;
        paste(dy, zeros, a, i);
        lt_release(zeros);
    }
    dx[0] = lt_retain(dy);
    return LT_OK;
}

lt_tensor *lt_split(lt_tensor *x, int axis, int n, const int64_t *sizes)
{
    static const lt_op op = {"split", trunk_backward};
    const size_t bytes = (size_t)(STARTS + 2 * n + 1) * sizeof(int64_t);
    int64_t *a = lt_alloc_zeroed(bytes);
    if (!a)
        return NULL;
    a[AXIS] = axis;
    a[PARTS] = n;
    for (int i = 0; i < n; i++)
        a[STARTS + i + 1] = a[STARTS + i] + sizes[i];
    lt_tensor *trunk = lt_record(lt_tensor_window(x, 0, x->ndim, x->shape), &op, LT_LIST(x), LT_NONE, a, bytes);
    lt_free(a);
    return trunk;
}

lt_tensor *lt_split_part(lt_tensor *trunk, int axis, int64_t start, int64_t count, int i)
{
    static const lt_op op = {"split", part_backward};
    const int64_t number = i;
    lt_tensor *plain = lt_detach(trunk), *y = plain ? lt_narrow(plain, axis, start, count) : NULL;
    lt_release(plain);
    return lt_record(y, &op, LT_LIST(trunk), LT_NONE, &number, sizeof number);
}
