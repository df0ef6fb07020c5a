// What dynamic thresholding asks of one picture's values. Single-threaded: the operation goes over pictures.
#ifndef LT_KERNEL_THRESHOLD_H
#define LT_KERNEL_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool (*has_nan)(int64_t n, const float *x);
    float (*nth)(int64_t n, const float *x, int64_t k);              // the k-th smallest of |x|, 0 <= k < n; no NaN
    void (*slope)(int64_t n, const float *x, float limit, float *y); // |x| > limit ? 0 : 1 / limit
} lt_threshold_kernels;

extern const lt_threshold_kernels lt_threshold_portable, lt_threshold_avx2, lt_threshold_avx512;

#endif
