// The loops of moments.h.
#include "kernel/moments.h"

#include "kernel/isa.h"
#include "kernel/simd.h"

enum { BLOCK = 4096 };

static bool all_finite(int64_t n, const float *x)
{
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t last = at + BLOCK < n ? at + BLOCK : n;
        uint32_t bad = 0;
        for (int64_t i = at; i < last; i++)
            bad |= (lt_bits(x[i]) & 0x7f800000u) == 0x7f800000u; // the exponent of both
        if (bad)
            return false;
    }
    return true;
}

static void add_rows(int64_t rows, int64_t d, const float *x, double *sum)
{
    for (int64_t r = 0; r < rows; r++, x += d)
        for (int64_t j = 0; j < d; j++)
            sum[j] += (double)x[j];
}

static void centre(int64_t rows, int64_t d, const float *x, const double *mean, double *out)
{
    for (int64_t r = 0; r < rows; r++, x += d, out += d)
        for (int64_t j = 0; j < d; j++)
            out[j] = (double)x[j] - mean[j];
}

const lt_moments_kernels LT_NAME(lt_moments) = {.finite = all_finite, .add_rows = add_rows, .centre = centre};
