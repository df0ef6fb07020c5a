// Reductions over the middle axis of x(outer, r, inner), contiguous, into y(outer, inner). A reduction over leading
// axes is outer = 1, over trailing ones inner = 1, over everything both. Threads inside; the pieces, and with them the
// bits, do not depend on how many there are.
#ifndef LT_KERNEL_REDUCE_H
#define LT_KERNEL_REDUCE_H

#include <stdint.h>

typedef void (*lt_reduce_kernel)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y);
// index (may be NULL): where the first extreme value is, from 0. A NaN counts as the extreme. r >= 1.
typedef void (*lt_extreme_kernel)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index);

typedef struct {
    lt_reduce_kernel sum;  // r = 0: 0
    lt_reduce_kernel norm; // sqrt of the sum of squares, also where a square overflows or underflows
    void (*sum_products)(int64_t outer, int64_t r, int64_t inner, const float *a, const float *b, float *y); // of a * b
    lt_reduce_kernel prod;                                                                                   // r = 0: 1
    // Product of all other values of the middle axis, y of x's shape; with g (may be NULL) its derivative in the
    // direction g. LT_FAIL after lt_fail_memory.
    int (*prod_others)(int64_t outer, int64_t r, int64_t inner, const float *x, const float *g, float *y);
    lt_extreme_kernel max, min;
    lt_reduce_kernel var;    // mean of (x - mean)^2 over r values, in two passes; the caller rescales for r - 1.
                             // Right also where a square overflows or underflows
    lt_reduce_kernel cumsum; // y has x's shape: running sums along the middle axis
    double (*dot)(int64_t n, const float *a, const float *b); // sum of a[i] * b[i]
} lt_reduce_kernels;

extern const lt_reduce_kernels lt_reduce_portable, lt_reduce_avx2, lt_reduce_avx512;

#endif
