// What a step of a solver does to memory: a linear combination whose numbers are the solver's formula.
#ifndef LT_OP_COMBINE_H
#define LT_OP_COMBINE_H

#include "tensor/tape.h"

enum { LT_COMBINE_MAX = 8 };

// c[0] t[0] + ... + c[n-1] t[n-1], n from 1 to LT_COMBINE_MAX, all of one shape; recorded.
lt_tensor *lt_combine(int n, lt_tensor *const *t, const float *c);

#endif
