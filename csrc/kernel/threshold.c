// The loops of threshold.h.
#include "kernel/threshold.h"

#include <math.h>

#include "kernel/isa.h"
#include "kernel/simd.h"

static bool has_nan(int64_t n, const float *x)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != x[i])
            return true;
    return false;
}

// Without moving anything: 11, 11 and 10 bits at a time, the bucket that holds it is found by counting. Floats that are
// not negative are in the order of their bits.
static float nth(int64_t n, const float *x, int64_t k)
{
    uint32_t prefix = 0, known = 0;
    for (int shift = 21; shift > -10; shift = shift == 21 ? 10 : shift - 10) {
        int64_t count[2048] = {0};
        for (int64_t i = 0; i < n; i++) {
            const uint32_t u = lt_bits(x[i]) & 0x7fffffffu;
            count[u >> shift & 2047] += (u & known) == prefix;
        }
        uint32_t bucket = 0;
        while (k >= count[bucket])
            k -= count[bucket++];
        prefix |= bucket << shift;
        known |= 2047u << shift;
        if (shift == 0)
            break;
    }
    return lt_from_bits(prefix);
}

static void slope(int64_t n, const float *x, float limit, float *y)
{
    const float inside = 1 / limit;
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] = fabsf(x[i]) > limit ? 0.0f : inside;
}

const lt_threshold_kernels LT_NAME(lt_threshold) = {.has_nan = has_nan, .nth = nth, .slope = slope};
