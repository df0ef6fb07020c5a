// Losses of two tensors of one shape, x and t: forward and backward go over memory once, block by block, and nothing
// of the inputs' size is kept but the inputs. A backward that is itself recorded is made of operations.
//
//            loss                     d/dx                   d/dt
//   mse      (x - t)^2                2 (x - t)              -d/dx
//   l1       |x - t|                  sign(x - t)            -d/dx
//   huber    d^2 / 2, |d| <= delta    clamp(d, +-delta)      -d/dx      d = x - t; else delta (|d| - delta / 2)
//   bce      softplus(x) - x t        sigmoid(x) - t         -x
//   kl       (x^2 + e^t - t - 1) / 2  x                      (e^t - 1) / 2       x the mean, t the log of the variance
#include "op/loss.h"

#include <string.h>

#include "base/threads.h"
#include "op/loss_shared.h"

enum { PIECE = 1 << 14, BLOCK = 512 };

typedef enum { MSE, L1, HUBER, BCE, KL } kind;

typedef struct {
    kind kind;
    lt_reduction reduction;
    float delta;
} settings;

typedef struct {
    settings set;
    int64_t n;
    const float *x, *t, *dy;
    float *out;   // forward, unreduced
    double *part; // forward, reduced: one sum a piece
    float *dx, *dt, scale;
} job;

// ---- forward ------------------------------------------------------------------------------------------------------

static void values(const settings *set, int64_t n, // n <= BLOCK
                   const float *x, const float *t, float *out)
{
    const lt_pointwise_kernels *k = lt_k.pointwise;
    float product[BLOCK];
    switch (set->kind) {
    case MSE:
        k->sub(n, x, 1, t, 1, out);
        k->square.forward(n, out, out, NULL);
        break;
    case L1:
        k->sub(n, x, 1, t, 1, out);
        k->abs.forward(n, out, out, NULL);
        break;
    case HUBER:
        lt_k.loss->huber(n, x, t, set->delta, out);
        break;
    case BCE:
        k->softplus.forward(n, x, out, NULL);
        k->mul(n, x, 1, t, 1, product);
        k->sub(n, out, 1, product, 1, out);
        break;
    case KL:
        k->square.forward(n, x, product, NULL);
        k->exp.forward(n, t, out, NULL);
        lt_k.loss->kl(n, product, t, out, out);
        break;
    }
}

static void forward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    float block[BLOCK];
    for (int64_t p = begin; p < end; p++) {
        const int64_t last = (p + 1) * PIECE < j->n ? (p + 1) * PIECE : j->n;
        double sum = 0;
        for (int64_t at = p * PIECE; at < last; at += BLOCK) {
            const int64_t m = last - at < BLOCK ? last - at : BLOCK;
            values(&j->set, m, j->x + at, j->t + at, j->out ? j->out + at : block);
            if (j->part) {
                float few;
                lt_k.reduce->sum(1, m, 1, block, &few);
                sum += (double)few;
            }
        }
        if (j->part)
            j->part[p] = sum;
    }
}

// ---- backward -----------------------------------------------------------------------------------------------------

// d/dx, and in `other`, unless it is NULL, minus d/dt
static void slopes(const settings *set, int64_t n, const float *x, const float *t, float *d, float *other)
{
    const lt_pointwise_kernels *k = lt_k.pointwise;
    if (set->kind == BCE) {
        k->sigmoid.forward(n, x, d, NULL);
        k->sub(n, d, 1, t, 1, d);
        if (other)
            memcpy(other, x, (size_t)n * sizeof *x);
        return;
    }
    if (set->kind == KL) {
        memcpy(d, x, (size_t)n * sizeof *x);
        if (other) {
            k->exp.forward(n, t, other, NULL);
            lt_k.loss->kl_slope(n, other, other);
        }
        return;
    }
    k->sub(n, x, 1, t, 1, d);
    switch (set->kind) {
    case MSE:
        k->mul_scalar.forward(n, d, d, (float[]){2.0f});
        break;
    case L1:
        k->sign.forward(n, d, d, NULL);
        break;
    default:
        k->clamp.forward(n, d, d, (float[]){-set->delta, set->delta});
        break;
    }
    if (other)
        memcpy(other, d, (size_t)n * sizeof *d);
}

static void backward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_pointwise_kernels *k = lt_k.pointwise;
    const int64_t step = j->set.reduction == LT_NO_REDUCTION; // one dy an element, or one for all
    float slope[BLOCK], other[BLOCK], g[BLOCK], minus_g[BLOCK];
    for (int64_t at = begin; at < end; at += BLOCK) {
        const int64_t m = end - at < BLOCK ? end - at : BLOCK, gs = step ? m : 1;
        slopes(&j->set, m, j->x + at, j->t + at, slope, j->dt ? other : NULL);
        k->mul_scalar.forward(gs, j->dy + at * step, g, &j->scale);
        k->neg.forward(gs, g, minus_g, NULL);
        if (j->dx)
            k->mul(m, slope, 1, g, step, j->dx + at);
        if (j->dt)
            k->mul(m, other, 1, minus_g, step, j->dt + at);
    }
}

static float scale_of(const settings *set, int64_t n)
{
    return set->reduction == LT_MEAN ? (float)(1.0 / (double)n) : 1.0f;
}

