// Forward and first derivative are kernels that never hold the scores. Where a gradient of a gradient is wanted, the
// first derivative is composed of products instead, which the tape can walk.
#include "op/attention.h"

#include <math.h>

#include "kernel/kernel.h"
#include "op/arith.h"
#include "op/matmul.h"
#include "op/reduce.h"
#include "op/shape.h"

typedef struct {
    float scale;
    bool causal;
    int64_t heads; // of packed q, k, v
} settings;

// ---- the composed derivative
// -----------------------------------------------------------------------------------------

// Everything made on the way, so that it can be given back at one place.
typedef struct {
    lt_tensor *made[32];
    int count;
} workshop;

// Notes `t` for release; NULL (a failure) passes through.
static lt_tensor *keep(workshop *w, lt_tensor *t)
{
    if (t)
        w->made[w->count++] = t;
    return t;
}

static void give_back(workshop *w)
{
    while (w->count > 0)
        lt_release(w->made[--w->count]);
}

// (n,l,heads,d) <-> (n,heads,l,d)
static lt_tensor *turned(lt_tensor *x)
{
    return lt_permute(x, (int[]){0, 2, 1, 3});
}

// 1 where a query sees a key, (n|1,heads|1,lq|1,lk); NULL after a failure.
static lt_tensor *visible(workshop *w, lt_tensor *mask, bool causal, int64_t lq, int64_t lk)
{
    lt_tensor *seen = NULL;
    if (mask && mask->ndim == 2)
        seen = keep(w, lt_view(mask, 4, (int64_t[]){mask->shape[0], 1, 1, mask->shape[1]}));
    else if (mask)
        seen = keep(w, lt_view(mask, 4, mask->shape));
    if (mask && (!seen || !causal))
        return seen;
    lt_tensor *triangle = keep(w, lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){1, 1, lq, lk}));
    if (triangle)
        lt_k.index->triangle(lq, lk, causal ? lk - lq : lk, lt_f32(triangle));
    return seen && triangle ? keep(w, lt_mul(seen, triangle)) : triangle;
}

// Probabilities (n,heads,lq,lk) from turned q and k: e / sum e with e = exp(s - lse), s = scale q k' where seen. lse is
// a constant here: it cancels, and only keeps the exponentials in range.
static lt_tensor *probabilities(workshop *w, lt_tensor *q, lt_tensor *k, lt_tensor *seen, lt_tensor *lse, float scale)
{
    lt_tensor *low = keep(w, lt_tensor_scalar(-INFINITY)), *zero = keep(w, lt_tensor_scalar(0));
    lt_tensor *s = keep(w, lt_matmul_transposed(q, k, false, true));
    s = s ? keep(w, lt_mul_scalar(s, scale)) : NULL;
    s = s && low ? keep(w, lt_where(seen, s, low)) : NULL;
    lt_tensor *shift = keep(w, lt_view(lse, 4, (int64_t[]){lse->shape[0], lse->shape[1], lse->shape[2], 1}));
    lt_tensor *blind = shift && low ? keep(w, lt_eq(shift, low)) : NULL; // queries that see nothing
    shift = blind && zero ? keep(w, lt_where(blind, zero, shift)) : NULL;
    s = s && shift ? keep(w, lt_sub(s, shift)) : NULL;
    lt_tensor *e = s ? keep(w, lt_exp(s)) : NULL, *sum = e ? keep(w, lt_sum(e, 1, (int[]){3}, true)) : NULL;
    sum = sum ? keep(w, lt_add(sum, blind)) : NULL;
    return sum ? keep(w, lt_div(e, sum)) : NULL;
}

// a b (either transposed), turned back to (n,l,heads,d): what a gradient needs at last.
static lt_tensor *gradient(workshop *w, lt_tensor *a, lt_tensor *b, bool trans_a)
{
    lt_tensor *x = a && b ? keep(w, lt_matmul_transposed(a, b, trans_a, false)) : NULL;
    return x ? turned(x) : NULL;
}

