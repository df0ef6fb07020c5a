// Elementary functions for one float, written so that the compiler can run them on a whole vector: polynomials, bit
// tricks and selects, no branch and no call. Errors are within 2 units in the last place (see
// spec/kernel/math_spec.lua); infinities, NaN, zeros and denormals behave as in libm. Private to csrc/kernel.
//
// The polynomials are minimax fits of our own (Lawson iteration on Chebyshev nodes, relative error of the function).
#ifndef LT_KERNEL_SIMD_H
#define LT_KERNEL_SIMD_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

// A loop whose iterations do not depend on each other, even where an output is the input array itself.
#if defined(__clang__)
#define LT_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
#else
#define LT_VECTORIZE _Pragma("GCC ivdep")
#endif

static inline uint32_t lt_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float lt_from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float lt_clampf(float x, float lo, float hi) // NaN stays NaN
{
    x = x > hi ? hi : x;
    return x < lo ? lo : x;
}

static const float LT_LN2_HI = 0x1.62e4p-1f, LT_LN2_LO = 0x1.7f7d1cp-20f; // ln 2 in 15 + 24 bits
static const float LT_ROUND = 0x1.8p23f; // x + LT_ROUND - LT_ROUND is x rounded, for |x| < 2^22

// exp(hi + lo), |lo| small: hi = n ln 2 + r, exp(r) = 1 + r + r^2 P(r), times 2^n in two steps, so that results that
// overflow or are denormal come out right.
static inline float lt_exp2parts(float hi, float lo)
{
    hi = lt_clampf(hi, -104.5f, 89.0f);
    const float shifted = hi * 0x1.715476p0f + LT_ROUND, n = shifted - LT_ROUND;
    const float r = hi - n * LT_LN2_HI - n * LT_LN2_LO + lo;
    float p = 0x1.6db426p-10f;
    p = p * r + 0x1.123b56p-7f;
    p = p * r + 0x1.55545ep-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0.5f;
    const float y = 1.0f + (r + r * r * p);
    const int32_t k = (int32_t)(lt_bits(shifted) - lt_bits(LT_ROUND)), half = k >> 1;
    return y * lt_from_bits((uint32_t)(half + 127) << 23) * lt_from_bits((uint32_t)(k - half + 127) << 23);
}

static inline float lt_exp(float x)
{
    return lt_exp2parts(x, 0.0f);
}

// exp(x) for -86.6 <= x <= 88, where the result is a normal number: 2^n goes straight into its exponent. NaN may come
// out as any number.
static inline float lt_exp_normal(float x)
{
    const float shifted = x * 0x1.715476p0f + LT_ROUND, n = shifted - LT_ROUND;
    const float r = x - n * LT_LN2_HI - n * LT_LN2_LO;
    float p = 0x1.6db426p-10f;
    p = p * r + 0x1.123b56p-7f;
    p = p * r + 0x1.55545ep-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0.5f;
    const float y = 1.0f + (r + r * r * p);
    return lt_from_bits(lt_bits(y) + (lt_bits(shifted) << 23)); // LT_ROUND's own bits are shifted out
}

// x between -88 and 86.6, by the order of the bits: positive floats count up as signed numbers, negative ones down as
// unsigned ones. Two instructions where comparisons that keep NaN take four; NaN becomes one of the bounds.
static inline float lt_bound_bits(float x)
{
    const int32_t high = 0x42ad3333; // 86.6
    const int32_t i = (int32_t)lt_bits(x), j = i < high ? i : high;
    const uint32_t low = 0xc2b00000u, k = (uint32_t)j; // -88
    return lt_from_bits(k < low ? k : low);
}

// log x + `less` * -ln 2 for a normal x > 0: x = 2^k (1 + f), log(1 + f) = f - f^2 / 2 + f^3 P(f), sqrt(1/2) <= 1 + f <
// sqrt(2)
static inline float lt_log_normal(float x, float less)
{
    const uint32_t i = lt_bits(x);
    const int32_t k = (int32_t)(i - 0x3f3504f3u) >> 23;
    const float f = lt_from_bits(i - ((uint32_t)k << 23)) - 1.0f, e = (float)k - less;
    float p = 0x1.145724p-4f;
    p = p * f - 0x1.de3bf2p-4f;
    p = p * f + 0x1.e6f094p-4f;
    p = p * f - 0x1.fc221p-4f;
    p = p * f + 0x1.233766p-3f;
    p = p * f - 0x1.555c4ep-3f;
    p = p * f + 0x1.99a4b6p-3f;
    p = p * f - 0x1.000006p-2f;
    p = p * f + 0x1.555548p-2f;
    const float f2 = f * f;
    return e * LT_LN2_HI + (f + (f2 * f * p + e * LT_LN2_LO - 0.5f * f2));
}

static inline float lt_log(float x)
{
    const float scaled = x * 0x1p25f;
    const float y = lt_log_normal(x < FLT_MIN ? scaled : x, x < FLT_MIN ? 25.0f : 0.0f);
    const float special = x == 0.0f ? -INFINITY : x < 0.0f ? NAN : x; // 0, below 0, infinity and NaN
    const float usual = x > 0.0f ? y : special;
    return x < INFINITY ? usual : special;
}

static inline float lt_log1p(float x) // log(1 + x); the rounding of 1 + x is put back
{
    const float w = 1.0f + x, rest = (x - (w - 1.0f)) / w;
    return lt_log(w) + (w > 0.0f && w < INFINITY ? rest : 0.0f);
}

