// Norms of single rows (layer, RMS), for norm.c's table. Private to csrc/kernel.
#ifndef LT_KERNEL_NORM_ROWS_H
#define LT_KERNEL_NORM_ROWS_H

#include <stdint.h>

#include "kernel/isa.h"

// mean and bias NULL: RMS norm.
void LT_NAME(lt_norm_rows)(int64_t rows, int64_t c, const float *x, const float *weight, const float *bias, float eps,
                           float *y, float *mean, float *rstd);
int LT_NAME(lt_norm_rows_grad)(int64_t rows, int64_t c, const float *x, const float *dy, const float *mean,
                               const float *rstd, const float *weight, float *dx, float *dweight, float *dbias);

#endif
