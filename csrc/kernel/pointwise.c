// The loops of pointwise.h. One loop an expression: the compiler makes the vectors.
#include "kernel/pointwise.h"
#include "kernel/activate.h"
#include "kernel/isa.h"
#include "kernel/pairs.h"
#include "kernel/simd.h"

// A kernel over n elements: `setup` reads the settings, the expression is in x (forward) or s, dy, g (gradients).
#define FORWARD(f, setup, expression)                                                                                  \
    static void f##_forward(int64_t n, const float *xs, float *ys, const float *p)                                     \
    {                                                                                                                  \
        setup LT_VECTORIZE for (int64_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const float x = xs[i];                                                                                     \
            ys[i] = (expression);                                                                                      \
        }                                                                                                              \
    }
#define GRAD(f, setup, derivative)                                                                                     \
    static void f##_grad(int64_t n, const float *ss, const float *dys, float *out, const float *p)                     \
    {                                                                                                                  \
        setup LT_VECTORIZE for (int64_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const float s __attribute__((unused)) = ss[i];                                                             \
            out[i] = dys[i] * (derivative);                                                                            \
        }                                                                                                              \
    }
#define GRAD2(f, setup, derivative)                                                                                    \
    static void f##_grad2(int64_t n, const float *ss, const float *dys, const float *gs, float *out, const float *p)   \
    {                                                                                                                  \
        setup LT_VECTORIZE for (int64_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const float s __attribute__((unused)) = ss[i];                                                             \
            out[i] = gs[i] * dys[i] * (derivative);                                                                    \
        }                                                                                                              \
    }

// Where `open` holds dy goes through, else `closed` does: chosen, not multiplied, so that an infinite dy (of a square
// root at 0, say) ends at a closed gate instead of becoming NaN.
#define GATE(f, setup, open, closed)                                                                                   \
    static void f##_grad(int64_t n, const float *ss, const float *dys, float *out, const float *p)                     \
    {                                                                                                                  \
        setup LT_VECTORIZE for (int64_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const float s = ss[i], dy = dys[i];                                                                        \
            out[i] = (open) ? dy : (closed);                                                                           \
        }                                                                                                              \
    }

// ---- derivatives that need more than an expression -------------------------------------------------------------

static inline float sign(float x) // NaN stays NaN
{
    const float s = (x > 0.0f ? 1.0f : 0.0f) - (x < 0.0f ? 1.0f : 0.0f);
    return x == x ? s : x;
}

static inline float erf_d1(float x) // 2 / sqrt(pi) exp(-x^2)
{
    x = lt_clampf(x, -11.0f, 11.0f);
    return 0x1.20dd76p0f * lt_exp_minus_square(x, 1.0f);
}

static inline float erf_d2(float x)
{
    return -2.0f * lt_clampf(x, -11.0f, 11.0f) * erf_d1(x);
}

// sin (quarter 0) and cos (quarter 1). Arguments too large for the fast reduction are done again, one by one.
static void trig(int64_t n, const float *x, float *y, uint32_t quarter)
{
    enum { BLOCK = 512 };
    float out[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t m = n - at < BLOCK ? n - at : BLOCK;
        int large = 0;
        for (int64_t i = 0; i < m; i++) {
            out[i] = lt_sin_quarter(x[at + i], quarter);
            large |= fabsf(x[at + i]) > LT_TRIG_MAX;
        }
        for (int64_t i = 0; large && i < m; i++)
            if (fabsf(x[at + i]) > LT_TRIG_MAX)
                out[i] = quarter ? cosf(x[at + i]) : sinf(x[at + i]);
        memcpy(y + at, out, (size_t)m * sizeof *y);
    }
}

static void sin_forward(int64_t n, const float *x, float *y, const float *p)
{
    trig(n, x, y, 0);
}

static void cos_forward(int64_t n, const float *x, float *y, const float *p)
{
    trig(n, x, y, 1);
}

