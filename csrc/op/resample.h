// Resampling of (n,h,w,c) pictures, with gradients of any order.
#ifndef LT_OP_RESAMPLE_H
#define LT_OP_RESAMPLE_H

#include "tensor/tape.h"

lt_tensor *lt_upsample_nearest(lt_tensor *x, int64_t scale);       // every pixel scale x scale times
lt_tensor *lt_resize_bilinear(lt_tensor *x, int64_t h, int64_t w); // align_corners = false, no antialiasing

#endif
