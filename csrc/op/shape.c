#include "op/shape.h"

#include <string.h>

#include "kernel/kernel.h"
#include "op/broadcast.h"
#include "op/reduce.h"
#include "op/strided.h"

// ---- view: the same memory under another shape           dx = view(dy)
static int view_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_view(dy, node->input[0]->ndim, node->input[0]->shape);
    return dx[0] ? LT_OK : LT_FAIL;
}

// Works out a -1; LT_FAIL when the number of elements does not come out.
static int complete(const lt_tensor *x, int ndim, const int64_t *shape, int64_t *full)
{
    int64_t known = 1;
    int hole = -1;
    for (int i = 0; i < ndim; i++) {
        full[i] = shape[i];
        if (shape[i] == -1 && hole < 0)
            hole = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known))
            return lt_fail_arg(2, "sizes: %s is no shape", lt_shape_text_of(ndim, shape));
    }
    if (hole >= 0 && known > 0 && x->size % known == 0) {
        full[hole] = x->size / known;
        return LT_OK;
    }
    if (hole >= 0 || known != x->size)
        return lt_fail_arg(2, "sizes: %s does not fit a tensor of shape %s", lt_shape_text_of(ndim, shape),
                           lt_shape_text(x));
    return LT_OK;
}

lt_tensor *lt_view(lt_tensor *x, int ndim, const int64_t *shape)
{
    static const lt_op op = {"view", view_backward};
    int64_t full[LT_MAX_DIM];
    if (complete(x, ndim, shape, full) != LT_OK)
        return NULL;
    return lt_record(lt_tensor_window(x, 0, ndim, full), &op, LT_LIST(x), LT_NONE, NULL, 0);
}

lt_tensor *lt_view_as(lt_tensor *x, const lt_tensor *like)
{
    return lt_view(x, like->ndim, like->shape);
}

// ---- permute: y[i, j, ...] = x[..., j, ..., i]            dx = the inverse permutation of dy
static int permute_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const int *order = node->attributes;
    int inverse[LT_MAX_DIM];
    for (int i = 0; i < dy->ndim; i++)
        inverse[order[i]] = i;
    dx[0] = lt_permute(dy, inverse);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_permute(lt_tensor *x, const int *order)
{
    static const lt_op op = {"permute", permute_backward};
    int64_t shape[LT_MAX_DIM], own[LT_MAX_DIM], step[LT_MAX_DIM];
    lt_contiguous_steps(x->ndim, x->shape, own);
    for (int i = 0; i < x->ndim; i++) {
        shape[i] = x->shape[order[i]];
        step[i] = own[order[i]];
    }
    lt_tensor *y = lt_tensor_new(x->dtype, x->ndim, shape);
    if (y)
        lt_strided_copy(y, x, 0, step);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, order, (size_t)x->ndim * sizeof *order);
}

// ---- narrow: count places of one axis                     dx = dy between zeros
typedef struct {
    int axis;
    int64_t start;
} narrow_settings;

static int narrow_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const narrow_settings *set = node->attributes;
    int64_t before[LT_MAX_DIM] = {0}, after[LT_MAX_DIM] = {0};
    before[set->axis] = set->start;
    after[set->axis] = node->input[0]->shape[set->axis] - set->start - dy->shape[set->axis];
    dx[0] = lt_pad(dy, before, after, 0);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_narrow(lt_tensor *x, int axis, int64_t start, int64_t count)
{
    static const lt_op op = {"narrow", narrow_backward};
    if (start < 0 || count < 0 || start > x->shape[axis] || count > x->shape[axis] - start) {
        lt_fail("narrow: places %lld to %lld are outside axis %d of shape %s", (long long)start + 1,
                (long long)(start + count), axis + 1, lt_shape_text(x));
        return NULL;
    }
    int64_t shape[LT_MAX_DIM], step[LT_MAX_DIM];
    memcpy(shape, x->shape, sizeof shape);
    lt_contiguous_steps(x->ndim, x->shape, step);
    shape[axis] = count;
    bool leading = true; // nothing but size 1 before the axis: still one block of memory
    for (int i = 0; i < axis; i++)
        leading = leading && x->shape[i] == 1;
    lt_tensor *y =
        leading ? lt_tensor_window(x, start * step[axis], x->ndim, shape) : lt_tensor_new(x->dtype, x->ndim, shape);
    if (y && !leading)
        lt_strided_copy(y, x, start * step[axis], step);
    narrow_settings set = {axis, start};
    return lt_record(y, &op, LT_LIST(x), LT_NONE, &set, sizeof set);
}

lt_tensor *lt_select(lt_tensor *x, int axis, int64_t i)
{
    lt_tensor *one = lt_narrow(x, axis, i, 1);
    if (!one)
        return NULL;
    int64_t shape[LT_MAX_DIM];
    int ndim = 0;
    for (int k = 0; k < x->ndim; k++)
        if (k != axis)
            shape[ndim++] = x->shape[k];
    lt_tensor *y = lt_view(one, ndim, shape);
    lt_release(one);
    return y;
}