// out = scale * (sin or cos)(s) * dy * g, through a block on the stack because out may be dy; g may be NULL.
static void trig_grad(int64_t n, const float *s, const float *dy, const float *g, float *out, uint32_t quarter,
                      float scale)
{
    enum { BLOCK = 512 };
    float d[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t m = n - at < BLOCK ? n - at : BLOCK;
        trig(m, s + at, d, quarter);
        LT_VECTORIZE
        for (int64_t i = 0; i < m; i++)
            out[at + i] = scale * d[i] * dy[at + i] * (g ? g[at + i] : 1.0f);
    }
}

#define TRIG_GRADS(f, quarter1, scale1, quarter2, scale2)                                                              \
    static void f##_grad(int64_t n, const float *s, const float *dy, float *dx, const float *p)                        \
    {                                                                                                                  \
        trig_grad(n, s, dy, NULL, dx, quarter1, scale1);                                                               \
    }                                                                                                                  \
    static void f##_grad2(int64_t n, const float *s, const float *dy, const float *g, float *out, const float *p)      \
    {                                                                                                                  \
        trig_grad(n, s, dy, g, out, quarter2, scale2);                                                                 \
    }
TRIG_GRADS(sin, 1, 1.0f, 0, -1.0f)
TRIG_GRADS(cos, 0, -1.0f, 1, -1.0f)

// ---- functions of one variable; s is x or y, as the table says -------------------------------

FORWARD(exp, , lt_exp(x))
GRAD(exp, , s)
GRAD2(exp, , 1.0f)
FORWARD(log, , lt_log(x))
GRAD(log, , 1.0f / s)
GRAD2(log, , -1.0f / (s * s))
FORWARD(log1p, , lt_log1p(x))
GRAD(log1p, , 1.0f / (1.0f + s))
GRAD2(log1p, , -1.0f / ((1.0f + s) * (1.0f + s)))
FORWARD(sqrt, , sqrtf(x))
GRAD(sqrt, , 0.5f / s)
GRAD2(sqrt, , -0.5f / (s * s))
FORWARD(rsqrt, , 1.0f / sqrtf(x))
GRAD(rsqrt, , -0.5f * s * s * s)
GRAD2(rsqrt, , -1.5f * s * s)
FORWARD(reciprocal, , 1.0f / x)
GRAD(reciprocal, , -s *s)
GRAD2(reciprocal, , -2.0f * s)
FORWARD(neg, , -x)
GRAD(neg, , -1.0f)
FORWARD(abs, , fabsf(x))
GRAD(abs, , sign(s))
FORWARD(sign, , sign(x))
FORWARD(floor, , floorf(x))
FORWARD(round, , rintf(x))
FORWARD(square, , x *x)
GRAD(square, , 2.0f * s)
GRAD2(square, , 2.0f)
FORWARD(tanh, , lt_tanh(x))
GRAD(tanh, , 1.0f - s * s)
GRAD2(tanh, , -2.0f * s)
FORWARD(sigmoid, , lt_sigmoid(x))
GRAD(sigmoid, , s *(1.0f - s))
GRAD2(sigmoid, , 1.0f - 2.0f * s)
FORWARD(relu, , x < 0.0f ? 0.0f : x)
GATE(relu, , s > 0.0f, 0.0f)
FORWARD(silu, , lt_silu(x))
GRAD(silu, , lt_silu_d1(s))
GRAD2(silu, , lt_silu_d2(s))
FORWARD(gelu, , lt_gelu(x))
GRAD(gelu, , lt_gelu_d1(s))
GRAD2(gelu, , lt_gelu_d2(s))
FORWARD(gelu_tanh, , lt_gelu_tanh(x))
GRAD(gelu_tanh, , lt_gelu_tanh_d1(s))
GRAD2(gelu_tanh, , lt_gelu_tanh_d2(s))
FORWARD(softplus, , lt_softplus(x))
GRAD(softplus, , lt_sigmoid(s))
GRAD2(softplus, , lt_sigmoid(s) * lt_sigmoid(-s))
FORWARD(erf, , lt_erf(x))
GRAD(erf, , erf_d1(s))
GRAD2(erf, , erf_d2(s))

