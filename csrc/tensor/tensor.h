// A tensor: a shape, a type, and a window into reference-counted memory. Always contiguous, last axis fastest.
#ifndef LT_TENSOR_TENSOR_H
#define LT_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

enum { LT_MAX_DIM = 8 };

typedef enum { LT_FLOAT32, LT_UINT8, LT_INT32 } lt_dtype;

// Memory shared by a tensor and its views. `version` counts in-place edits, so that backward can see
// that a tensor it saved is no longer what it was.
typedef struct lt_storage {
    int refs;
    int held; // by the tape, see lt_tape_take
    uint32_t version;
    size_t bytes;
    void *data;
    void *map; // NULL: data is from lt_alloc; else a range of a file in memory, `map_bytes` long, with data in it
    size_t map_bytes;
} lt_storage;

struct lt_node; // tensor/tape.h

typedef struct lt_tensor {
    int refs;
    lt_dtype dtype;
    int ndim;
    int64_t shape[LT_MAX_DIM];
    int64_t size; // product of shape; 1 for a scalar (ndim 0)
    lt_storage *storage;
    void *data;           // inside storage
    struct lt_node *node; // where it came from, NULL when no gradient is wanted
} lt_tensor;

#define lt_f32(t) ((float *)(t)->data)
#define lt_u8(t)  ((uint8_t *)(t)->data)
#define lt_i32(t) ((int32_t *)(t)->data)

lt_tensor *lt_tensor_new(lt_dtype dtype, int ndim,
                         const int64_t *shape); // uninitialised; sizes >= 0, overflow is an error
lt_tensor *lt_tensor_zeros(lt_dtype dtype, int ndim, const int64_t *shape);
lt_tensor *lt_tensor_like(const lt_tensor *t); // same type and shape, uninitialised
lt_tensor *lt_tensor_scalar(float value);
// On memory at `data` inside a range from mmap, which the tensor owns from here on, also after a failure.
lt_tensor *lt_tensor_of_map(lt_dtype dtype, int ndim, const int64_t *shape, void *map, size_t map_bytes, void *data);

// Another tensor on the same memory, `offset` elements in; no tape node. Shape must fit (asserted by the caller).
lt_tensor *lt_tensor_window(const lt_tensor *t, int64_t offset, int ndim, const int64_t *shape);

lt_tensor *lt_retain(lt_tensor *t); // NULL is fine
void lt_release(lt_tensor *t);      // NULL is fine

size_t lt_dtype_size(lt_dtype dtype);
const char *lt_dtype_name(lt_dtype dtype); // "float32", "uint8", "int32"
void lt_touch(lt_tensor *t);               // call after writing in place

// The tape holds memory for backward: what operations saved, and gradients. NULL is fine.
void lt_tape_take(lt_tensor *t);
void lt_tape_give(lt_tensor *t);
size_t lt_tape_bytes(void); // bytes of memory that is held; of `live` the rest is what scripts and kernels have in hand

int64_t lt_sizes_product(const int64_t *shape, int from, int to); // of the axes from .. to - 1; 1 for none
bool lt_same_shape(const lt_tensor *a, const lt_tensor *b);

// "(2,3,4)" in one of a few rotating static buffers, for messages.
const char *lt_shape_text(const lt_tensor *t);
const char *lt_shape_text_of(int ndim, const int64_t *shape);

// Axis as a person counts it (1..ndim, or -1..-ndim from the end) -> 0-based, or LT_FAIL with argument `arg`.
int lt_axis(const lt_tensor *t, int64_t axis, int arg, int *out);

// Checks that an operation makes first. Each names the argument and what came instead.
int lt_want_float(const lt_tensor *t, int arg, const char *name);
int lt_want_dtype(const lt_tensor *t, lt_dtype dtype, int arg, const char *name);
int lt_want_ndim(const lt_tensor *t, int ndim, int arg, const char *name);

#endif
