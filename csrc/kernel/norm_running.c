// Batch norm's running statistics. Products and sums are steps of their own: no instruction set may fuse them, so that
// all of them leave the same numbers.
#include <math.h>

#include "kernel/isa.h"
#include "kernel/norm.h"
#include "kernel/norm_shared.h"
#include "kernel/pointwise.h"

enum { BLOCK = 512 };

// running = keep * running + share * batch; batch is overwritten
static void blend(int64_t n, float keep, float share, float *batch, float *running)
{
    const lt_pointwise_kernels *k = &LT_NAME(lt_pointwise);
    k->mul_scalar.forward(n, running, running, &keep);
    k->mul_scalar.forward(n, batch, batch, &share);
    k->add(n, running, 1, batch, 1, running);
}

void LT_NAME(lt_norm_running)(int64_t n, int64_t count, float eps, float momentum, const float *mean, const float *rstd,
                              float *running_mean, float *running_var)
{
    const float keep = 1.0f - momentum, unbias = (float)count / (float)(count - 1);
    float batch[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t m = n - at < BLOCK ? n - at : BLOCK;
        memcpy(batch, mean + at, (size_t)m * sizeof *batch);
        blend(m, keep, momentum, batch, running_mean + at);
        for (int64_t i = 0; i < m; i++) {
            const double r = (double)rstd[at + i];
            batch[i] = (float)fmax(1.0 / (r * r) - (double)eps, 0.0);
        }
        blend(m, keep, momentum * unbias, batch, running_var + at);
    }
}
