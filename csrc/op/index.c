#include "op/index.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int axis;
    int64_t size; // of x's axis
} settings;

static int check_index(const lt_tensor *index, int64_t size, int arg)
{
    if (lt_want_dtype(index, LT_INT32, arg, "index") != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < index->size; i++)
        if (lt_i32(index)[i] < 1 || lt_i32(index)[i] > size)
            return lt_fail_arg(arg, "index: %d at place %lld is outside 1..%lld", lt_i32(index)[i], (long long)i + 1,
                               (long long)size);
    return LT_OK;
}

// ---- index_select: y(.., i, ..) = x(.., index[i], ..)         dx = index_add(dy)         saved: index
static int index_select_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    dx[0] = lt_index_add(dy, set->axis, lt_saved(node, 0), set->size);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_index_select(lt_tensor *x, int axis, lt_tensor *index)
{
    static const lt_op op = {"index_select", index_select_backward};
    if (lt_want_ndim(index, 1, 3, "index") != LT_OK || check_index(index, x->shape[axis], 3) != LT_OK)
        return NULL;
    int64_t shape[LT_MAX_DIM], outer = lt_sizes_product(x->shape, 0, axis),
                               inner = lt_sizes_product(x->shape, axis + 1, x->ndim);
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = index->size;
    lt_tensor *y = lt_tensor_new(x->dtype, x->ndim, shape);
    if (!y)
        return NULL;
    size_t bytes = (size_t)inner * lt_dtype_size(x->dtype);
    char *to = y->data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < index->size; i++, to += bytes)
            memcpy(to, (char *)x->data + (size_t)(o * x->shape[axis] + lt_i32(index)[i] - 1) * bytes, bytes);
    settings set = {axis, x->shape[axis]};
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), &set, sizeof set);
}

// ---- index_add: its adjoint, and the other way round
static int index_add_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    dx[0] = lt_index_select(dy, set->axis, lt_saved(node, 0));
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_index_add(lt_tensor *x, int axis, lt_tensor *index, int64_t size)
{
    static const lt_op op = {"index_add", index_add_backward};
    if (lt_want_float(x, 1, "x") != LT_OK || lt_want_ndim(index, 1, 3, "index") != LT_OK ||
        check_index(index, size, 3) != LT_OK)
        return NULL;
    if (index->size != x->shape[axis]) {
        lt_fail_arg(3, "index: expected %lld of them, got %lld", (long long)x->shape[axis], (long long)index->size);
        return NULL;
    }
    int64_t shape[LT_MAX_DIM], outer = lt_sizes_product(x->shape, 0, axis),
                               inner = lt_sizes_product(x->shape, axis + 1, x->ndim);
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = size;
    lt_tensor *y = lt_tensor_zeros(LT_FLOAT32, x->ndim, shape);
    if (!y)
        return NULL;
    const float *from = lt_f32(x);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < index->size; i++, from += inner) {
            float *to = lt_f32(y) + (o * size + lt_i32(index)[i] - 1) * inner;
            for (int64_t k = 0; k < inner; k++)
                to[k] += from[k];
        }
    settings set = {axis, x->shape[axis]};
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), &set, sizeof set);
}

// ---- gather and scatter_add: an index for every element, each other's adjoints           saved: index
static int gather_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    dx[0] = lt_scatter_add(dy, set->axis, lt_saved(node, 0), set->size);
    return dx[0] ? LT_OK : LT_FAIL;
}

static int check_gather(const lt_tensor *x, int axis, const lt_tensor *index, int64_t size)
{
    bool fits = index->ndim == x->ndim;
    for (int i = 0; i < x->ndim && fits; i++)
        fits = i == axis || index->shape[i] == x->shape[i];
    if (!fits)
        return lt_fail_arg(3, "index: shape %s does not go with %s but for axis %d", lt_shape_text(index),
                           lt_shape_text(x), axis + 1);
    return check_index(index, size, 3);
}

