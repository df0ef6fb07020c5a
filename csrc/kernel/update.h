// One optimizer step over n floats, in place; g is the gradient. Single-threaded over a range: optim/update.c cuts it.
#ifndef LT_KERNEL_UPDATE_H
#define LT_KERNEL_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    float lr, momentum, dampening, weight_decay;
    bool nesterov;
} lt_sgd;

typedef struct {
    float lr, beta1, beta2, eps, weight_decay;
    bool decoupled;         // AdamW: decay the weights themselves instead of adding to the gradient
    float correction1;      // 1 - beta1^step
    float correction2_sqrt; // sqrt(1 - beta2^step)
} lt_adam;

typedef struct {
    float lr, alpha, eps, weight_decay, momentum;
} lt_rmsprop;

typedef struct {
    float lr, beta1, beta2, weight_decay;
} lt_lion;

typedef struct {
    // m may be NULL (no momentum). g += wd * p; m = momentum * m + (1 - dampening) * g; p -= lr * (nesterov ? g +
    // momentum * m : m)
    void (*sgd)(int64_t n, float *p, const float *g, float *m, const lt_sgd *s);
    // m, v: running means of g and g^2; p -= lr / correction1 * m / (sqrt(v) / correction2_sqrt + eps)
    void (*adam)(int64_t n, float *p, const float *g, float *m, float *v, const lt_adam *s);
    // v = alpha * v + (1 - alpha) * g^2; step = g / (sqrt(v) + eps); m (may be NULL) = momentum * m + step; p -= lr *
    // (m or step)
    void (*rmsprop)(int64_t n, float *p, const float *g, float *v, float *m, const lt_rmsprop *s);
    // p -= lr * (sign(beta1 * m + (1 - beta1) * g) + wd * p); m = beta2 * m + (1 - beta2) * g
    void (*lion)(int64_t n, float *p, const float *g, float *m, const lt_lion *s);
    // m += (1 - momentum) * (g - m); u = nesterov ? g + momentum * (m - g) : m
    void (*muon_direction)(int64_t n, const float *g, float *m, float *u, float momentum, bool nesterov);
    void (*muon_factor)(int64_t n, const float *gram, float a, float b, float *out); // (n,n): a I + b gram
    void (*muon_apply)(int64_t n, float *p, const float *step, float shrink);        // p = shrink * p + step
    void (*ema)(int64_t n, float *target, const float *source,
                float decay); // target += (1 - decay) * (source - target)
} lt_update_kernels;

extern const lt_update_kernels lt_update_portable, lt_update_avx2, lt_update_avx512;

#endif
