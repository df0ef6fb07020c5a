// Matrix products with gradients of any order.
#ifndef LT_OP_MATMUL_H
#define LT_OP_MATMUL_H

#include "tensor/tape.h"

// a (..,m,k) times b (..,k,n) -> (..,m,n); leading axes broadcast. As in PyTorch, a vector a (k) is a row and a vector
// b (k) a column, and that axis is absent from the result.
lt_tensor *lt_matmul(lt_tensor *a, lt_tensor *b);

// The same for tensors of 2 axes or more, either transposed in its last two.
lt_tensor *lt_matmul_transposed(lt_tensor *a, lt_tensor *b, bool trans_a, bool trans_b);

#endif
