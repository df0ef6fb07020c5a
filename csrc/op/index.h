// Picking places by number. Indices are int32 and count from 1, as scripts give them; one outside is an error.
#ifndef LT_OP_INDEX_H
#define LT_OP_INDEX_H

#include "tensor/tape.h"

// LT_FAIL with the argument's name unless it is int32 and every number of it within 1 .. size.
int lt_want_index(const lt_tensor *index, int64_t size, int arg, const char *name);

// y = the slices x[.., index[i], ..] along an axis; index has one axis. Any element type.
lt_tensor *lt_index_select(lt_tensor *x, int axis, lt_tensor *index);
// The adjoint: zeros with `size` places on the axis, x's slice i added at index[i] (in the order of i).
lt_tensor *lt_index_add(lt_tensor *x, int axis, lt_tensor *index, int64_t size);
// y[i][j] = x[index[i][j]][j] for axis 1, and so on; index has x's shape but for the axis.
lt_tensor *lt_gather(lt_tensor *x, int axis, lt_tensor *index);
lt_tensor *lt_scatter_add(lt_tensor *x, int axis, lt_tensor *index, int64_t size);
// Order of the values along an axis, from 1: stable, NaN last.
lt_tensor *lt_argsort(lt_tensor *x, int axis, bool descending);
// 1 at each id's place, 0 elsewhere: shape of ids, then (classes).
lt_tensor *lt_one_hot(lt_tensor *ids, int64_t classes);

#endif
