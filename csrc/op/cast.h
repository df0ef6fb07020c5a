// Between element types.
#ifndef LT_OP_CAST_H
#define LT_OP_CAST_H

#include "tensor/tape.h"

lt_tensor *lt_cast(lt_tensor *x, lt_dtype dtype); // the same type: another window on x, recorded

#endif
