// Noise of which every picture has a stream of its own: a picture does not depend on those beside it.
#ifndef LT_OP_RANDOM_H
#define LT_OP_RANDOM_H

#include "base/random.h"
#include "tensor/tensor.h"

// (n, sizes...) standard normals, picture i from generator[i], which are all different. ndim counts `sizes`.
lt_tensor *lt_randn_each(int n, lt_random *const *generator, int ndim, const int64_t *sizes);

#endif
