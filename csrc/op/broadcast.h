// Two shapes walked together: how broadcasting turns into few long runs.
#ifndef LT_OP_BROADCAST_H
#define LT_OP_BROADCAST_H

#include "tensor/tensor.h"

enum { LT_OPERANDS = 3 };

// Up to three operands stretched to one output shape. Neighbouring axes that all operands step through alike are
// merged, so (64,32,32,16) + (16) is 65536 runs of 16, and equal shapes are a single run.
typedef struct {
    int ndim, operands; // merged axes, at least 1
    int64_t size[LT_MAX_DIM];
    int64_t step[LT_OPERANDS][LT_MAX_DIM]; // in elements; 0 where an operand is stretched
} lt_broadcast;

// The common shape of n tensors; the message names both that differ.
int lt_broadcast_shape(int n, lt_tensor *const *x, int64_t *shape, int *ndim);
// The walk of n operands over an output shape that they broadcast to.
lt_broadcast lt_broadcast_plan(int n, lt_tensor *const *x, int ndim, const int64_t *shape);
// Number of runs (all axes but the last), and where each operand is at run `i`.
int64_t lt_broadcast_runs(const lt_broadcast *b);
void lt_broadcast_at(const lt_broadcast *b, int64_t i, int64_t *offset);

// n neighbouring outputs from place `out` on, whose operands start at the places `at` and go on with the last axis's
// steps.
typedef void (*lt_broadcast_piece)(const void *context, int64_t n, const int64_t *at, int64_t out);
// Calls f for every run, or for pieces of the only one, on the threads that there are.
void lt_broadcast_each(const lt_broadcast *b, lt_broadcast_piece f, const void *context);

#endif
