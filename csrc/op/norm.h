// Normalisations, with what usually follows them in one pass. weight and bias have shape (c), the size of the last
// axis, and may be NULL.
#ifndef LT_OP_NORM_H
#define LT_OP_NORM_H

#include "kernel/activation.h"
#include "tensor/tape.h"

// y = activation((norm(x) * weight + bias) * (1 + scale) + shift)
typedef struct {
    float eps;
    lt_tensor *scale, *shift; // (n, c), a row a picture; NULL: 0
    lt_activation activation;
    float slope; // of leaky relu
} lt_norm_settings;

// x(n, ..., c): mean and variance of each sample over the middle axes and the c / groups channels of a group.
lt_tensor *lt_group_norm(lt_tensor *x, int64_t groups, lt_tensor *weight, lt_tensor *bias,
                         const lt_norm_settings *settings);
// x(..., c): over the last axis; with scale or shift x(n, ..., c). RMS norm divides by the root mean square and takes
// no mean away.
lt_tensor *lt_layer_norm(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_norm_settings *settings);
lt_tensor *lt_rms_norm(lt_tensor *x, lt_tensor *weight, float eps);

typedef struct {
    bool training; // the batch's own mean and variance; otherwise the running ones
    float momentum, eps;
    lt_activation activation;
    float slope;
} lt_batch_norm_settings;

// x(..., c): each channel over all other axes. In training the running buffers (both or neither, shape (c)) become
// (1 - momentum) * running + momentum * batch, where the batch's variance divides by count - 1.
lt_tensor *lt_batch_norm(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, lt_tensor *running_mean,
                         lt_tensor *running_var, lt_batch_norm_settings settings);

#endif
