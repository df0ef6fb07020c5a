// y = x W' + b over the last axis, with gradients of any order.
#ifndef LT_OP_LINEAR_H
#define LT_OP_LINEAR_H

#include "tensor/tape.h"

// x (..,in), weight (out,in), bias (out) or NULL -> (..,out)
lt_tensor *lt_linear(lt_tensor *x, lt_tensor *weight, lt_tensor *bias);

#endif
