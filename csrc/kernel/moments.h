// Moments of rows of features, in double: what distances of distributions are made of.
#ifndef LT_KERNEL_MOMENTS_H
#define LT_KERNEL_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool (*finite)(int64_t n, const float *x); // no infinity, no NaN
    // x(rows, d): sum[j] += x[r, j], rows in order, and out[r, j] = x[r, j] - mean[j]
    void (*add_rows)(int64_t rows, int64_t d, const float *x, double *sum);
    void (*centre)(int64_t rows, int64_t d, const float *x, const double *mean, double *out);
} lt_moments_kernels;

extern const lt_moments_kernels lt_moments_portable, lt_moments_avx2, lt_moments_avx512;

#endif
