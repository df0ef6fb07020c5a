// Dropout.
#ifndef LT_OP_DROPOUT_H
#define LT_OP_DROPOUT_H

#include "base/random.h"
#include "tensor/tape.h"

// Each element is 0 with probability p, else x / (1 - p). 0 <= p <= 1.
lt_tensor *lt_dropout(lt_tensor *x, double p, lt_random *random);

#endif
