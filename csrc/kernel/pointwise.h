// Arithmetic on every element by itself, over a range of n floats. Single-threaded: the operations cut the range with
// lt_parallel. An output may be the very same array as an input (x == y), but not overlap it otherwise.
#ifndef LT_KERNEL_POINTWISE_H
#define LT_KERNEL_POINTWISE_H

#include <stdbool.h>
#include <stdint.h>

// A function of one variable, y = f(x), and its derivatives. `p` holds up to two settings (NULL when there are none).
// s is what forward left behind: x, or y where saves_output.
//   forward: y   = f(x)
//   grad:    dx  = dy * f'(x),   written from s
//   grad2:   out = g * dy * d f'/ds: the gradient of sum(g * dx) with respect to s itself, which is f''(x) when s is x,
//            and f''(x) / f'(x) when s is y (the tape carries it on from y)
// grad and grad2 are NULL where they are zero everywhere.
typedef struct {
    const char *name;
    bool saves_output;
    void (*forward)(int64_t n, const float *x, float *y, const float *p);
    void (*grad)(int64_t n, const float *s, const float *dy, float *dx, const float *p);
    void (*grad2)(int64_t n, const float *s, const float *dy, const float *g, float *out, const float *p);
} lt_unary_kernel;

// y[i] = f(a[i * a_step], b[i * b_step]); steps are 0 (the same value all along) or 1.
typedef void (*lt_binary_kernel)(int64_t n, const float *a, int64_t a_step, const float *b, int64_t b_step, float *y);

typedef struct {
    lt_unary_kernel exp, log, log1p, sqrt, rsqrt, reciprocal, neg, abs, sign, floor, round, square, sin, cos, tanh,
        sigmoid, relu, silu, gelu, gelu_tanh, softplus, erf;
    // p[0]: slope below zero. From 0 up it keeps the sign, so that y says what backward asks of x, which need not be
    // kept; falling_relu is for slopes below 0.
    lt_unary_kernel leaky_relu, falling_relu;
    lt_unary_kernel clamp;      // p[0] <= x <= p[1]; the derivative is 1 on both borders; NaN stays NaN
    lt_unary_kernel pow;        // x ^ p[0], as C's pow
    lt_unary_kernel add_scalar; // x + p[0]
    lt_unary_kernel mul_scalar; // x * p[0]

    lt_binary_kernel add, sub, mul, div, power, maximum, minimum; // maximum and minimum: NaN wins
    lt_binary_kernel eq, ne, lt, le, gt, ge;                      // 1 or 0

    void (*fill)(int64_t n, float value, float *y);
    void (*mul_add)(int64_t n, const float *a, const float *b, float *y); // y += a * b
    // y = x + a * b; steps as of lt_binary_kernel
    void (*add_products)(int64_t n, const float *x, int64_t x_step, const float *a, int64_t a_step, const float *b,
                         int64_t b_step, float *y);
    void (*axpy)(int64_t n, float alpha, const float *x, float *y);                     // y += alpha * x
    void (*where)(int64_t n, const float *c, const float *a, const float *b, float *y); // c != 0 ? a : b
    // u < p, a bit each, eight to a byte from the lowest; and y = x * scale where the bit is set, else x * 0
    void (*keep)(int64_t n, const float *u, float p, uint8_t *bits);
    void (*kept)(int64_t n, const float *x, const uint8_t *bits, float scale, float *y);
    // y = 1 where x is outside of [low, high] and a step along -dy would lead further out, else 0; NaN: 0
    void (*outward)(int64_t n, const float *x, const float *dy, float low, float high, float *y);

    void (*u8_to_f32)(int64_t n, const uint8_t *x, float scale, float shift, float *y); // x * scale + shift
    void (*f32_to_u8)(int64_t n, const float *x, float scale, float shift, uint8_t *y); // rounded, clamped; NaN: 0
    void (*i32_to_f32)(int64_t n, const int32_t *x, float *y);
    void (*f32_to_i32)(int64_t n, const float *x, int32_t *y); // towards zero, clamped; NaN: 0
} lt_pointwise_kernels;

extern const lt_pointwise_kernels lt_pointwise_portable, lt_pointwise_avx2, lt_pointwise_avx512, lt_pointwise_neon;

#endif
