// Several tensors into one, along an old axis (cat) or a new one (stack).
#include <string.h>

#include "op/shape.h"
#include "op/strided.h"

// y = x_1 | x_2 | ...           dx_i = its places of dy     saved: nothing
static int cat_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    int axis = *(int *)node->attributes;
    const int64_t *start = (const int64_t *)((const char *)node->attributes + sizeof(int64_t));
    for (int i = 0; i < node->inputs; i++)
        if (lt_wants(node, i) && !(dx[i] = lt_narrow(dy, axis, start[i], start[i + 1] - start[i])))
            return LT_FAIL;
    return LT_OK;
}

static int check(int n, lt_tensor *const *x, int axis, int64_t *shape)
{
    memcpy(shape, x[0]->shape, LT_MAX_DIM * sizeof *shape);
    for (int i = 1; i < n; i++) {
        bool fits = x[i]->ndim == x[0]->ndim && x[i]->dtype == x[0]->dtype;
        for (int k = 0; k < x[0]->ndim && fits; k++)
            fits = k == axis || x[i]->shape[k] == x[0]->shape[k];
        if (!fits)
            return lt_fail_arg(1, "tensors: number %d is %s %s, number 1 is %s %s", i + 1, lt_dtype_name(x[i]->dtype),
                               lt_shape_text(x[i]), lt_dtype_name(x[0]->dtype), lt_shape_text(x[0]));
        if (__builtin_add_overflow(shape[axis], x[i]->shape[axis], &shape[axis]))
            return lt_fail_arg(1, "tensors: too large together");
    }
    return LT_OK;
}

lt_tensor *lt_cat(int n, lt_tensor *const *x, int axis)
{
    static const lt_op op = {"cat", cat_backward};
    int64_t shape[LT_MAX_DIM], step[LT_MAX_DIM];
    if (check(n, x, axis, shape) != LT_OK)
        return NULL;
    size_t bytes = ((size_t)n + 2) * sizeof(int64_t);
    int64_t *kept = lt_alloc(bytes); // the axis, then where each input starts and the last one ends
    lt_tensor *y = kept ? lt_tensor_new(x[0]->dtype, x[0]->ndim, shape) : NULL;
    if (y) {
        lt_contiguous_steps(y->ndim, shape, step);
        memset(kept, 0, bytes);
        memcpy(kept, &axis, sizeof axis);
        for (int i = 0; i < n; i++) {
            lt_strided_paste(y, x[i], kept[i + 1] * step[axis], step);
            kept[i + 2] = kept[i + 1] + x[i]->shape[axis];
        }
        y = lt_record(y, &op, n, x, LT_NONE, kept, bytes);
    }
    lt_free(kept);
    return y;
}

lt_tensor *lt_stack(int n, lt_tensor *const *x, int axis)
{
    lt_tensor **flat = lt_alloc((size_t)n * sizeof *flat), *y = NULL;
    int made = 0;
    for (; flat && made < n; made++) {
        int64_t shape[LT_MAX_DIM];
        if (x[made]->ndim == LT_MAX_DIM || axis > x[made]->ndim) {
            lt_fail_arg(1, "tensors: number %d has %d axes", made + 1, x[made]->ndim);
            break;
        }
        memcpy(shape, x[made]->shape, (size_t)axis * sizeof *shape);
        shape[axis] = 1;
        memcpy(shape + axis + 1, x[made]->shape + axis, (size_t)(x[made]->ndim - axis) * sizeof *shape);
        if (!(flat[made] = lt_view(x[made], x[made]->ndim + 1, shape)))
            break;
    }
    if (flat && made == n)
        y = lt_cat(n, flat, axis);
    while (made-- > 0)
        lt_release(flat[made]);
    lt_free(flat);
    return y;
}
