// Rows of a table, by number.
#ifndef LT_OP_EMBEDDING_H
#define LT_OP_EMBEDDING_H

#include "tensor/tape.h"

// weight(n, d), ids int32 of any shape, from 1 -> ids' shape, then (d).
lt_tensor *lt_embedding(lt_tensor *weight, lt_tensor *ids);

#endif
