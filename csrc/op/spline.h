// Monotone rational-quadratic splines, a spline of its own for every number.
#ifndef LT_OP_SPLINE_H
#define LT_OP_SPLINE_H

#include "kernel/spline.h"
#include "tensor/tape.h"

// x (..), said (..,3k-1) -> (2,..): y before the logarithms of the derivative. set->bins is read from said. First
// gradients only.
lt_tensor *lt_spline(lt_tensor *x, lt_tensor *said, lt_spline_settings set);

#endif
