// Pictures moved, turned and scaled at random, as data sets do before a training sees them. No tape: pictures are data.
#ifndef LT_DATA_WARP_H
#define LT_DATA_WARP_H

#include "tensor/tensor.h"

// x (n,h,w,c) float32 in [-1,1], maps (n,6) float32 -> like x. Row i of maps, {a, b, e, c, d, f}, says for picture i
// which place of x a pixel of the result shows, with places counted in pixels from the middle of the picture:
//
//   x' = a x + b y + e,   y' = c x + d y + f
//
// Between four pixels it is their bilinear mixture. Outside lies what the nearest pixel of the edge is; of 2 and 4
// channels, where the last is alpha, nothing lies there: alpha is 0. Then colours count by weight x alpha, and a pixel
// whose alpha is below half a byte is -1 in every channel.
lt_tensor *lt_warp_pictures(const lt_tensor *x, const lt_tensor *maps);

#endif