#define ONE_SETTING  const float a = p[0];
#define TWO_SETTINGS const float a = p[0], b = p[1];
FORWARD(leaky_relu, ONE_SETTING, x < 0.0f ? a * x : x)
GATE(leaky_relu, ONE_SETTING, s > 0.0f, a *dy)
FORWARD(clamp, TWO_SETTINGS, lt_clampf(x, a, b))
GATE(clamp, TWO_SETTINGS, s >= a && s <= b, 0.0f)
FORWARD(any_pow, ONE_SETTING, powf(x, a))
GRAD(any_pow, ONE_SETTING, a == 0.0f ? 0.0f : a * powf(s, a - 1.0f))
GRAD2(any_pow, ONE_SETTING, a == 0.0f || a == 1.0f ? 0.0f : a * (a - 1.0f) * powf(s, a - 2.0f))

// x^2 is by far the most common power; powf, which nothing simple matches in rounding, does the others.
static void pow_forward(int64_t n, const float *x, float *y, const float *p)
{
    (p[0] == 2.0f ? square_forward : any_pow_forward)(n, x, y, p);
}

static void pow_grad(int64_t n, const float *s, const float *dy, float *dx, const float *p)
{
    (p[0] == 2.0f ? square_grad : any_pow_grad)(n, s, dy, dx, p);
}

static void pow_grad2(int64_t n, const float *s, const float *dy, const float *g, float *out, const float *p)
{
    (p[0] == 2.0f ? square_grad2 : any_pow_grad2)(n, s, dy, g, out, p);
}

FORWARD(add_scalar, ONE_SETTING, x + a)
GRAD(add_scalar, , 1.0f)
FORWARD(mul_scalar, ONE_SETTING, x *a)
GRAD(mul_scalar, ONE_SETTING, a)

// ---- the table: what is saved, and how many derivatives are not zero everywhere ----------------------------------

#define TWICE(f, saves_output)                                                                                         \
    {                                                                                                                  \
#f, saves_output, f##_forward, f##_grad, f##_grad2                                                             \
    }
#define ONCE(f, saves_output)                                                                                          \
    {                                                                                                                  \
#f, saves_output, f##_forward, f##_grad, NULL                                                                  \
    }
#define FLAT(f)                                                                                                        \
    {                                                                                                                  \
#f, false, f##_forward, NULL, NULL                                                                             \
    }

const lt_pointwise_kernels LT_NAME(lt_pointwise) = {
    .exp = TWICE(exp, true),
    .log = TWICE(log, false),
    .log1p = TWICE(log1p, false),
    .sqrt = TWICE(sqrt, true),
    .rsqrt = TWICE(rsqrt, true),
    .reciprocal = TWICE(reciprocal, true),
    .neg = ONCE(neg, false),
    .abs = ONCE(abs, false),
    .sign = FLAT(sign),
    .floor = FLAT(floor),
    .round = FLAT(round),
    .square = TWICE(square, false),
    .sin = TWICE(sin, false),
    .cos = TWICE(cos, false),
    .tanh = TWICE(tanh, true),
    .sigmoid = TWICE(sigmoid, true),
    .relu = ONCE(relu, true),
    .silu = TWICE(silu, false),
    .gelu = TWICE(gelu, false),
    .gelu_tanh = TWICE(gelu_tanh, false),
    .softplus = TWICE(softplus, false),
    .erf = TWICE(erf, false),
    .leaky_relu = ONCE(leaky_relu, true),
    .falling_relu = ONCE(leaky_relu, false),
    .clamp = ONCE(clamp, false),
    .pow = TWICE(pow, false),
    .add_scalar = ONCE(add_scalar, false),
    .mul_scalar = ONCE(mul_scalar, false),
    .add = add_pairs,
    .sub = sub_pairs,
    .mul = mul_pairs,
    .div = div_pairs,
    .power = power_pairs,
    .maximum = maximum_pairs,
    .minimum = minimum_pairs,
    .eq = eq_pairs,
    .ne = ne_pairs,
    .lt = lt_pairs,
    .le = le_pairs,
    .gt = gt_pairs,
    .ge = ge_pairs,
    .fill = fill,
    .mul_add = mul_add,
    .add_products = add_products,
    .axpy = axpy,
    .where = where,
    .keep = keep,
    .kept = kept,
    .outward = outward,
    .u8_to_f32 = u8_to_f32,
    .f32_to_u8 = f32_to_u8,
    .i32_to_f32 = i32_to_f32,
    .f32_to_i32 = f32_to_i32,
};
