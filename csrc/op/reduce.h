// Many values to few: over any set of axes (n = 0: all of them).
#ifndef LT_OP_REDUCE_H
#define LT_OP_REDUCE_H

#include "tensor/tape.h"

lt_tensor *lt_sum(lt_tensor *x, int n, const int *axes, bool keepdim);
lt_tensor *lt_mean(lt_tensor *x, int n, const int *axes, bool keepdim);
lt_tensor *lt_prod(lt_tensor *x, int n, const int *axes, bool keepdim);
lt_tensor *lt_max(lt_tensor *x, int n, const int *axes, bool keepdim); // ties share the gradient
lt_tensor *lt_min(lt_tensor *x, int n, const int *axes, bool keepdim);
lt_tensor *lt_var(lt_tensor *x, int n, const int *axes, bool keepdim, int correction);
lt_tensor *lt_std(lt_tensor *x, int n, const int *axes, bool keepdim, int correction); // all equal: gradient 0
lt_tensor *lt_vector_norm(lt_tensor *x, int n, const int *axes, bool keepdim);         // at 0: gradient 0
lt_tensor *lt_cumsum(lt_tensor *x, int axis, bool reverse);

// Sums what broadcasting stretched: x of a broadcast shape back to (ndim, shape).
lt_tensor *lt_sum_to(lt_tensor *x, int ndim, const int64_t *shape);
// lt_sum_to of a * b, which are of one shape, without the product in memory where that can be. Not recorded.
lt_tensor *lt_sum_products_to(lt_tensor *a, lt_tensor *b, int ndim, const int64_t *shape);

// One axis; index is int32, from 0 here, from 1 in Lua.
lt_tensor *lt_argmax(lt_tensor *x, int axis);
lt_tensor *lt_argmin(lt_tensor *x, int axis);

#endif
