// Activations and their derivatives for one float; loops over them become vectors as those of simd.h do. Private to
// csrc/kernel.
#ifndef LT_KERNEL_ACTIVATE_H
#define LT_KERNEL_ACTIVATE_H

#include "kernel/activation.h"
#include "kernel/simd.h"

// x sigmoid(x) = x / (1 + exp(-x)). Below -88 it is 0 to all that matters; the limit at -infinity is 0, not NaN.
static inline float lt_silu(float x)
{
    return (x < -88.0f ? -0.0f : x) / (1.0f + lt_exp_normal(-lt_bound_bits(x)));
}

static inline float lt_silu_d1(float x) // s + x s (1 - s), and 1 - s = exp(-x) s
{
    const float e = lt_exp_normal(-lt_bound_bits(x)), s = 1.0f / (1.0f + e);
    x = fabsf(x) >= 88.0f ? 0.0f : x; // its term is 0 there; NaN stays NaN
    return s + x * s * (e * s);
}

static inline float lt_silu_d2(float x)
{
    x = lt_clampf(x, -110.0f, 110.0f);
    const float s = lt_sigmoid(x);
    return s * (1.0f - s) * (2.0f + x * (1.0f - 2.0f * s));
}

// x * Phi(x), Phi the normal distribution function
static inline float lt_gelu(float x)
{
    return (x < -20.0f ? -20.0f : x) * lt_normal_cdf(x);
}

static inline float lt_gelu_d1(float x)
{
    x = lt_clampf(x, -20.0f, 20.0f);
    return lt_normal_cdf(x) + x * lt_normal_pdf(x);
}

static inline float lt_gelu_d2(float x)
{
    x = lt_clampf(x, -20.0f, 20.0f);
    return lt_normal_pdf(x) * (2.0f - x * x);
}

// x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3); |2u| < 77 for |x| <= 9.5, and beyond that the
// sigmoid is 0 or 1 to all that matters
static const float LT_GELU_K = 0x1.988454p0f, LT_GELU_A = 0.044715f; // K = 2 sqrt(2 / pi)

static inline float lt_gelu_tanh(float x)
{
    const float c = lt_clampf(x, -9.5f, 9.5f);
    return (x < -9.5f ? -0.0f : x) / (1.0f + lt_exp_normal(-LT_GELU_K * (c + LT_GELU_A * c * c * c)));
}

static inline float lt_gelu_tanh_d1(float x)
{
    x = lt_clampf(x, -9.5f, 9.5f);
    const float u = x * x, e = lt_exp_normal(-LT_GELU_K * (x + LT_GELU_A * x * u)), s = 1.0f / (1.0f + e);
    return s + x * s * (e * s) * (LT_GELU_K * (1.0f + 3.0f * LT_GELU_A * u));
}

static inline float lt_gelu_tanh_d2(float x)
{
    x = lt_clampf(x, -20.0f, 20.0f);
    const float s = lt_sigmoid(LT_GELU_K * (x + LT_GELU_A * x * x * x));
    const float v1 = LT_GELU_K * (1.0f + 3.0f * LT_GELU_A * x * x), v2 = LT_GELU_K * 6.0f * LT_GELU_A * x;
    return s * (1.0f - s) * (2.0f * v1 + x * ((1.0f - 2.0f * s) * v1 * v1 + v2));
}

// f(x) and f'(x); loops are compiled once for each constant f, see LT_WITH_ACTIVATION.
static inline __attribute__((always_inline)) float lt_activate(const lt_activation f, float x, float slope)
{
    switch (f) {
    case LT_RELU:
        return x < 0.0f ? 0.0f : x;
    case LT_LEAKY_RELU:
        return x < 0.0f ? slope * x : x;
    case LT_SILU:
        return lt_silu(x);
    case LT_GELU:
        return lt_gelu(x);
    case LT_GELU_TANH:
        return lt_gelu_tanh(x);
    default:
        return x;
    }
}

static inline __attribute__((always_inline)) float lt_activate_d1(const lt_activation f, float x, float slope)
{
    switch (f) {
    case LT_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case LT_LEAKY_RELU:
        return x > 0.0f ? 1.0f : slope;
    case LT_SILU:
        return lt_silu_d1(x);
    case LT_GELU:
        return lt_gelu_d1(x);
    case LT_GELU_TANH:
        return lt_gelu_tanh_d1(x);
    default:
        return 1.0f;
    }
}

// function(F, ...) with a constant F for the activation f: an inlined function then has a loop for each.
#define LT_WITH_ACTIVATION(f, function, ...)                                                                           \
    do {                                                                                                               \
        switch (f) {                                                                                                   \
        case LT_RELU:                                                                                                  \
            function(LT_RELU, __VA_ARGS__);                                                                            \
            break;                                                                                                     \
        case LT_LEAKY_RELU:                                                                                            \
            function(LT_LEAKY_RELU, __VA_ARGS__);                                                                      \
            break;                                                                                                     \
        case LT_SILU:                                                                                                  \
            function(LT_SILU, __VA_ARGS__);                                                                            \
            break;                                                                                                     \
        case LT_GELU:                                                                                                  \
            function(LT_GELU, __VA_ARGS__);                                                                            \
            break;                                                                                                     \
        case LT_GELU_TANH:                                                                                             \
            function(LT_GELU_TANH, __VA_ARGS__);                                                                       \
            break;                                                                                                     \
        default:                                                                                                       \
            function(LT_LINEAR, __VA_ARGS__);                                                                          \
            break;                                                                                                     \
        }                                                                                                              \
    } while (0)

#endif
