// Functions of two variables and conversions: the second half of pointwise.c, which alone includes it.
#ifndef LT_KERNEL_PAIRS_H
#define LT_KERNEL_PAIRS_H

#include "kernel/simd.h"

// The loops of lt_binary_kernel: the expression is in a and b. Steps are 0 or 1.
#define BINARY(f, expression)                                                                                          \
    static inline float f##_of(float a, float b)                                                                       \
    {                                                                                                                  \
        return (expression);                                                                                           \
    }                                                                                                                  \
    static void f##_pairs(int64_t n, const float *a, int64_t a_step, const float *b, int64_t b_step, float *y)         \
    {                                                                                                                  \
        if (n <= 0)                                                                                                    \
            return;                                                                                                    \
        const float a0 = *a, b0 = *b;                                                                                  \
        if (a_step && b_step) {                                                                                        \
            LT_VECTORIZE                                                                                               \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = f##_of(a[i], b[i]);                                                                             \
        } else if (a_step) {                                                                                           \
            LT_VECTORIZE                                                                                               \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = f##_of(a[i], b0);                                                                               \
        } else if (b_step) {                                                                                           \
            LT_VECTORIZE                                                                                               \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = f##_of(a0, b[i]);                                                                               \
        } else {                                                                                                       \
            fill(n, f##_of(a0, b0), y);                                                                                \
        }                                                                                                              \
    }

static void fill(int64_t n, float value, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = value;
}

BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, a *b)
BINARY(div, a / b)
BINARY(power, b == 2.0f ? a * a : powf(a, b))
BINARY(maximum, (a > b || a != a) ? a : b)
BINARY(minimum, (a < b || a != a) ? a : b)
BINARY(eq, a == b ? 1.0f : 0.0f)
BINARY(ne, a != b ? 1.0f : 0.0f)
BINARY(lt, a < b ? 1.0f : 0.0f)
BINARY(le, a <= b ? 1.0f : 0.0f)
BINARY(gt, a > b ? 1.0f : 0.0f)
BINARY(ge, a >= b ? 1.0f : 0.0f)

static void mul_add(int64_t n, const float *a, const float *b, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] += a[i] * b[i];
}

static void add_products(int64_t n, const float *x, int64_t x_step, const float *a, int64_t a_step, const float *b,
                         int64_t b_step, float *y)
{
    if (n > 0 && x_step && a_step && b_step) {
        LT_VECTORIZE
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] + a[i] * b[i];
    } else if (n > 0 && x_step && a_step != b_step) {
        const float *run = a_step ? a : b, all = a_step ? *b : *a;
        LT_VECTORIZE
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] + run[i] * all;
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i * x_step] + a[i * a_step] * b[i * b_step];
    }
}

static void axpy(int64_t n, float alpha, const float *x, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] += alpha * x[i];
}

static void where(int64_t n, const float *c, const float *a, const float *b, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++) {
        const float yes = a[i], no = b[i];
        y[i] = c[i] != 0.0f ? yes : no;
    }
}

static void keep(int64_t n, const float *u, float p, uint8_t *bits)
{
    for (int64_t i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (int64_t k = 0; k < 8 && i + k < n; k++)
            byte |= (unsigned)(u[i + k] < p) << k;
        bits[i / 8] = (uint8_t)byte;
    }
}

static void kept(int64_t n, const float *x, const uint8_t *bits, float scale, float *y)
{
    const int64_t whole = n / 8 * 8;
    for (int64_t i = 0; i < whole; i += 8) {
        const int32_t byte = bits[i / 8];
        LT_VECTORIZE
        for (int32_t k = 0; k < 8; k++)
            y[i + k] = x[i + k] * (byte >> k & 1 ? scale : 0.0f);
    }
    for (int64_t i = whole; i < n; i++)
        y[i] = x[i] * (bits[i / 8] >> i % 8 & 1 ? scale : 0.0f);
}

static void outward(int64_t n, const float *x, const float *dy, float low, float high, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++) {
        const bool above = x[i] > high && dy[i] < 0.0f, below = x[i] < low && dy[i] > 0.0f;
        y[i] = above || below ? 1.0f : 0.0f;
    }
}

static void u8_to_f32(int64_t n, const uint8_t *restrict x, float scale, float shift, float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i] * scale + shift;
}

static void f32_to_u8(int64_t n, const float *restrict x, float scale, float shift, uint8_t *restrict y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] * scale + shift;
        v = v > 0.0f ? v : 0.0f; // NaN too
        v = v < 255.0f ? v : 255.0f;
        y[i] = (uint8_t)lt_bits(v + LT_ROUND);
    }
}

static void i32_to_f32(int64_t n, const int32_t *restrict x, float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i];
}

static void f32_to_i32(int64_t n, const float *restrict x, int32_t *restrict y)
{
    const float top = 2147483648.0f, last = 2147483520.0f; // the first float too large, the last one that fits
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] == x[i] ? x[i] : 0.0f;
        v = lt_clampf(v, -top, last);
        y[i] = x[i] >= top ? INT32_MAX : (int32_t)v;
    }
}

#endif
