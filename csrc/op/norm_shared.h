// What group, layer, RMS and batch norm share. Private to csrc/op.
#ifndef LT_OP_NORM_SHARED_H
#define LT_OP_NORM_SHARED_H

#include "op/compose.h"

typedef enum { LT_GROUP_NORM, LT_LAYER_NORM, LT_RMS_NORM, LT_BATCH_NORM } lt_norm_kind;

typedef struct {
    lt_norm_kind kind;
    float eps;
    lt_activation activation;
    float slope;
    int64_t n, hw, groups; // x as (n, hw, c)
    // x as the recorded form of backward sees it, which axes of that are normalised, and weight and scale against it
    int ndim, naxes, axes[2], weight_ndim;
    int64_t shape[4], weight_shape[2], scale_shape[4];
} lt_norm;

// The operands, in the order of a node's inputs; any but x may be NULL.
typedef struct {
    lt_tensor *x, *weight, *bias, *scale, *shift;
} lt_norm_inputs;

enum { LT_NORM_X, LT_NORM_WEIGHT, LT_NORM_BIAS, LT_NORM_SCALE, LT_NORM_SHIFT, LT_NORM_INPUTS };
// A node saves its inputs, then these.
enum { LT_NORM_MEAN = LT_NORM_INPUTS, LT_NORM_RSTD };

// weight, bias or a buffer: NULL, or float of shape (c).
int lt_norm_check_affine(const lt_tensor *x, const lt_tensor *t, int arg, const char *name);
// Runs the kernel and records. mean_out and rstd_out may be NULL, else they get new references.
lt_tensor *lt_norm_run(const lt_norm *a, const lt_norm_inputs *in, lt_tensor **mean_out, lt_tensor **rstd_out);

// An activation as a recorded operation; NULL stays NULL, LT_LINEAR gives x itself.
lt_tensor *lt_then_activate(lt_scratch *s, lt_activation f, float slope, lt_tensor *x);
// The gradients made of recorded operations: dx[i] for the inputs that are wanted.
int lt_norm_composed(const lt_norm *a, lt_node *node, lt_tensor *dy, lt_tensor **dx);

#endif
