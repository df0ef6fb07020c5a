// y = x * mask, mask = 1 / (1 - p) where a uniform number is below 1 - p, else 0. The product is recorded and saves the
// mask; the random numbers come from one stream in order, so they do not depend on threads.
#include "op/dropout.h"

#include "op/arith.h"
#include "op/shape.h"

lt_tensor *lt_dropout(lt_tensor *x, double p, lt_random *random)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        lt_fail_arg(2, "p: expected a number in 0..1, got %g", p);
        return NULL;
    }
    if (p == 0)
        return lt_clone(x);
    lt_tensor *mask = lt_tensor_like(x);
    if (!mask)
        return NULL;
    lt_random_fill_uniform(random, lt_f32(mask), mask->size);
    const float stay = (float)(1 - p);
    lt_k.pointwise->keep(mask->size, lt_f32(mask), stay, p < 1 ? 1 / stay : 0, lt_f32(mask));
    lt_tensor *y = lt_mul(x, mask);
    lt_release(mask);
    return y;
}
