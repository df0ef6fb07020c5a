// Normalisations. Mean and variance are taken in two passes; sums over rows are cut into pieces of fixed size and put
// together in order. weight and bias may be NULL (1 and 0). Functions that need scratch memory return LT_FAIL after
// lt_fail_memory when there is none.
#ifndef LT_KERNEL_NORM_H
#define LT_KERNEL_NORM_H

#include <stdint.h>

typedef struct {
    // x(n, hw, c), c in `groups` runs of c / groups: y = (x - mean) * rstd * weight[c] + bias[c], where mean(n, groups)
    // and rstd = 1 / sqrt(var + eps) are over hw and the channels of a group. Batch norm is n = 1, groups = c.
    int (*group)(int64_t n, int64_t hw, int64_t c, int64_t groups, const float *x, const float *weight,
                 const float *bias, float eps, float *y, float *mean, float *rstd);
    // Any of dx, dweight, dbias may be NULL. With xhat = (x - mean) * rstd and averages m over a group:
    //   dx = rstd * (w * dy - m(w * dy) - xhat * m(w * dy * xhat)), dweight = sum dy * xhat, dbias = sum dy
    int (*group_grad)(int64_t n, int64_t hw, int64_t c, int64_t groups, const float *x, const float *dy,
                      const float *mean, const float *rstd, const float *weight, float *dx, float *dweight,
                      float *dbias);

    // x(rows, c), every row by itself; mean(rows), rstd(rows).
    void (*layer)(int64_t rows, int64_t c, const float *x, const float *weight, const float *bias, float eps, float *y,
                  float *mean, float *rstd);
    int (*layer_grad)(int64_t rows, int64_t c, const float *x, const float *dy, const float *mean, const float *rstd,
                      const float *weight, float *dx, float *dweight, float *dbias);

    // y = x * rstd * weight, rstd = 1 / sqrt(mean of x^2 + eps)
    void (*rms)(int64_t rows, int64_t c, const float *x, const float *weight, float eps, float *y, float *rstd);
    // dx = rstd * (w * dy - xhat * m(w * dy * xhat)), xhat = x * rstd
    int (*rms_grad)(int64_t rows, int64_t c, const float *x, const float *dy, const float *rstd, const float *weight,
                    float *dx, float *dweight);

    // y = (x - mean[c]) * scale[c] + shift[c]; mean and shift may be NULL. Batch norm with running statistics.
    int (*affine)(int64_t rows, int64_t c, const float *x, const float *mean, const float *scale, const float *shift,
                  float *y);
} lt_norm_kernels;

extern const lt_norm_kernels lt_norm_portable, lt_norm_avx2, lt_norm_avx512;

#endif
