// The loops of loss.h.
#include "kernel/loss.h"

#include <math.h>

#include "kernel/isa.h"
#include "kernel/simd.h"

static void huber(int64_t n, const float *x, const float *t, float delta, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++) {
        const float d = fabsf(x[i] - t[i]);
        y[i] = d > delta ? delta * (d - 0.5f * delta) : 0.5f * d * d;
    }
}

static void kl(int64_t n, const float *mu2, const float *t, const float *exp_t, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.5f * (mu2[i] + (exp_t[i] - t[i] - 1.0f));
}

static void kl_slope(int64_t n, const float *exp_t, float *y)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.5f - 0.5f * exp_t[i];
}

static double of_classes(int64_t rows, int64_t classes, const float *y, const int32_t *ids, float *each)
{
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float value = -y[r * classes + ids[r] - 1];
        sum += (double)value;
        if (each)
            each[r] = value;
    }
    return sum;
}

static void of_classes_slope(int64_t rows, int64_t classes, const int32_t *ids, const float *dy, int64_t dy_step,
                             float scale, float *d)
{
    for (int64_t r = 0; r < rows; r++, d += classes) {
        const float g = dy[r * dy_step] * scale;
        d[ids[r] - 1] -= 1.0f;
        LT_VECTORIZE
        for (int64_t i = 0; i < classes; i++)
            d[i] *= g;
    }
}

const lt_loss_kernels LT_NAME(lt_loss) = {
    .huber = huber,
    .kl = kl,
    .kl_slope = kl_slope,
    .of_classes = of_classes,
    .of_classes_slope = of_classes_slope,
};
