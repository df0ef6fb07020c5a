// The tile registers of AMX: eight of 16 rows of 64 bytes, and the five things that products do with them. With
// LT_AMX_EMULATED they are plain C that does what Intel's manual says, so that kernels can be tested on a processor
// that has none (make test-amx); on hardware they have not been run yet. Private to csrc/kernel.
//
//   lt_amx_configure()               all eight registers in full size, for the calling thread
//   lt_amx_release()                 none any more: nothing is left that a task switch would have to save
//   lt_amx_zero(c)
//   lt_amx_load(tile, from, stride)  16 rows, `stride` bytes apart
//   lt_amx_store(tile, to, stride)
//   lt_amx_dot(c, a, b)              c (16 x 16 floats) += a (16 rows of 16 pairs) b (16 steps of 16 pairs)
#ifndef LT_KERNEL_AMX_H
#define LT_KERNEL_AMX_H

#include <stdint.h>
#include <string.h>

#if defined(LT_AMX_EMULATED)

static _Thread_local struct {
    uint32_t tile[8][16][16];
    int configured;
} lt_amx;

static inline void lt_amx_check(void) // what the processor answers with an illegal instruction
{
    if (!lt_amx.configured)
        __builtin_trap();
}

static inline void lt_amx_configure(void)
{
    memset(&lt_amx, 0, sizeof lt_amx);
    lt_amx.configured = 1;
}

static inline void lt_amx_release(void)
{
    lt_amx.configured = 0;
}

static inline void lt_amx_zero(int c)
{
    lt_amx_check();
    memset(lt_amx.tile[c], 0, sizeof lt_amx.tile[c]);
}

static inline void lt_amx_load(int tile, const void *from, int64_t stride)
{
    lt_amx_check();
    for (int i = 0; i < 16; i++)
        memcpy(lt_amx.tile[tile][i], (const char *)from + i * stride, 64);
}

static inline void lt_amx_store(int tile, void *to, int64_t stride)
{
    lt_amx_check();
    for (int i = 0; i < 16; i++)
        memcpy((char *)to + i * stride, lt_amx.tile[tile][i], 64);
}

static inline float lt_amx_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void lt_amx_dot(int c, int a, int b)
{
    lt_amx_check();
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 16; n++) {
            float low = 0, high = 0, sum;
            for (int k = 0; k < 16; k++) {
                const uint32_t x = lt_amx.tile[a][m][k], y = lt_amx.tile[b][k][n];
                low += lt_amx_float(x << 16) * lt_amx_float(y << 16);
                high += lt_amx_float(x & 0xffff0000u) * lt_amx_float(y & 0xffff0000u);
            }
            sum = lt_amx_float(lt_amx.tile[c][m][n]) + (low + high);
            memcpy(&lt_amx.tile[c][m][n], &sum, sizeof sum);
        }
}

#else

#include <immintrin.h>

// gcc 12 tells the optimiser neither that the configuration's 64 bytes are read nor that a load reads memory: what was
// written before has to be in memory first.
#define LT_AMX_WRITTEN __asm__ volatile("" ::: "memory")

static inline void lt_amx_configure(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } full
        __attribute__((aligned(64))) = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    LT_AMX_WRITTEN;
    _tile_loadconfig(&full);
}

static inline void lt_amx_release(void)
{
    _tile_release();
}

// Macros: the instructions name their registers.
#define lt_amx_zero(c) _tile_zero(c)
#define lt_amx_load(tile, from, stride)                                                                                \
    do {                                                                                                               \
        LT_AMX_WRITTEN;                                                                                                \
        _tile_loadd(tile, from, stride);                                                                               \
    } while (0)
#define lt_amx_store(tile, to, stride)                                                                                 \
    do {                                                                                                               \
        _tile_stored(tile, to, stride);                                                                                \
        LT_AMX_WRITTEN;                                                                                                \
    } while (0)
#define lt_amx_dot(c, a, b) _tile_dpbf16ps(c, a, b)

#endif
#endif