static int fused(const settings *set, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 0), *t = lt_saved(node, 1);
    for (int i = 0; i < 2; i++)
        if (lt_wants(node, i) && !(dx[i] = lt_tensor_like(x)))
            return LT_FAIL;
    job j = {.set = *set, .n = x->size, .x = lt_f32(x), .t = lt_f32(t), .dy = lt_f32(dy)};
    j.dx = dx[0] ? lt_f32(dx[0]) : NULL;
    j.dt = dx[1] ? lt_f32(dx[1]) : NULL;
    j.scale = scale_of(set, x->size);
    lt_parallel(x->size, PIECE, backward_piece, &j);
    return LT_OK;
}

static int composed(const settings *set, lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 0), *t = lt_saved(node, 1), *slope, *other = NULL;
    lt_scratch s = {0};
    const lt_pointwise_kernels *k = lt_k.pointwise;
    lt_tensor *g = lt_then_scale(&s, dy, scale_of(set, x->size));
    if (set->kind == BCE) {
        slope = lt_then(&s, lt_sub, lt_then_unary(&s, &k->sigmoid, x, 0, 0), t);
        other = lt_then_scale(&s, x, -1);
    } else if (set->kind == KL) {
        slope = x;
        other = lt_then_scale(&s, lt_then_shift(&s, lt_then_unary(&s, &k->exp, t, 0, 0), -1), 0.5f);
    } else {
        lt_tensor *d = lt_then(&s, lt_sub, x, t);
        slope = set->kind == MSE  ? lt_then_scale(&s, d, 2)
                : set->kind == L1 ? lt_then_unary(&s, &k->sign, d, 0, 0)
                                  : lt_then_unary(&s, &k->clamp, d, -set->delta, set->delta);
        other = lt_then_scale(&s, slope, -1);
    }
    int status = LT_OK;
    if (lt_wants(node, 0) && !(dx[0] = lt_retain(lt_then(&s, lt_mul, slope, g))))
        status = LT_FAIL;
    if (status == LT_OK && lt_wants(node, 1) && !(dx[1] = lt_retain(lt_then(&s, lt_mul, other, g))))
        status = LT_FAIL;
    lt_finish(&s, NULL);
    return status;
}

static int pair_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    return lt_grad_mode() ? composed(set, node, dy, dx) : fused(set, node, dy, dx);
}

// ---- the functions of loss.h ----------------------------------------------------------------------------------------

static lt_tensor *pair(lt_tensor *x, lt_tensor *t, const char *first, const char *second, settings set)
{
    static const lt_op ops[] = {{"mse_loss", pair_backward},
                                {"l1_loss", pair_backward},
                                {"huber_loss", pair_backward},
                                {"bce", pair_backward},
                                {"kl_normal", pair_backward}};
    if (lt_want_float(x, 1, first) != LT_OK || lt_want_float(t, 2, second) != LT_OK)
        return NULL;
    if (!lt_same_shape(x, t)) {
        lt_fail_arg(2, "%s: expected %s, got %s", second, lt_shape_text(x), lt_shape_text(t));
        return NULL;
    }
    const int64_t pieces = (x->size + PIECE - 1) / PIECE;
    const bool each = set.reduction == LT_NO_REDUCTION;
    job j = {.set = set, .n = x->size, .x = lt_f32(x), .t = lt_f32(t)};
    lt_tensor *y = each ? lt_tensor_like(x) : lt_tensor_scalar(0);
    if (!y || (!each && !(j.part = lt_alloc((size_t)pieces * sizeof *j.part)))) {
        lt_release(y);
        return NULL;
    }
    j.out = each ? lt_f32(y) : NULL;
    lt_parallel(pieces, 1, forward_piece, &j);
    if (!each) {
        double sum = 0;
        for (int64_t p = 0; p < pieces; p++)
            sum += j.part[p];
        *lt_f32(y) = (float)(set.reduction == LT_MEAN ? sum / (double)x->size : sum);
        lt_free(j.part);
    }
    return lt_record(y, &ops[set.kind], LT_LIST(x, t), LT_LIST(x, t), &set, sizeof set);
}

lt_tensor *lt_mse_loss(lt_tensor *x, lt_tensor *y, lt_reduction reduction)
{
    return pair(x, y, "x", "y", (settings){MSE, reduction, 0});
}

lt_tensor *lt_l1_loss(lt_tensor *x, lt_tensor *y, lt_reduction reduction)
{
    return pair(x, y, "x", "y", (settings){L1, reduction, 0});
}

lt_tensor *lt_huber_loss(lt_tensor *x, lt_tensor *y, float delta, lt_reduction reduction)
{
    if (!(delta > 0)) {
        lt_fail_arg(3, "delta: expected a number above 0, got %g", (double)delta);
        return NULL;
    }
    return pair(x, y, "x", "y", (settings){HUBER, reduction, delta});
}

lt_tensor *lt_bce_with_logits(lt_tensor *logits, lt_tensor *target, lt_reduction reduction)
{
    return pair(logits, target, "logits", "target", (settings){BCE, reduction, 0});
}

lt_tensor *lt_kl_normal(lt_tensor *mu, lt_tensor *logvar, lt_reduction reduction)
{
    if (lt_want_float(mu, 1, "mu") == LT_OK && lt_want_float(logvar, 2, "logvar") == LT_OK &&
        !lt_same_shape(mu, logvar))
        return lt_kl_normal_broadcast(mu, logvar, reduction);
    return pair(mu, logvar, "mu", "logvar", (settings){KL, reduction, 0});
}
