// prod_others of reduce.h's table. Private to csrc/kernel.
#ifndef LT_KERNEL_PROD_H
#define LT_KERNEL_PROD_H

#include <stdint.h>

#include "kernel/isa.h"

int LT_NAME(lt_prod_others)(int64_t outer, int64_t r, int64_t inner, const float *x, const float *g, float *y);

#endif
