// The same values in another arrangement. view and a window on the leading axis share memory; the rest copies.
#ifndef LT_OP_SHAPE_H
#define LT_OP_SHAPE_H

#include "tensor/tape.h"

lt_tensor *lt_view(lt_tensor *x, int ndim, const int64_t *shape);           // one size may be -1
lt_tensor *lt_view_as(lt_tensor *x, const lt_tensor *like);                 // x with the shape of `like`
lt_tensor *lt_permute(lt_tensor *x, const int *order);                      // axis i of y is axis order[i] of x
lt_tensor *lt_narrow(lt_tensor *x, int axis, int64_t start, int64_t count); // start counts from 0
lt_tensor *lt_select(lt_tensor *x, int axis, int64_t i);                    // narrow to one, axis dropped
// x cut into n parts along an axis: lt_split gives what the i-th part is then taken from, and is let go after the last.
lt_tensor *lt_split(lt_tensor *x, int axis, int n, const int64_t *sizes);
lt_tensor *lt_split_part(lt_tensor *trunk, int axis, int64_t start, int64_t count, int i);
lt_tensor *lt_pad(lt_tensor *x, const int64_t *before, const int64_t *after, float value);
lt_tensor *lt_cat(int n, lt_tensor *const *x, int axis);
lt_tensor *lt_stack(int n, lt_tensor *const *x, int axis);          // axis of the result, 0 .. ndim
lt_tensor *lt_expand(lt_tensor *x, int ndim, const int64_t *shape); // broadcast to a shape, copied
lt_tensor *lt_flip(lt_tensor *x, int n, const int *axes);
lt_tensor *lt_clone(lt_tensor *x);
lt_tensor *lt_detach(lt_tensor *x); // shares memory, has no place on the tape

#endif