// ---- pad: x between constants; negative sizes are refused by the shape   dx = the middle of dy
static int pad_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const int64_t *before = node->attributes;
    lt_tensor *t = lt_retain(dy);
    for (int i = 0; i < dy->ndim && t; i++) {
        if (dy->shape[i] == node->input[0]->shape[i])
            continue;
        lt_tensor *less = lt_narrow(t, i, before[i], node->input[0]->shape[i]);
        lt_release(t);
        t = less;
    }
    dx[0] = t;
    return t ? LT_OK : LT_FAIL;
}

static void fill(lt_tensor *y, float value)
{
    const int32_t whole = (int32_t)value;
    const uint8_t byte = (uint8_t)whole;
    const void *item = y->dtype == LT_FLOAT32 ? (const void *)&value
                       : y->dtype == LT_INT32 ? (const void *)&whole
                                              : &byte;
    lt_k.copy->fill(y->size, (int64_t)lt_dtype_size(y->dtype), item, y->data);
}

lt_tensor *lt_pad(lt_tensor *x, const int64_t *before, const int64_t *after, float value)
{
    static const lt_op op = {"pad", pad_backward};
    int64_t shape[LT_MAX_DIM], step[LT_MAX_DIM], offset = 0;
    for (int i = 0; i < x->ndim; i++)
        if (before[i] < 0 || after[i] < 0 || __builtin_add_overflow(x->shape[i], before[i], &shape[i]) ||
            __builtin_add_overflow(shape[i], after[i], &shape[i])) {
            lt_fail_arg(2, "padding: axis %d cannot grow by %lld and %lld", i + 1, (long long)before[i],
                        (long long)after[i]);
            return NULL;
        }
    lt_tensor *y = lt_tensor_new(x->dtype, x->ndim, shape);
    if (!y)
        return NULL;
    lt_contiguous_steps(x->ndim, shape, step);
    for (int i = 0; i < x->ndim; i++)
        offset += before[i] * step[i];
    fill(y, value);
    lt_strided_paste(y, x, offset, step);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, before, (size_t)x->ndim * sizeof *before);
}

// ---- expand: broadcast to a shape                         dx = dy summed back
static int expand_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_sum_to(dy, node->input[0]->ndim, node->input[0]->shape);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_expand(lt_tensor *x, int ndim, const int64_t *shape)
{
    static const lt_op op = {"expand", expand_backward};
    int64_t own[LT_MAX_DIM], step[LT_MAX_DIM];
    bool fits = ndim >= x->ndim;
    lt_contiguous_steps(x->ndim, x->shape, own);
    for (int i = 0; i < ndim && fits; i++) {
        int k = i - (ndim - x->ndim);
        step[i] = k < 0 || x->shape[k] == 1 ? 0 : own[k];
        fits = k < 0 || x->shape[k] == 1 || x->shape[k] == shape[i];
    }
    if (!fits) {
        lt_fail_arg(2, "sizes: %s does not broadcast to %s", lt_shape_text(x), lt_shape_text_of(ndim, shape));
        return NULL;
    }
    lt_tensor *y = lt_tensor_new(x->dtype, ndim, shape);
    if (y)
        lt_strided_copy(y, x, 0, step);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, NULL, 0);
}

// ---- flip: some axes backwards                            dx = flip(dy)
static int flip_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const int *axes = node->attributes;
    dx[0] = lt_flip(dy, axes[0], axes + 1);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_flip(lt_tensor *x, int n, const int *axes)
{
    static const lt_op op = {"flip", flip_backward};
    int64_t step[LT_MAX_DIM], offset = 0;
    int kept[LT_MAX_DIM + 1] = {n};
    lt_contiguous_steps(x->ndim, x->shape, step);
    for (int i = 0; i < n; i++) {
        kept[i + 1] = axes[i];
        offset += (x->shape[axes[i]] - 1) * step[axes[i]];
        step[axes[i]] = -step[axes[i]];
    }
    lt_tensor *y = lt_tensor_like(x);
    if (y)
        lt_strided_copy(y, x, offset, step);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, kept, sizeof kept);
}

// ---- clone: its own memory                                dx = dy
static int clone_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_retain(dy);
    return LT_OK;
}

lt_tensor *lt_clone(lt_tensor *x)
{
    static const lt_op op = {"clone", clone_backward};
    lt_tensor *y = lt_copy_of(x);
    return lt_record(y, &op, LT_LIST(x), LT_NONE, NULL, 0);
}

lt_tensor *lt_detach(lt_tensor *x)
{
    return lt_tensor_window(x, 0, x->ndim, x->shape);
}