static inline float lt_log1p_unit(float u) // the same for 0 <= u <= 1 or NaN, in fewer steps
{
    const float w = 1.0f + u;
    return lt_log_normal(w, 0.0f) + (u - (w - 1.0f)) / w;
}

static inline float lt_softplus(float x) // log(1 + exp(x))
{
    return (x > 0.0f ? x : 0.0f) + lt_log1p_unit(lt_exp(-fabsf(x)));
}

static inline float lt_sigmoid(float x)
{
    const float e = lt_exp(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

static inline float lt_tanh(float x)
{
    const float a = fabsf(x), u = x * x;
    float p = 0x1.159cccp-9f;
    p = p * u - 0x1.0b14fap-7f;
    p = p * u + 0x1.635f18p-6f;
    p = p * u - 0x1.b9eaa2p-5f;
    p = p * u + 0x1.111052p-3f;
    p = p * u - 0x1.555554p-2f;
    const float near = x + x * u * p;
    const float far = copysignf(1.0f - 2.0f / (lt_exp(a + a) + 1.0f), x);
    return a < 0.625f ? near : far;
}

static inline float lt_erf_near(float x) // |x| < 1: x P(x^2)
{
    const float u = x * x;
    float p = -0x1.4383f6p-17f;
    p = p * u + 0x1.d8268cp-14f;
    p = p * u - 0x1.bcbe9ap-11f;
    p = p * u + 0x1.5628eep-8f;
    p = p * u - 0x1.b829a8p-6f;
    p = p * u + 0x1.ce2f08p-4f;
    p = p * u - 0x1.812746p-2f;
    p = p * u + 0x1.20dd76p0f;
    return x * p;
}

// exp(z^2) (1 - erf(z)) = t P(t), t = 1 / (1 + z / 2), for 0.9 <= z <= 11
static inline float lt_erfc_scaled(float z)
{
    const float t = 1.0f / (1.0f + 0.5f * z);
    float p = -0x1.0a52fap-4f;
    p = p * t + 0x1.9d81b8p-3f;
    p = p * t - 0x1.522106p-3f;
    p = p * t - 0x1.b36ba6p-5f;
    p = p * t + 0x1.5b026p-6f;
    p = p * t + 0x1.1baf98p-4f;
    p = p * t + 0x1.7157ccp-3f;
    p = p * t + 0x1.f835dep-3f;
    p = p * t + 0x1.20ebb4p-2f;
    p = p * t + 0x1.20dcf2p-2f;
    return t * p;
}

// exp(-factor * x^2), factor 1 or 1/2: x^2 is taken in two parts, the first one exact.
static inline float lt_exp_minus_square(float x, float factor)
{
    const float head = lt_from_bits(lt_bits(x) & 0xfffff000u);
    return lt_exp2parts(-factor * head * head, -factor * (x - head) * (x + head));
}

static inline float lt_erf(float x)
{
    const float a = fabsf(x), z = a > 11.0f ? 11.0f : a, near = lt_erf_near(x);
    const float far = copysignf(1.0f - lt_exp_minus_square(z, 1.0f) * lt_erfc_scaled(z), x);
    return a < 0.95f ? near : far;
}

static inline float lt_normal_cdf(float x) // (1 + erf(x / sqrt 2)) / 2, with relative precision far below 0 too
{
    const float a = fabsf(x) > 15.0f ? 15.0f : fabsf(x), z = a * 0x1.6a09e6p-1f;
    const float near = 0.5f - 0.5f * lt_erf_near(z);
    const float far = 0.5f * lt_exp_minus_square(a, 0.5f) * lt_erfc_scaled(z);
    const float tail = z < 0.95f ? near : fabsf(x) > 15.0f ? 0.0f : far;
    return x < 0.0f ? tail : 1.0f - tail;
}

static inline float lt_normal_pdf(float x) // exp(-x^2 / 2) / sqrt(2 pi), |x| <= 20
{
    return 0x1.988454p-2f * lt_exp_minus_square(x, 0.5f);
}

// sin x for quarter = 0, cos x for quarter = 1, good for |x| <= LT_TRIG_MAX: x = q pi/2 + r with pi/2 in four parts.
#define LT_TRIG_MAX 1e4f
static inline float lt_sin_quarter(float x, uint32_t quarter)
{
    const float shifted = x * 0x1.45f306p-1f + LT_ROUND, q = shifted - LT_ROUND;
    const float r = x - q * 0x1.92p0f - q * 0x1.fb4p-12f - q * 0x1.444p-24f - q * 0x1.68c234p-39f, u = r * r;
    const uint32_t k = lt_bits(shifted) + quarter; // LT_ROUND's own low bits are zero
    float s = 0x1.6ccf5cp-19f;
    s = s * u - 0x1.a00f74p-13f;
    s = s * u + 0x1.111108p-7f;
    s = s * u - 0x1.555556p-3f;
    s = r + r * u * s;
    float c = 0x1.99ff3ep-16f;
    c = c * u - 0x1.6c0c82p-10f;
    c = c * u + 0x1.55554ap-5f;
    c = 1.0f - 0.5f * u + u * u * c;
    const float y = (k & 1) ? c : s;
    return lt_from_bits(lt_bits(y) ^ ((k & 2) << 30));
}

#endif
