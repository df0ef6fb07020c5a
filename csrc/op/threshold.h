// Dynamic thresholding of guessed pictures.
#ifndef LT_OP_THRESHOLD_H
#define LT_OP_THRESHOLD_H

#include "tensor/tape.h"

// For every item of the first axis: s = the quantile of |x|, at least 1, at most max; y = x clamped to [-s, s], over s.
lt_tensor *lt_threshold(lt_tensor *x, double quantile, double max);

#endif
