#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tensor/tape.h"

size_t lt_dtype_size(lt_dtype dtype)
{
    return dtype == LT_UINT8 ? 1 : 4;
}

const char *lt_dtype_name(lt_dtype dtype)
{
    static const char *const names[] = {"float32", "uint8", "int32"};
    return names[dtype];
}

// Number of elements of a shape, refusing negative sizes and products that do not fit. A 0 does not excuse the others:
// every product of some of the sizes is to fit.
static int count(int ndim, const int64_t *shape, size_t item, int64_t *out)
{
    if (ndim < 0 || ndim > LT_MAX_DIM)
        return lt_fail("a tensor has at most %d axes, got %d", LT_MAX_DIM, ndim);
    size_t n = 1, bytes;
    bool empty = false;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return lt_fail("sizes must not be negative, got %s", lt_shape_text_of(ndim, shape));
        empty = empty || shape[i] == 0;
        if (shape[i] && (lt_mul_size(n, (size_t)shape[i], &n) != LT_OK || n > INT64_MAX / 8))
            return lt_fail("shape %s is too large", lt_shape_text_of(ndim, shape));
    }
    if (lt_mul_size(n, item, &bytes) != LT_OK)
        return LT_FAIL;
    *out = empty ? 0 : (int64_t)n;
    return LT_OK;
}

static lt_tensor *header(lt_dtype dtype, int ndim, const int64_t *shape, int64_t size)
{
    lt_tensor *t = malloc(sizeof *t);
    if (!t) {
        lt_fail_memory(sizeof *t);
        return NULL;
    }
    *t = (lt_tensor){.refs = 1, .dtype = dtype, .ndim = ndim, .size = size};
    if (ndim)
        memcpy(t->shape, shape, (size_t)ndim * sizeof *shape);
    return t;
}

static lt_tensor *make(lt_dtype dtype, int ndim, const int64_t *shape, void *(*alloc)(size_t))
{
    int64_t size;
    if (count(ndim, shape, lt_dtype_size(dtype), &size) != LT_OK)
        return NULL;
    lt_tensor *t = header(dtype, ndim, shape, size);
    if (!t)
        return NULL;
    size_t bytes = (size_t)size * lt_dtype_size(dtype);
    lt_storage *s = malloc(sizeof *s);
    void *data = alloc(bytes);
    if (!s || !data) {
        if (data)
            lt_fail_memory(sizeof *s);
        free(s);
        lt_free(data);
        free(t);
        return NULL;
    }
    *s = (lt_storage){.refs = 1, .bytes = bytes, .data = data};
    t->storage = s;
    t->data = data;
    return t;
}

lt_tensor *lt_tensor_new(lt_dtype dtype, int ndim, const int64_t *shape)
{
    return make(dtype, ndim, shape, lt_alloc);
}

lt_tensor *lt_tensor_zeros(lt_dtype dtype, int ndim, const int64_t *shape)
{
    return make(dtype, ndim, shape, lt_alloc_zeroed);
}

lt_tensor *lt_tensor_like(const lt_tensor *t)
{
    return lt_tensor_new(t->dtype, t->ndim, t->shape);
}

lt_tensor *lt_tensor_scalar(float value)
{
    lt_tensor *t = lt_tensor_new(LT_FLOAT32, 0, NULL);
    if (t)
        lt_f32(t)[0] = value;
    return t;
}

lt_tensor *lt_tensor_of_map(lt_dtype dtype, int ndim, const int64_t *shape, void *map, size_t map_bytes, void *data)
{
    int64_t size;
    lt_tensor *t = NULL;
    lt_storage *s = malloc(sizeof *s);
    if (!s)
        lt_fail_memory(sizeof *s);
    else if (count(ndim, shape, lt_dtype_size(dtype), &size) == LT_OK)
        t = header(dtype, ndim, shape, size);
    if (!t) {
        free(s);
        munmap(map, map_bytes);
        return NULL;
    }
    *s = (lt_storage){.refs = 1, .data = data, .map = map, .map_bytes = map_bytes};
    s->bytes = (size_t)size * lt_dtype_size(dtype);
    t->storage = s;
    t->data = data;
    return t;
}

