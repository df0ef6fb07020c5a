#include "op/index.h"

#include <string.h>

#include "kernel/kernel.h"

typedef struct {
    int axis;
    int64_t size; // of x's axis
} settings;

int lt_want_index(const lt_tensor *index, int64_t size, int arg, const char *name)
{
    if (lt_want_dtype(index, LT_INT32, arg, name) != LT_OK)
        return LT_FAIL;
    const int64_t bad = lt_k.index->outside(index->size, lt_i32(index), size);
    return bad == index->size ? LT_OK
                              : lt_fail_arg(arg, "%s: %d at place %lld is outside 1..%lld", name, lt_i32(index)[bad],
                                            (long long)bad + 1, (long long)size);
}

// The array with `size` places on the axis, as the other one is to have `count` of them.
static lt_index_shape shape_of(const lt_tensor *x, int axis, int64_t size, int64_t count)
{
    return (lt_index_shape){lt_sizes_product(x->shape, 0, axis), size, count,
                            lt_sizes_product(x->shape, axis + 1, x->ndim)};
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
    if (lt_want_ndim(index, 1, 3, "index") != LT_OK || lt_want_index(index, x->shape[axis], 3, "index") != LT_OK)
        return NULL;
    const lt_index_shape s = shape_of(x, axis, x->shape[axis], index->size);
    int64_t shape[LT_MAX_DIM];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = index->size;
    lt_tensor *y = lt_tensor_new(x->dtype, x->ndim, shape);
    if (!y)
        return NULL;
    lt_k.index->select(&s, (int64_t)lt_dtype_size(x->dtype), x->data, lt_i32(index), y->data);
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
        lt_want_index(index, size, 3, "index") != LT_OK)
        return NULL;
    if (index->size != x->shape[axis]) {
        lt_fail_arg(3, "index: expected %lld of them, got %lld", (long long)x->shape[axis], (long long)index->size);
        return NULL;
    }
    const lt_index_shape s = shape_of(x, axis, size, index->size);
    int64_t shape[LT_MAX_DIM];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = size;
    lt_tensor *y = lt_tensor_zeros(LT_FLOAT32, x->ndim, shape);
    if (!y)
        return NULL;
    lt_k.index->add(&s, lt_f32(x), lt_i32(index), lt_f32(y));
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
    return lt_want_index(index, size, 3, "index");
}

lt_tensor *lt_gather(lt_tensor *x, int axis, lt_tensor *index)
{
    static const lt_op op = {"gather", gather_backward};
    if (lt_want_float(x, 1, "x") != LT_OK || check_gather(x, axis, index, x->shape[axis]) != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, index->ndim, index->shape);
    if (!y)
        return NULL;
    const lt_index_shape s = shape_of(x, axis, x->shape[axis], index->shape[axis]);
    lt_k.index->gather(&s, lt_f32(x), lt_i32(index), lt_f32(y));
    settings set = {axis, x->shape[axis]};
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
    const lt_index_shape s = shape_of(x, axis, size, x->shape[axis]);
    lt_k.index->scatter_add(&s, lt_f32(x), lt_i32(index), lt_f32(y));
    settings set = {axis, size};
    return lt_record(y, &op, LT_LIST(x), LT_LIST(index), &set, sizeof set);
}

lt_tensor *lt_argsort(lt_tensor *x, int axis, bool descending)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    const int64_t n = x->shape[axis];
    if (n > INT32_MAX) {
        lt_fail_arg(1, "x: %lld places are too many to number", (long long)n);
        return NULL;
    }
    lt_tensor *y = lt_tensor_new(LT_INT32, x->ndim, x->shape);
    if (y && lt_k.index->argsort(lt_sizes_product(x->shape, 0, axis), n, lt_sizes_product(x->shape, axis + 1, x->ndim),
                                 lt_f32(x), descending, lt_i32(y)) != LT_OK) {
        lt_release(y);
        return NULL;
    }
    return y;
}

lt_tensor *lt_one_hot(lt_tensor *ids, int64_t classes)
{
    int64_t shape[LT_MAX_DIM];
    if (lt_want_index(ids, classes, 1, "ids") != LT_OK)
        return NULL;
    if (ids->ndim == LT_MAX_DIM) {
        lt_fail_arg(1, "ids: at most %d axes", LT_MAX_DIM - 1);
        return NULL;
    }
    memcpy(shape, ids->shape, sizeof shape);
    shape[ids->ndim] = classes;
    lt_tensor *y = lt_tensor_zeros(LT_FLOAT32, ids->ndim + 1, shape);
    if (y)
        lt_k.index->mark(ids->size, classes, lt_i32(ids), lt_f32(y));
    return y;
}