lt_tensor *lt_gather(lt_tensor *x, int axis, lt_tensor *index)
{
    static const lt_op op = {"gather", gather_backward};
    if (lt_want_float(x, 1, "x") != LT_OK || check_gather(x, axis, index, x->shape[axis]) != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, index->ndim, index->shape);
    if (!y)
        return NULL;
    int64_t inner = lt_sizes_product(x->shape, axis + 1, x->ndim), count = index->shape[axis], size = x->shape[axis];
    for (int64_t i = 0; i < y->size; i++) {
        int64_t outer = i / (inner * count), k = i % inner;
        lt_f32(y)[i] = lt_f32(x)[(outer * size + lt_i32(index)[i] - 1) * inner + k];
    }
    settings set = {axis, size};
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), &set, sizeof set);
}

static int scatter_add_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    dx[0] = lt_gather(dy, set->axis, lt_saved(node, 0));
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_scatter_add(lt_tensor *x, int axis, lt_tensor *index, int64_t size)
{
    static const lt_op op = {"scatter_add", scatter_add_backward};
    if (lt_want_float(x, 1, "x") != LT_OK || check_gather(x, axis, index, size) != LT_OK)
        return NULL;
    if (!lt_same_shape(x, index)) {
        lt_fail_arg(3, "index: expected shape %s, got %s", lt_shape_text(x), lt_shape_text(index));
        return NULL;
    }
    int64_t shape[LT_MAX_DIM];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = size;
    lt_tensor *y = lt_tensor_zeros(LT_FLOAT32, x->ndim, shape);
    if (!y)
        return NULL;
    int64_t inner = lt_sizes_product(x->shape, axis + 1, x->ndim), count = x->shape[axis];
    for (int64_t i = 0; i < x->size; i++) {
        int64_t outer = i / (inner * count), k = i % inner;
        lt_f32(y)[(outer * size + lt_i32(index)[i] - 1) * inner + k] += lt_f32(x)[i];
    }
    settings set = {axis, size};
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), &set, sizeof set);
}

// ---- argsort: pairs of value and place, so that equal values keep their order
typedef struct {
    float value;
    int32_t place;
} keyed;

static int ascending(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int nan = (x->value != x->value) - (y->value != y->value); // NaN after everything
    if (nan)
        return nan;
    if (x->value < y->value)
        return -1;
    return x->value > y->value ? 1 : x->place - y->place;
}

lt_tensor *lt_argsort(lt_tensor *x, int axis, bool descending)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    int64_t n = x->shape[axis], inner = lt_sizes_product(x->shape, axis + 1, x->ndim),
            outer = lt_sizes_product(x->shape, 0, axis);
    if (n > INT32_MAX) {
        lt_fail_arg(1, "x: %lld places are too many to number", (long long)n);
        return NULL;
    }
    keyed *row = lt_alloc((size_t)n * sizeof *row);
    lt_tensor *y = row ? lt_tensor_new(LT_INT32, x->ndim, x->shape) : NULL;
    for (int64_t r = 0; y && r < outer * inner; r++) {
        int64_t at = r / inner * n * inner + r % inner;
        for (int64_t i = 0; i < n; i++) {
            float value = lt_f32(x)[at + i * inner];
            row[i] = (keyed){descending ? -value : value, (int32_t)i + 1};
        }
        qsort(row, (size_t)n, sizeof *row, ascending);
        for (int64_t i = 0; i < n; i++)
            lt_i32(y)[at + i * inner] = row[i].place;
    }
    lt_free(row);
    return y;
}

lt_tensor *lt_one_hot(lt_tensor *ids, int64_t classes)
{
    int64_t shape[LT_MAX_DIM];
    if (check_index(ids, classes, 1) != LT_OK)
        return NULL;
    if (ids->ndim == LT_MAX_DIM) {
        lt_fail_arg(1, "ids: at most %d axes", LT_MAX_DIM - 1);
        return NULL;
    }
    memcpy(shape, ids->shape, sizeof shape);
    shape[ids->ndim] = classes;
    lt_tensor *y = lt_tensor_zeros(LT_FLOAT32, ids->ndim + 1, shape);
    for (int64_t i = 0; y && i < ids->size; i++)
        lt_f32(y)[i * classes + lt_i32(ids)[i] - 1] = 1;
    return y;
}
