// Pooling of (n,h,w,c) pictures, with gradients of any order.
#ifndef LT_OP_POOL_H
#define LT_OP_POOL_H

#include "tensor/tape.h"

typedef struct {
    int64_t kernel[2], stride[2], padding[2]; // down, across; padding at most half of the kernel
} lt_pool_options;

// (n,h,w,c) -> (n,oh,ow,c), oh = (h + 2 padding - kernel) / stride + 1, rounded down
lt_tensor *lt_avg_pool2d(lt_tensor *x, const lt_pool_options *o); // padding counts as zeros
lt_tensor *lt_max_pool2d(lt_tensor *x, const lt_pool_options *o);

#endif
