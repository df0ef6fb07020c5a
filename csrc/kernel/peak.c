// The machine's peak: multiply-adds in registers, bfloat16 products in registers, and a sweep through memory.
//
// A multiply-add answers after 4 to 5 cycles and two can start in each, so 10 of them must be under way at any time:
// 12 independent sums, which with two operands still fit the 16 registers of SSE2 and AVX2. Work is cut into many short
// pieces, so that a thread that starts late only does fewer. Of five runs of some milliseconds the best counts: other
// programs only ever take away.
#include "kernel/peak.h"

#include <math.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/tile.h"

#if defined(LT_AMX)
#include "kernel/amx.h"
#elif defined(__AVX512BF16__)
#include <immintrin.h>
#endif

enum { SUMS = 12, ROUNDS = 20000, PIECES = 256, RUNS = 5 };
enum { SWEEP = 1 << 24, SWEEP_PIECE = 1 << 18 }; // floats: two arrays of 64 MB, a megabyte at a time

typedef struct {
    float scale, shift; // unknown to the compiler, so that nothing is computed beforehand
    float *x, *y;       // the arrays of the sweep; y also takes a result of each piece
} job;

static void multiply_add(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_vec scale = j->scale + (lt_vec){0}, shift = j->shift + (lt_vec){0};
    lt_vec sum[SUMS];
#pragma GCC unroll 12 // not a matter of taste: sums that stay an array live in memory, at half the speed
    for (int i = 0; i < SUMS; i++)
        sum[i] = shift * (float)i;
    for (int64_t r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sum[i] = sum[i] * scale + shift;
#pragma GCC unroll 12
    for (int i = 1; i < SUMS; i++)
        sum[0] += sum[i];
    for (int64_t p = begin; p < end; p++)
        j->y[p] = sum[0][0];
}

#if defined(LT_AMX)
enum { BF16_ROUNDS = 4000, BF16_AMOUNT = 4 * 16 * 16 * 32 * 2 }; // four products of 16 x 32 by 32 x 16 a round

static void multiply_add_bf16(void *context, int64_t begin, int64_t end)
{
    float some[16][16] = {{0}};
    lt_amx_configure();
    lt_amx_load(4, some, 64);
    lt_amx_load(5, some, 64);
    lt_amx_load(6, some, 64);
    lt_amx_load(7, some, 64);
    for (int64_t r = 0; r < BF16_ROUNDS; r++) {
        lt_amx_dot(0, 4, 6);
        lt_amx_dot(1, 4, 7);
        lt_amx_dot(2, 5, 6);
        lt_amx_dot(3, 5, 7);
    }
    lt_amx_release();
}
#elif defined(__AVX512BF16__)
enum { BF16_ROUNDS = ROUNDS, BF16_AMOUNT = SUMS * LT_LANES * 4 };

static void multiply_add_bf16(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const __m512 one = _mm512_set1_ps(j->scale), small = _mm512_set1_ps(j->shift);
    const __m512bh a = _mm512_cvtne2ps_pbh(one, one), b = _mm512_cvtne2ps_pbh(small, small);
    __m512 sum[SUMS];
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, b);
#pragma GCC unroll 12
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    for (int64_t p = begin; p < end; p++)
        j->y[p] = _mm512_cvtss_f32(sum[0]);
}
#elif defined(LT_NEON_BF16)
enum { BF16_ROUNDS = ROUNDS, BF16_AMOUNT = SUMS * LT_LANES * 8 };

static void multiply_add_bf16(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const bfloat16x8_t a = vcvtq_low_bf16_f32(vdupq_n_f32(j->scale)), b = vcvtq_low_bf16_f32(vdupq_n_f32(j->shift));
    float32x4_t sum[SUMS];
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++)
        sum[i] = vdupq_n_f32((float)i);
    for (int64_t r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sum[i] = vbfmmlaq_f32(sum[i], a, b);
#pragma GCC unroll 12
    for (int i = 1; i < SUMS; i++)
        sum[0] = vaddq_f32(sum[0], sum[i]);
    for (int64_t p = begin; p < end; p++)
        j->y[p] = vgetq_lane_f32(sum[0], 0);
}
#endif

static void sweep(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i += LT_LANES)
        *(lt_vec *)(j->y + i) = j->scale * *(const lt_vec *)(j->x + i);
}

// Billions of `amount` a second.
static double rate(int64_t n, int64_t grain, lt_piece piece, job *j, double amount)
{
    double best = INFINITY;
    for (int i = 0; i < RUNS; i++) {
        struct timespec start, stop;
        clock_gettime(CLOCK_MONOTONIC, &start);
        lt_parallel(n, grain, piece, j);
        clock_gettime(CLOCK_MONOTONIC, &stop);
        best = fmin(best, (double)(stop.tv_sec - start.tv_sec) + 1e-9 * (double)(stop.tv_nsec - start.tv_nsec));
    }
    return 1e-9 * amount / best;
}

static int measure(lt_peak *out)
{
    job j = {.scale = 0.5f, .shift = 0.25f};
    const double lanes = (double)ROUNDS * SUMS * LT_LANES;
    const int64_t pieces = PIECES * (int64_t)lt_threads();
    j.x = lt_alloc_zeroed(SWEEP * sizeof *j.x);
    j.y = lt_alloc(SWEEP * sizeof *j.y);
    if (!j.x || !j.y) {
        lt_free(j.x);
        lt_free(j.y);
        return LT_FAIL;
    }
    out->fp32 = rate(pieces, 1, multiply_add, &j, (double)pieces * lanes * 2);
    out->bf16 = 0;
#if defined(__AVX512BF16__) || defined(LT_NEON_BF16)
    out->bf16 = rate(pieces, 1, multiply_add_bf16, &j, (double)pieces * BF16_ROUNDS * BF16_AMOUNT);
#endif
    out->memory = rate(SWEEP, SWEEP_PIECE, sweep, &j, 2.0 * SWEEP * sizeof(float));
    lt_free(j.x);
    lt_free(j.y);
    return LT_OK;
}

const lt_peak_kernels LT_NAME(lt_peak) = {.measure = measure};
