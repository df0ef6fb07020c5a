// Monotone rational-quadratic splines, a spline of its own for every number, with their gradients.
#ifndef LT_KERNEL_SPLINE_H
#define LT_KERNEL_SPLINE_H

#include <stdbool.h>
#include <stdint.h>

enum { LT_SPLINE_BINS = 64 };

typedef struct {
    int64_t bins; // k, from 1 to LT_SPLINE_BINS
    float bound;  // the spline maps [-bound,bound] onto itself; outside it is the identity
    float least;  // smallest width and height of a bin, as a part of the whole, and smallest derivative
    bool inverse;
} lt_spline_settings;

// said: 3k - 1 numbers for each of n: k widths and k heights (by softmax), k - 1 derivatives (by softplus). Threads
// inside, in pieces of fixed size.
typedef struct {
    // y, and the logarithm of the derivative of the map that was applied
    void (*forward)(const lt_spline_settings *set, int64_t n, const float *x, const float *said, float *y, float *logs);
    // dx and dsaid, each of which may be NULL
    void (*backward)(const lt_spline_settings *set, int64_t n, const float *x, const float *said, const float *dy,
                     const float *dlogs, float *dx, float *dsaid);
} lt_spline_kernels;

#endif
