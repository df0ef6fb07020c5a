// Attention, forward. An item is a share of one head's queries, in blocks; it goes over the keys block by block
// (attention_block.h says how large), packs a block of keys and values once and has every block of queries look at it.
// Up to 512 keys that is one block and a plain softmax. With more the softmax runs along (Milakov and Gimelshein 2018,
// arXiv 1805.02867): a query keeps the largest score so far and the sum of exponentials relative to it, and what was
// summed before is scaled down when a larger score turns up. Memory beyond the result does not depend on lk.
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/attention_block.h"
#include "kernel/lanes.h"
#include "kernel/simd.h"

typedef struct {
    const lt_attention_shape *s;
    const float *q, *k, *v;
    float *out, *lse;             // while keys are left, lse holds the largest score so far
    float *sums;                  // (n,heads,lq): of exponentials
    int64_t rows, blocks, shares; // queries of a block; blocks of a head, and shares of them
    int64_t keys;                 // of a block
    float *scratch;               // one area a thread
    int64_t area;
} job;

// The largest of a row, -inf where nothing may be seen. NaN passes by here: its exponential tells.
static float largest(const float *row, int64_t n)
{
    lt_vec lanes = (lt_vec){0} - INFINITY;
    for (int64_t c = 0; c < n; c += LT_LANES)
        lanes = lt_larger(*(const lt_vec_u *)(row + c), lanes);
    return lt_largest_lane(lanes);
}

// row -> exp(row - shift); gives their sum.
static float exponentials(float *row, int64_t n, float shift)
{
    lt_vec sum = {0};
    for (int64_t c = 0; c < n; c += LT_LANES) {
        const lt_vec e = lt_exp_lanes(*(const lt_vec_u *)(row + c) - shift);
        *(lt_vec_u *)(row + c) = e;
        sum += e;
    }
    return lt_sum_lanes(sum);
}

static void scale_row(float *row, int64_t n, float by)
{
    LT_VECTORIZE
    for (int64_t i = 0; i < n; i++)
        row[i] *= by;
}

// row -> exp(row - most) with the largest score so far; brings most, sum and out up to date. Nothing seen gives zeros.
// The row is filled up to whole vectors with what is not seen.
static void softmax_row(float *row, int64_t n, bool first, float *most, float *sum, float *out, int64_t d)
{
    const int64_t room = lt_panel_room(n);
    for (int64_t i = n; i < room; i++)
        row[i] = -INFINITY;
    const float here = largest(row, room), before = first ? -INFINITY : *most, now = here > before ? here : before;
    const float shift = now == -INFINITY ? 0 : now; // exp(-inf - 0) = 0
    const float exps = exponentials(row, room, shift);
    lt_attention_round(row, n);
    if (!first && now > before) {
        const float less = lt_exp(before - shift);
        *sum *= less;
        scale_row(out, d, less);
    }
    *sum = first ? exps : *sum + exps;
    *most = now;
}

// One block of queries looks at one block of keys; after the last the sums are divided by.
static void look(const job *j, lt_attention_block at, const lt_panels *keys, lt_panels values, float *score)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = lt_attention_ld(s), step = s->heads * s->d,
                  state = (at.b * s->heads + at.head) * s->lq + at.first;
    const bool first = at.key == 0, last = at.key + at.keys == s->lk;
    float *out = j->out + lt_attention_at(s, at.b, s->lq, at.first, at.head, step);
    float *most = j->lse + state, *sum = j->sums + state;
    at.keys = lt_attention_seen(s, &at, at.rows - 1);
    if (at.keys > 0 || first) {
        values.steps = at.keys;
        lt_attention_scores(s, j->q, &at, keys, score);
        for (int64_t i = 0; i < at.rows; i++)
            softmax_row(score + i * ld, at.keys, first, most + i, sum + i, out + i * step, s->d);
        lt_rows_times_panels(score, ld, at.rows, &values, 0, s->d, NULL, !first, out, step);
    }
    for (int64_t i = 0; i < at.rows && last; i++) {
        if (sum[i] != 0)
            scale_row(out + i * step, s->d, 1 / sum[i]);
        most[i] = sum[i] != 0 ? most[i] + logf(sum[i]) : -INFINITY;
    }
}

// One item: a share of the blocks of queries of one head of one sample.
static void forward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_attention_shape *s = j->s;
    float *kt = j->scratch + lt_thread_index() * j->area;
    float *v = kt + lt_attention_depth(s->d) * lt_panel_room(j->keys);
    float *score = v + lt_attention_depth(j->keys) * lt_panel_room(s->d);
    for (int64_t item = begin; item < end; item++) {
        const int64_t bh = item / j->shares, share = item % j->shares;
        const int64_t from = share * j->blocks / j->shares, to = (share + 1) * j->blocks / j->shares;
        lt_attention_block at = {.b = bh / s->heads, .head = bh % s->heads};
        for (at.key = 0; at.key < s->lk; at.key += j->keys) {
            at.keys = lt_min_i64(j->keys, s->lk - at.key);
            const int64_t start = lt_attention_at(s, at.b, s->lk, at.key, at.head, s->kv_step);
            const lt_panels keys = {kt, s->d, at.keys, s->d}, values = {v, at.keys, s->d, at.keys};
            lt_pack_panels(j->k + start, s->kv_step, true, s->d, at.keys, s->scale, kt);
            lt_pack_panels(j->v + start, s->kv_step, false, at.keys, s->d, 1, v);
            for (int64_t block = from; block < to; block++) {
                at.first = block * j->rows;
                at.rows = lt_min_i64(j->rows, s->lq - at.first);
                look(j, at, &keys, values, score);
            }
        }
    }
}

static int forward(const lt_attention_shape *s, const float *q, const float *k, const float *v, float *out, float *lse)
{
    const int64_t heads = s->n * s->heads;
    if (heads * s->lq * s->lk * s->d == 0) { // nothing to multiply
        memset(out, 0, (size_t)(heads * s->lq * s->d) * sizeof(float));
        for (int64_t i = 0; i < heads * s->lq; i++)
            lse[i] = -INFINITY;
        return LT_OK;
    }
    job j = {.s = s,
             .q = q,
             .k = k,
             .v = v,
             .out = out,
             .lse = lse,
             .rows = lt_attention_queries(s),
             .keys = lt_attention_keys(s)};
    j.blocks = (s->lq + j.rows - 1) / j.rows;
    j.shares = heads >= LT_ATTENTION_ITEMS ? 1 : lt_min_i64(j.blocks, (LT_ATTENTION_ITEMS + heads - 1) / heads);
    j.area = lt_attention_depth(s->d) * lt_panel_room(j.keys) + lt_attention_depth(j.keys) * lt_panel_room(s->d) +
             j.rows * lt_attention_ld(s) + 16;
    j.scratch = lt_alloc((size_t)(j.area * lt_threads() + heads * s->lq) * sizeof(float));
    if (!j.scratch)
        return LT_FAIL;
    j.sums = j.scratch + j.area * lt_threads();
    lt_parallel(heads * j.shares, lt_grain(2 * s->lq * s->lk * s->d / j.shares), forward_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_attention_kernels LT_NAME(lt_attention) = {.forward = forward, .backward = LT_NAME(lt_attention_backward)};
