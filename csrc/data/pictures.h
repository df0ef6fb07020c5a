// Pictures in memory: batches out of a set of bytes, and one picture cut to a size. No tape: pictures are data.
#ifndef LT_DATA_PICTURES_H
#define LT_DATA_PICTURES_H

#include "tensor/tensor.h"

// pictures (n,h,w,c) uint8, index (b) int32 counted from 1 -> float32 (b,h,w,c), bytes 0 .. 255 as -1 .. 1. Where
// flip (b) uint8, which may be NULL, is not 0 the picture is mirrored left to right.
lt_tensor *lt_gather_pictures(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip);

// The same pictures as bytes: uint8 (b,h,w,c).
lt_tensor *lt_take_pictures(const lt_tensor *pictures, const lt_tensor *index);

// picture (h,w,c) uint8 -> uint8 (height,width,c): the largest centred part of the wanted proportions, averaged over
// areas where it shrinks and interpolated linearly where it grows. Of 2 and 4 channels the last is alpha: colours count
// by area x alpha, and a pixel with alpha 0 is 0 in all channels.
lt_tensor *lt_fit_picture(const lt_tensor *picture, int64_t height, int64_t width);

#endif
