// Losses from distributions, made of recorded operations: they broadcast, and have derivatives of any order.
#include "op/loss.h"

#include "op/loss_shared.h"

static int check(lt_tensor *a, const char *a_name, lt_tensor *b, const char *b_name)
{
    return lt_want_float(a, 1, a_name) == LT_OK ? lt_want_float(b, 2, b_name) : LT_FAIL;
}

lt_tensor *lt_gaussian_nll(lt_tensor *x, lt_tensor *mean, lt_tensor *logvar, lt_reduction reduction)
{
    const float half_log_2pi = 0.918938533f;
    const lt_pointwise_kernels *k = lt_k.pointwise;
    if (check(x, "x", mean, "mean") != LT_OK || lt_want_float(logvar, 3, "logvar") != LT_OK)
        return NULL;
    lt_scratch s = {0};
    lt_tensor *d2 = lt_then_unary(&s, &k->square, lt_then(&s, lt_sub, x, mean), 0, 0);
    lt_tensor *precision = lt_then_unary(&s, &k->exp, lt_then_scale(&s, logvar, -1), 0, 0);
    lt_tensor *sum = lt_then(&s, lt_add, lt_then(&s, lt_mul, d2, precision), logvar);
    lt_tensor *each = lt_then_shift(&s, lt_then_scale(&s, sum, 0.5f), half_log_2pi);
    return lt_reduce_loss(lt_finish(&s, each), reduction);
}

lt_tensor *lt_kl_normal_broadcast(lt_tensor *mu, lt_tensor *logvar, lt_reduction reduction)
{
    const lt_pointwise_kernels *k = lt_k.pointwise;
    if (check(mu, "mu", logvar, "logvar") != LT_OK)
        return NULL;
    lt_scratch s = {0};
    lt_tensor *mu2 = lt_then_unary(&s, &k->square, mu, 0, 0);
    lt_tensor *rest = lt_then(&s, lt_sub, lt_then_unary(&s, &k->exp, logvar, 0, 0), logvar);
    lt_tensor *sum = lt_then(&s, lt_add, mu2, lt_then_shift(&s, rest, -1));
    return lt_reduce_loss(lt_finish(&s, lt_then_scale(&s, sum, 0.5f)), reduction);
}
