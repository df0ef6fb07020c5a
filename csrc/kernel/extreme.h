// max and min of reduce.h's table. Private to csrc/kernel.
#ifndef LT_KERNEL_EXTREME_H
#define LT_KERNEL_EXTREME_H

#include <stdint.h>

#include "kernel/isa.h"

void LT_NAME(lt_extreme_max)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index);
void LT_NAME(lt_extreme_min)(int64_t outer, int64_t r, int64_t inner, const float *x, float *y, int32_t *index);

#endif