// p = softmax(s), dv = p' dy, dp = dy v', ds = scale p (dp - sum(dp p)), dq = ds k, dk = ds' q, all recorded. x: q, k,
// v; dx[i] is made where wants[i].
static int composed(const settings *a, lt_tensor *const *x, lt_tensor *lse, lt_tensor *mask, lt_tensor *dy,
                    const bool *wants, lt_tensor **dx)
{
    workshop w = {.count = 0};
    lt_tensor *q = keep(&w, turned(x[0])), *k = keep(&w, turned(x[1])), *v = keep(&w, turned(x[2]));
    lt_tensor *g = keep(&w, turned(dy));
    lt_tensor *seen = q && k ? visible(&w, mask, a->causal, q->shape[2], k->shape[2]) : NULL;
    lt_tensor *p = seen && v && g ? probabilities(&w, q, k, seen, lse, a->scale) : NULL;
    lt_tensor *dp = p ? keep(&w, lt_matmul_transposed(g, v, false, true)) : NULL;
    lt_tensor *both = dp ? keep(&w, lt_mul(dp, p)) : NULL;
    lt_tensor *mean = both ? keep(&w, lt_sum(both, 1, (int[]){3}, true)) : NULL;
    lt_tensor *rest = mean ? keep(&w, lt_sub(dp, mean)) : NULL;
    lt_tensor *ds = rest ? keep(&w, lt_mul(rest, p)) : NULL;
    ds = ds ? keep(&w, lt_mul_scalar(ds, a->scale)) : NULL;
    int status = ds ? LT_OK : LT_FAIL;
    if (status == LT_OK && wants[0] && !(dx[0] = gradient(&w, ds, k, false)))
        status = LT_FAIL;
    if (status == LT_OK && wants[1] && !(dx[1] = gradient(&w, ds, q, true)))
        status = LT_FAIL;
    if (status == LT_OK && wants[2] && !(dx[2] = gradient(&w, p, g, true)))
        status = LT_FAIL;
    give_back(&w);
    return status;
}

// ---- kernels
// ---------------------------------------------------------------------------------------------------------

static lt_attention_shape shape_of(const lt_tensor *q, const lt_tensor *k, const lt_tensor *mask, const settings *a)
{
    lt_attention_shape s = {.n = q->shape[0],
                            .heads = q->shape[2],
                            .lq = q->shape[1],
                            .lk = k->shape[1],
                            .d = q->shape[3],
                            .q_step = q->shape[2] * q->shape[3],
                            .kv_step = k->shape[2] * k->shape[3],
                            .scale = a->scale,
                            .causal = a->causal,
                            .mask = mask ? lt_f32(mask) : NULL};
    s.mask_n = s.lk;
    if (mask && mask->ndim == 4) {
        s.mask_q = s.lk;
        s.mask_h = s.lq * s.lk;
        s.mask_n = s.heads * s.mask_h;
    }
    return s;
}

// out = softmax(scale q k') v                saved: q, k, v, out, lse, mask
static int attention_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *q = lt_saved(node, 0), *k = lt_saved(node, 1), *v = lt_saved(node, 2), *mask = lt_saved(node, 5);
    if (lt_grad_mode())
        return composed(node->attributes, (lt_tensor *[]){q, k, v}, lt_saved(node, 4), mask, dy,
                        (bool[]){lt_wants(node, 0), lt_wants(node, 1), lt_wants(node, 2)}, dx);
    lt_attention_shape s = shape_of(q, k, mask, node->attributes);
    lt_tensor *dq = lt_tensor_like(q), *dk = lt_tensor_like(k), *dv = lt_tensor_like(v);
    int status = LT_FAIL;
    if (dq && dk && dv)
        status = lt_k.attention->backward(&s, lt_f32(q), lt_f32(k), lt_f32(v), lt_f32(lt_saved(node, 3)),
                                          lt_f32(lt_saved(node, 4)), lt_f32(dy), lt_f32(dq), lt_f32(dk), lt_f32(dv));
    lt_tensor *all[] = {dq, dk, dv};
    for (int i = 0; i < 3; i++) {
        if (status == LT_OK && lt_wants(node, i))
            dx[i] = all[i];
        else
            lt_release(all[i]);
    }
    return status;
}

