// Sums along a line of floats that stays in cache. Private to csrc/kernel.
#ifndef LT_KERNEL_LINE_SUM_H
#define LT_KERNEL_LINE_SUM_H

#include "kernel/simd.h"

enum { LT_LINE_LANES = 32 }; // running sums: two vectors at least of any instruction set

// Sum over i of `term`, which may also store something, in LT_LINE_LANES running sums.
#define LT_LINE_SUM(n, result, term)                                                                                   \
    do {                                                                                                               \
        float lane_[LT_LINE_LANES] = {0}, rest_ = 0;                                                                   \
        int64_t i_ = 0;                                                                                                \
        for (; i_ + LT_LINE_LANES <= (n); i_ += LT_LINE_LANES)                                                         \
            LT_VECTORIZE for (int j_ = 0; j_ < LT_LINE_LANES; j_++)                                                    \
            {                                                                                                          \
                const int64_t i = i_ + j_;                                                                             \
                lane_[j_] += (term);                                                                                   \
            }                                                                                                          \
        for (; i_ < (n); i_++) {                                                                                       \
            const int64_t i = i_;                                                                                      \
            rest_ += (term);                                                                                           \
        }                                                                                                              \
        for (int j_ = 0; j_ < LT_LINE_LANES; j_++)                                                                     \
            rest_ += lane_[j_];                                                                                        \
        result = rest_;                                                                                                \
    } while (0)

#endif
