// Softmax along one axis.
#ifndef LT_OP_SOFTMAX_H
#define LT_OP_SOFTMAX_H

#include "tensor/tape.h"

lt_tensor *lt_softmax(lt_tensor *x, int axis);
lt_tensor *lt_log_softmax(lt_tensor *x, int axis);

#endif