// mask: (n,lk) or (n,heads,lq,lk).
static int check_mask(const lt_tensor *mask, int arg, int64_t n, int64_t heads, int64_t lq, int64_t lk)
{
    if (!mask)
        return LT_OK;
    if (lt_want_float(mask, arg, "mask") != LT_OK)
        return LT_FAIL;
    const int64_t two[] = {n, lk}, four[] = {n, heads, lq, lk};
    bool fits = mask->ndim == 2 || mask->ndim == 4;
    for (int i = 0; fits && i < mask->ndim; i++)
        fits = mask->shape[i] == (mask->ndim == 2 ? two : four)[i];
    if (!fits)
        return lt_fail_arg(arg, "mask: expected %s or %s, got %s", lt_shape_text_of(2, two), lt_shape_text_of(4, four),
                           lt_shape_text(mask));
    return LT_OK;
}

static int check(lt_tensor *const *x, const lt_attention_options *o)
{
    static const char *const names[] = {"q", "k", "v"};
    const lt_tensor *q = x[0], *k = x[1];
    for (int i = 0; i < 3; i++) {
        if (lt_want_float(x[i], i + 1, names[i]) != LT_OK)
            return LT_FAIL;
        if (x[i]->ndim != 4)
            return lt_fail_arg(i + 1, "%s: expected (n,length,heads,d), got %s", names[i], lt_shape_text(x[i]));
    }
    if (k->shape[0] != q->shape[0] || k->shape[2] != q->shape[2] || k->shape[3] != q->shape[3])
        return lt_fail_arg(2, "k: expected (%lld,length,%lld,%lld) for q %s, got %s", (long long)q->shape[0],
                           (long long)q->shape[2], (long long)q->shape[3], lt_shape_text(q), lt_shape_text(k));
    if (!lt_same_shape(k, x[2]))
        return lt_fail_arg(3, "v: expected %s as k has, got %s", lt_shape_text(k), lt_shape_text(x[2]));
    return check_mask(o->mask, 4, q->shape[0], q->shape[2], q->shape[1], k->shape[1]);
}

static settings settings_of(const lt_attention_options *o, int64_t heads, int64_t d)
{
    settings a = {.scale = o->scale, .causal = o->causal, .heads = heads};
    if (isinf(a.scale))
        a.scale = d ? 1 / sqrtf((float)d) : 1;
    return a;
}

lt_tensor *lt_attention(lt_tensor *q, lt_tensor *k, lt_tensor *v, const lt_attention_options *o)
{
    static const lt_op op = {"attention", attention_backward};
    lt_tensor *inputs[] = {q, k, v};
    if (check(inputs, o) != LT_OK)
        return NULL;
    settings a = settings_of(o, q->shape[2], q->shape[3]);
    lt_attention_shape s = shape_of(q, k, o->mask, &a);
    lt_tensor *out = lt_tensor_like(q),
              *lse = out ? lt_tensor_new(LT_FLOAT32, 3, (int64_t[]){s.n, s.heads, s.lq}) : NULL;
    if (!lse || lt_k.attention->forward(&s, lt_f32(q), lt_f32(k), lt_f32(v), lt_f32(out), lt_f32(lse)) != LT_OK) {
        lt_release(out);
        lt_release(lse);
        return NULL;
    }
    out = lt_record(out, &op, 3, inputs, LT_LIST(q, k, v, out, lse, o->mask), &a, sizeof a);
    lt_release(lse);
    return out;
}

// ---- q, k and v side by side in one tensor
// ----------------------------------------------------------------------------------

// qkv as a kernel sees it: three tensors, a position's parts 3*heads*d apart.
static lt_attention_shape packed_shape(const lt_tensor *qkv, const lt_tensor *mask, const settings *a)
{
    const int64_t d = qkv->shape[2] / 3 / a->heads, sizes[] = {qkv->shape[0], qkv->shape[1], a->heads, d};
    lt_tensor part = {.ndim = 4};
    for (int i = 0; i < 4; i++)
        part.shape[i] = sizes[i];
    lt_attention_shape s = shape_of(&part, &part, mask, a);
    s.q_step = s.kv_step = qkv->shape[2];
    return s;
}

