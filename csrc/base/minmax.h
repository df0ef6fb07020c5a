// The smaller and the larger of two numbers. A float that is compared with NaN gives the second one; fminf and fmaxf,
// which give the other, are calls where the processor has no SSE4.1.
#ifndef LT_BASE_MINMAX_H
#define LT_BASE_MINMAX_H

#include <stdint.h>

static inline float lt_minf(float a, float b)
{
    return a < b ? a : b;
}

static inline float lt_maxf(float a, float b)
{
    return a > b ? a : b;
}

static inline int64_t lt_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t lt_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
