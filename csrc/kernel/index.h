// Values taken from places and put into places that an array of indices names; indices count from 1. Single-threaded:
// what is added to one place is added in the order of x, so that results never depend on threads.
#ifndef LT_KERNEL_INDEX_H
#define LT_KERNEL_INDEX_H

#include <stdbool.h>
#include <stdint.h>

// Two arrays that differ in their middle axis: long (outer, size, inner), and short (outer, count, inner), whose places
// are places of the long one's middle axis. Neither has to be the larger one.
typedef struct {
    int64_t outer, size, count, inner;
} lt_index_shape;

typedef struct {
    // The first place, from 0, of a number outside 1 .. most; n where all are inside.
    int64_t (*outside)(int64_t n, const int32_t *index, int64_t most);

    // index (count): short(o, i, :) = long(o, index[i], :), and long(o, index[i], :) += short(o, i, :). An item, of
    // any type, is `item` bytes.
    void (*select)(const lt_index_shape *s, int64_t item, const void *x, const int32_t *index, void *y);
    void (*add)(const lt_index_shape *s, const float *x, const int32_t *index, float *y);

    // index (outer, count, inner): short(o, i, k) = long(o, index[o, i, k], k), and the same with += the other way.
    void (*gather)(const lt_index_shape *s, const float *x, const int32_t *index, float *y);
    void (*scatter_add)(const lt_index_shape *s, const float *x, const int32_t *index, float *y);

    void (*mark)(int64_t n, int64_t size, const int32_t *index, float *y); // y(n, size): y(i, index[i]) = 1
    // y(rows, columns): 1 up to the diagonal that lies `shift` columns right of the main one, 0 past it
    void (*triangle)(int64_t rows, int64_t columns, int64_t shift, float *y);

    // Along the middle axis of x(outer, r, inner), r within int32: the places of its values in order, equal ones in
    // that of x, NaN last. LT_FAIL after lt_fail_memory.
    int (*argsort)(int64_t outer, int64_t r, int64_t inner, const float *x, bool descending, int32_t *y);
} lt_index_kernels;

extern const lt_index_kernels lt_index_portable, lt_index_avx2, lt_index_avx512;

#endif
