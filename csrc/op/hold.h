// A clamp that what lies outside can learn its way back from.
#ifndef LT_OP_HOLD_H
#define LT_OP_HOLD_H

#include "tensor/tape.h"

// y = x clamped to [low, high]. Outside, the gradient passes where a step against it leads back in.
lt_tensor *lt_hold(lt_tensor *x, float low, float high);

#endif