lt_tensor *lt_tensor_window(const lt_tensor *t, int64_t offset, int ndim, const int64_t *shape)
{
    int64_t size;
    if (count(ndim, shape, lt_dtype_size(t->dtype), &size) != LT_OK)
        return NULL;
    lt_tensor *w = header(t->dtype, ndim, shape, size);
    if (!w)
        return NULL;
    w->storage = t->storage;
    w->storage->refs++;
    w->data = (char *)t->data + (size_t)offset * lt_dtype_size(t->dtype);
    return w;
}

lt_tensor *lt_retain(lt_tensor *t)
{
    if (t)
        t->refs++;
    return t;
}

void lt_release(lt_tensor *t)
{
    if (!t || --t->refs > 0)
        return;
    if (--t->storage->refs == 0) {
        if (t->storage->map)
            munmap(t->storage->map, t->storage->map_bytes);
        else
            lt_free(t->storage->data);
        free(t->storage);
    }
    lt_leave_tape(t);
    free(t);
}

static _Atomic int64_t held; // bytes, of all threads

static void add_held(const lt_storage *s, int64_t sign)
{
    if (!s->map) // a file in memory is not ours to give back
        atomic_fetch_add_explicit(&held, sign * (int64_t)s->bytes, memory_order_relaxed);
}

void lt_tape_take(lt_tensor *t)
{
    if (t && t->storage->held++ == 0)
        add_held(t->storage, 1);
}

void lt_tape_give(lt_tensor *t)
{
    if (t && --t->storage->held == 0)
        add_held(t->storage, -1);
}

size_t lt_tape_bytes(void)
{
    return (size_t)atomic_load_explicit(&held, memory_order_relaxed);
}

void lt_touch(lt_tensor *t)
{
    t->storage->version++;
}

int64_t lt_sizes_product(const int64_t *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= shape[i];
    return n;
}

bool lt_same_shape(const lt_tensor *a, const lt_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) == 0;
}

const char *lt_shape_text_of(int ndim, const int64_t *shape)
{
    static _Thread_local char buffers[8][LT_MAX_DIM * 21 + 8];
    static _Thread_local int next;
    char *text = buffers[next++ % 8];
    size_t room = sizeof buffers[0], used = 0;
    used += (size_t)snprintf(text, room, "(");
    for (int i = 0; i < ndim && i < LT_MAX_DIM; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%" PRId64, i ? "," : "", shape[i]);
    snprintf(text + used, room - used, ")");
    return text;
}

const char *lt_shape_text(const lt_tensor *t)
{
    return lt_shape_text_of(t->ndim, t->shape);
}

int lt_axis(const lt_tensor *t, int64_t axis, int arg, int *out)
{
    int64_t zero_based = axis < 0 ? t->ndim + axis : axis - 1;
    if (axis == 0 || zero_based < 0 || zero_based >= t->ndim)
        return lt_fail_arg(arg, "axis: %" PRId64 " is outside a tensor of shape %s", axis, lt_shape_text(t));
    *out = (int)zero_based;
    return LT_OK;
}

int lt_want_dtype(const lt_tensor *t, lt_dtype dtype, int arg, const char *name)
{
    if (t->dtype == dtype)
        return LT_OK;
    const char *how = dtype != LT_FLOAT32 ? ""
                      : t->dtype == LT_UINT8
                          ? "; lt.pictures.from_bytes(x) makes pictures in [-1,1] of bytes, x:float() "
                            "keeps their values"
                          : "; convert it with x:float()";
    return lt_fail_arg(arg, "%s: expected a %s tensor, got %s%s", name, lt_dtype_name(dtype), lt_dtype_name(t->dtype),
                       how);
}

int lt_want_float(const lt_tensor *t, int arg, const char *name)
{
    return lt_want_dtype(t, LT_FLOAT32, arg, name);
}

int lt_want_ndim(const lt_tensor *t, int ndim, int arg, const char *name)
{
    if (t->ndim != ndim)
        return lt_fail_arg(arg, "%s: expected %d axes, got %s", name, ndim, lt_shape_text(t));
    return LT_OK;
}
