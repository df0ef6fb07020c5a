// The loops of update.h.
#include "kernel/update.h"
#include "kernel/isa.h"
#include "kernel/simd.h"

static void sgd(int64_t n, float *restrict p, const float *restrict g, float *restrict m, const lt_sgd *set)
{
    const lt_sgd s = *set;
    const float fresh = 1.0f - s.dampening;
    if (!m) {
        for (int64_t i = 0; i < n; i++)
            p[i] -= s.lr * (g[i] + s.weight_decay * p[i]);
        return;
    }
    const float gradient = s.nesterov ? 1.0f : 0.0f, buffer = s.nesterov ? s.momentum : 1.0f;
    for (int64_t i = 0; i < n; i++) {
        const float d = g[i] + s.weight_decay * p[i];
        m[i] = s.momentum * m[i] + fresh * d;
        p[i] -= s.lr * (gradient * d + buffer * m[i]);
    }
}

static void adam(int64_t n, float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                 const lt_adam *set)
{
    const lt_adam s = *set;
    const float size = s.lr / s.correction1, unscale = 1.0f / s.correction2_sqrt;
    const float keep = s.decoupled ? 1.0f - s.lr * s.weight_decay : 1.0f, l2 = s.decoupled ? 0.0f : s.weight_decay;
    const float new1 = 1.0f - s.beta1, new2 = 1.0f - s.beta2;
    for (int64_t i = 0; i < n; i++) {
        const float d = g[i] + l2 * p[i];
        m[i] = s.beta1 * m[i] + new1 * d;
        v[i] = s.beta2 * v[i] + new2 * d * d;
        p[i] = keep * p[i] - size * m[i] / (sqrtf(v[i]) * unscale + s.eps);
    }
}

static void rmsprop(int64_t n, float *restrict p, const float *restrict g, float *restrict v, float *restrict m,
                    const lt_rmsprop *set)
{
    const lt_rmsprop s = *set;
    const float fresh = 1.0f - s.alpha;
    if (!m) {
        for (int64_t i = 0; i < n; i++) {
            const float d = g[i] + s.weight_decay * p[i];
            v[i] = s.alpha * v[i] + fresh * d * d;
            p[i] -= s.lr * d / (sqrtf(v[i]) + s.eps);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const float d = g[i] + s.weight_decay * p[i];
        v[i] = s.alpha * v[i] + fresh * d * d;
        m[i] = s.momentum * m[i] + d / (sqrtf(v[i]) + s.eps);
        p[i] -= s.lr * m[i];
    }
}

static void lion(int64_t n, float *restrict p, const float *restrict g, float *restrict m, const lt_lion *set)
{
    const lt_lion s = *set;
    const float keep = 1.0f - s.lr * s.weight_decay;
    for (int64_t i = 0; i < n; i++) {
        const float c = s.beta1 * m[i] + (1.0f - s.beta1) * g[i];
        const float direction = (c > 0.0f ? 1.0f : 0.0f) - (c < 0.0f ? 1.0f : 0.0f);
        p[i] = keep * p[i] - s.lr * (c == c ? direction : c); // a NaN shows
        m[i] = s.beta2 * m[i] + (1.0f - s.beta2) * g[i];
    }
}

static void muon_direction(int64_t n, const float *restrict g, float *restrict m, float *restrict u, float momentum,
                           bool nesterov)
{
    const float fresh = 1.0f - momentum;
    for (int64_t i = 0; i < n; i++) {
        m[i] += fresh * (g[i] - m[i]);
        u[i] = nesterov ? g[i] + momentum * (m[i] - g[i]) : m[i];
    }
}

static void muon_factor(int64_t n, const float *restrict gram, float a, float b, float *restrict out)
{
    for (int64_t i = 0; i < n * n; i++)
        out[i] = b * gram[i];
    for (int64_t i = 0; i < n; i++)
        out[i * n + i] += a;
}

static void muon_apply(int64_t n, float *restrict p, const float *restrict step, float shrink)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = shrink * p[i] + step[i];
}

static void ema(int64_t n, float *restrict target, const float *restrict source, float decay)
{
    const float fresh = 1.0f - decay;
    for (int64_t i = 0; i < n; i++)
        target[i] += fresh * (source[i] - target[i]);
}

const lt_update_kernels LT_NAME(lt_update) = {
    .sgd = sgd,
    .adam = adam,
    .rmsprop = rmsprop,
    .lion = lion,
    .muon_direction = muon_direction,
    .muon_factor = muon_factor,
    .muon_apply = muon_apply,
    .ema = ema,
};