static int packed_composed(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *a = node->attributes;
    lt_tensor *qkv = lt_saved(node, 0);
    const int64_t n = qkv->shape[0], l = qkv->shape[1], d = qkv->shape[2] / 3 / a->heads;
    workshop w = {.count = 0};
    lt_tensor *x[3] = {NULL}, *parts[3] = {NULL};
    lt_tensor *all = keep(&w, lt_view(qkv, 4, (int64_t[]){n, l, 3 * a->heads, d}));
    lt_tensor *g = keep(&w, lt_view(dy, 4, (int64_t[]){n, l, a->heads, d}));
    int status = all && g ? LT_OK : LT_FAIL;
    for (int i = 0; i < 3 && status == LT_OK; i++)
        if (!(x[i] = keep(&w, lt_narrow(all, 2, i * a->heads, a->heads))))
            status = LT_FAIL;
    if (status == LT_OK)
        status = composed(a, x, lt_saved(node, 2), lt_saved(node, 3), g, (bool[]){true, true, true}, parts);
    for (int i = 0; i < 3; i++)
        keep(&w, parts[i]);
    lt_tensor *joined = status == LT_OK ? keep(&w, lt_cat(3, parts, 2)) : NULL;
    dx[0] = joined ? lt_view(joined, 3, qkv->shape) : NULL;
    give_back(&w);
    return dx[0] ? LT_OK : LT_FAIL;
}

// out as above                saved: qkv, out, lse, mask
static int packed_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    if (lt_grad_mode())
        return packed_composed(node, dy, dx);
    lt_tensor *qkv = lt_saved(node, 0);
    lt_attention_shape s = packed_shape(qkv, lt_saved(node, 3), node->attributes);
    dx[0] = lt_tensor_like(qkv);
    if (!dx[0])
        return LT_FAIL;
    const int64_t part = s.heads * s.d;
    const float *q = lt_f32(qkv);
    float *dq = lt_f32(dx[0]);
    return lt_k.attention->backward(&s, q, q + part, q + 2 * part, lt_f32(lt_saved(node, 1)), lt_f32(lt_saved(node, 2)),
                                    lt_f32(dy), dq, dq + part, dq + 2 * part);
}

lt_tensor *lt_attention_qkv(lt_tensor *qkv, int64_t heads, const lt_attention_options *o)
{
    static const lt_op op = {"attention_qkv", packed_backward};
    if (lt_want_float(qkv, 1, "qkv") != LT_OK)
        return NULL;
    if (qkv->ndim != 3 || qkv->shape[2] % 3 != 0 || qkv->shape[2] / 3 % heads != 0) {
        lt_fail_arg(1, "qkv: expected (n,length,3*heads*d) with %lld heads, got %s", (long long)heads,
                    lt_shape_text(qkv));
        return NULL;
    }
    const int64_t n = qkv->shape[0], l = qkv->shape[1], part = qkv->shape[2] / 3;
    if (check_mask(o->mask, 3, n, heads, l, l) != LT_OK)
        return NULL;
    const settings a = settings_of(o, heads, part / heads);
    lt_attention_shape s = packed_shape(qkv, o->mask, &a);
    lt_tensor *out = lt_tensor_new(LT_FLOAT32, 3, (int64_t[]){n, l, part});
    lt_tensor *lse = out ? lt_tensor_new(LT_FLOAT32, 3, (int64_t[]){n, heads, l}) : NULL;
    const float *q = lt_f32(qkv);
    if (!lse || lt_k.attention->forward(&s, q, q + part, q + 2 * part, lt_f32(out), lt_f32(lse)) != LT_OK) {
        lt_release(out);
        lt_release(lse);
        return NULL;
    }
    out = lt_record(out, &op, 1, &qkv, LT_LIST(qkv, out, lse, o->mask), &a, sizeof a);
    lt_release(lse);
    return out;
}
