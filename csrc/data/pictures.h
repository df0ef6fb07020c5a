// Pictures in memory: batches out of a set of bytes. No tape: pictures are data.
#ifndef LT_DATA_PICTURES_H
#define LT_DATA_PICTURES_H

#include "tensor/tensor.h"

// pictures (n,h,w,c) uint8, index (b) int32 counted from 1 -> float32 (b,h,w,c), bytes 0 .. 255 as -1 .. 1. Where
// flip (b) uint8, which may be NULL, is not 0 the picture is mirrored left to right.
lt_tensor *lt_gather_pictures(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip);

// The same pictures as bytes: uint8 (b,h,w,c).
lt_tensor *lt_take_pictures(const lt_tensor *pictures, const lt_tensor *index);

#endif
