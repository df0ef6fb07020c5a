// What losses need beside the functions of pointwise.h: single-threaded, over a range of n floats or of rows.
#ifndef LT_KERNEL_LOSS_H
#define LT_KERNEL_LOSS_H

#include <stdint.h>

typedef struct {
    // d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = x - t
    void (*huber)(int64_t n, const float *x, const float *t, float delta, float *y);
    // (mu^2 + e^t - t - 1) / 2 from mu^2, t and e^t; y may be either array
    void (*kl)(int64_t n, const float *mu2, const float *t, const float *exp_t, float *y);
    void (*kl_slope)(int64_t n, const float *exp_t, float *y); // minus its derivative by t, (1 - e^t) / 2

    // y(rows, classes), logarithms of probabilities, ids (rows) from 1: the sum over r of -y(r, ids[r]), in order and
    // in double. each, which may be NULL: the terms.
    double (*of_classes)(int64_t rows, int64_t classes, const float *y, const int32_t *ids, float *each);
    // d(rows, classes) = (d - one_hot(ids)) * scale * dy[r * dy_step], in place; d comes in as probabilities
    void (*of_classes_slope)(int64_t rows, int64_t classes, const int32_t *ids, const float *dy, int64_t dy_step,
                             float scale, float *d);
} lt_loss_kernels;

extern const lt_loss_kernels lt_loss_portable, lt_loss_avx2, lt_loss_avx512;

#endif
