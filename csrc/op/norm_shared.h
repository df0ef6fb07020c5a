// What group, layer, RMS and batch norm share. Private to csrc/op.
#ifndef LT_OP_NORM_SHARED_H
#define LT_OP_NORM_SHARED_H

#include "tensor/tape.h"

typedef enum { LT_GROUP_NORM, LT_LAYER_NORM, LT_RMS_NORM, LT_BATCH_NORM } lt_norm_kind;

typedef struct {
    lt_norm_kind kind;
    float eps;
    int64_t n, hw, groups; // group and batch norm: x as (n, hw, c)
    // x as the recorded form of backward sees it, which axes of that are normalised, and weight against it
    int ndim, naxes, axes[2], weight_ndim;
    int64_t shape[4], weight_shape[2];
} lt_norm;

// weight, bias or a buffer: NULL, or float of shape (c).
int lt_norm_check_affine(const lt_tensor *x, const lt_tensor *t, int arg, const char *name);
// Runs the kernel and records. mean_out and rstd_out may be NULL, else they get new references.
lt_tensor *lt_norm_run(const lt_norm *a, lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor **mean_out,
                       lt_tensor **rstd_out);

#endif
