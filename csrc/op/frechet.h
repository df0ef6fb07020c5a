// How far apart two sets of vectors are, each taken for a Gaussian.
#ifndef LT_OP_FRECHET_H
#define LT_OP_FRECHET_H

#include "tensor/tensor.h"

// |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the rows of a (n,d) and b (m,d), n and m at least 2, computed in
// double.
int lt_frechet(const lt_tensor *a, const lt_tensor *b, double *distance);

#endif
