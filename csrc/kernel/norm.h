// Normalisations, with what usually follows them: scale and shift a channel, scale and shift a picture, activation.
//
//   xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps)
//   u = (xhat * weight + bias) * (1 + scale) + shift,  y = activation(u)
//
// Only x, mean and rstd are needed to go back: du = dy * activation'(u) starts by making u again. With xhat as above,
// gain = weight * (1 + scale) and m the mean over what was normalised:
//
//   dx = rstd * (gain * du - m(gain * du) - xhat * m(gain * du * xhat))
//   dweight = sum du * (1 + scale) * xhat, dbias = sum du * (1 + scale)
//   dscale = sum du * (xhat * weight + bias), dshift = sum du
//
// Mean and variance are taken in two passes; sums over rows are cut into pieces of fixed size and put together in
// order, in double. Functions that need scratch memory return LT_FAIL after lt_fail_memory when there is none.
#ifndef LT_KERNEL_NORM_H
#define LT_KERNEL_NORM_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/activation.h"

// x is (n, hw, c).
typedef struct {
    int64_t n, hw, c, groups;
    float eps;
    const float *weight, *bias; // (c); NULL: 1 and 0
    const float *scale, *shift; // (n, c); NULL: 0
    lt_activation activation;
    float slope; // of leaky relu
    bool again;  // forward: mean and rstd are known, from the first time
} lt_norm_call;

// Any may be NULL, except that dx is also working memory where there is an activation. dx may be dy. plus, of x's size,
// is added to dx: what else flows into x, as in a residual block.
typedef struct {
    float *dx, *dweight, *dbias, *dscale, *dshift;
    const float *plus;
} lt_norm_grads;

typedef struct {
    // Over hw and the c / groups channels of a group; mean(n, groups), rstd(n, groups). Batch norm is n = 1, groups =
    // c.
    int (*group)(const lt_norm_call *a, const float *x, float *y, float *mean, float *rstd);
    int (*group_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean, const float *rstd,
                      const lt_norm_grads *out);

    // Every one of the n * hw rows by itself; mean(n, hw), rstd(n, hw). mean NULL: RMS norm, xhat = x * rstd with
    // rstd = 1 / sqrt(mean of x^2 + eps).
    int (*layer)(const lt_norm_call *a, const float *x, float *y, float *mean, float *rstd);
    int (*layer_grad)(const lt_norm_call *a, const float *x, const float *dy, const float *mean, const float *rstd,
                      const lt_norm_grads *out);

    // y = activation((x - mean[c]) * gain[c] + bias[c]), bias may be NULL. Batch norm with running statistics.
    int (*affine)(const lt_norm_call *a, const float *x, const float *mean, const float *gain, float *y);

    // What those become, n channels, after a batch of `count` values a channel: running = (1 - momentum) * running +
    // momentum * batch. rstd tells the batch's variance, which is made unbiased (times count / (count - 1)).
    void (*running)(int64_t n, int64_t count, float eps, float momentum, const float *mean, const float *rstd,
                    float *running_mean, float *running_var);
} lt_norm_kernels;

extern const lt_norm_kernels lt_norm_portable, lt_norm_avx2, lt_norm_avx512;

#endif
