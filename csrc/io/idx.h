// IDX, the format of MNIST and its kin: two zero bytes, a type, the number of axes, each axis' size, then the
// values, all big-endian; often packed with gzip.
#ifndef LT_IO_IDX_H
#define LT_IO_IDX_H

#include "tensor/tensor.h"

// ubyte -> uint8; byte, short, int -> int32; float, double -> float32. Packed or plain, told by the content.
lt_tensor *lt_idx_decode(const void *bytes, size_t n);
lt_tensor *lt_idx_load(const char *path);

#endif
