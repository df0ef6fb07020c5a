// One copy for every rearrangement: the output is contiguous, the input is walked with any steps.
#ifndef LT_OP_STRIDED_H
#define LT_OP_STRIDED_H

#include "tensor/tensor.h"

// y[i0, i1, ...] = x[offset + i0 * step[0] + i1 * step[1] + ...] for y's whole shape. Steps count elements; 0 repeats,
// negative ones walk backwards.
void lt_strided_copy(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step);
// The other direction: x's elements, contiguous, into a window of y.
void lt_strided_paste(lt_tensor *y, const lt_tensor *x, int64_t offset, const int64_t *step);
// The same values in memory of their own; not recorded.
lt_tensor *lt_copy_of(const lt_tensor *x);
// Steps of a contiguous shape.
void lt_contiguous_steps(int ndim, const int64_t *shape, int64_t *step);

#endif
