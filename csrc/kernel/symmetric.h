// Products that are known to be symmetric: a matrix times its transpose, or two polynomials of one symmetric matrix.
#ifndef LT_KERNEL_SYMMETRIC_H
#define LT_KERNEL_SYMMETRIC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t (*room)(int64_t n, int64_t k); // floats of a packed b
    // packed = scale b, b (k,n) or stored as (n,k) (trans), ld floats from row to row
    void (*pack)(int64_t n, int64_t k, const float *b, int64_t ld, bool trans, float scale, float *packed);
    // c = a b + beta c for a (n,k), ld floats from row to row, and c (n,n): computed on the diagonal and above, and
    // mirrored. c is symmetric before, unless beta is 0.
    void (*product)(int64_t n, int64_t k, const float *a, int64_t ld, const float *packed, float beta, float *c);
} lt_symmetric_kernels;

extern const lt_symmetric_kernels lt_symmetric_portable, lt_symmetric_avx2, lt_symmetric_avx512;

#endif
