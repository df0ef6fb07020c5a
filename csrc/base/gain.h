// Whether a processor multiplies bfloat16 faster than float32.
#ifndef LT_BASE_GAIN_H
#define LT_BASE_GAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/processor.h"

typedef struct {
    bool faster;
    const char *reason; // one sentence
} lt_gain;

// By what is known of the model and of the instruction set in use alone: nothing is timed, and nothing but the
// arguments is looked at.
lt_gain lt_bf16_gain(const lt_processor *p, const char *isa);

// Is one product, m x k times k x n, large enough to gain where the processor does?
bool lt_bf16_pays(int64_t m, int64_t n);

#endif
