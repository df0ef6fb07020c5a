// The gradient of attention. With p = exp(s - lse) and dp = dout v':
//   ds = scale p (dp - sum(dout out)), dq = ds k, dk = ds' q, dv = p' dout
//
// An item is a share of one head's keys, in blocks; every block of queries looks at a block of keys in turn, five
// products on a block of scores that stays in the cache (attention_block.h says how large). dk and dv are sums over
// queries, made in place. dq is a sum over keys: in place too while one item has all keys of a head. Where heads are
// few and keys many, a head is several items; all but the first then sum into copies of dq, which are added in order.
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/attention_block.h"
#include "kernel/lanes.h"
#include "kernel/simd.h"

typedef struct {
    const lt_attention_shape *s;
    const float *q, *k, *v, *out, *lse, *dout;
    float *dq, *dk, *dv, *copies;       // copies: (shares-1,n,lq,heads,d)
    int64_t rows, keys, blocks, shares; // queries of a block, keys of a block; blocks of keys, and shares of them
    float *scratch;                     // one area a thread
    int64_t area;
    float *kt, *vt, *kn, *some, *p, *ds; // a thread's
} job;

// sum of dout times out. dout as the products see it, for so the gradients of a row's scores sum to zero.
static float dot(const float *a, const float *b, int64_t n)
{
    lt_vec lanes = {0};
    int64_t c = 0;
    for (; c + LT_LANES <= n; c += LT_LANES)
        lanes += lt_as_packed(*(const lt_vec_u *)(a + c)) * *(const lt_vec_u *)(b + c);
    float sum = lt_sum_lanes(lanes);
    for (; c < n; c++)
        sum += lt_as_packed((lt_vec){a[c]})[0] * b[c];
    return sum;
}

// Scores in p become probabilities, dp becomes ds.
static void score_gradient(const job *j, const lt_attention_block *at)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = lt_attention_ld(s);
    for (int64_t i = 0; i < at->rows; i++) {
        const int64_t o = lt_attention_at(s, at->b, s->lq, at->first + i, at->head, s->heads * s->d);
        const float lse = j->lse[(at->b * s->heads + at->head) * s->lq + at->first + i];
        const float shift = lse == -INFINITY ? 0 : lse; // exp(-inf - 0) = 0: such a row has no gradient
        const float mean = dot(j->dout + o, j->out + o, s->d), scale = s->scale;
        float *p = j->p + i * ld, *ds = j->ds + i * ld;
        for (int64_t c = 0; c < at->keys; c += LT_LANES) { // past the last key there is room for whole vectors
            lt_vec_u *to = (lt_vec_u *)(p + c), *d = (lt_vec_u *)(ds + c);
            const lt_vec e = lt_exp_lanes(*to - shift);
            *to = e;
            *d = e * (*d - mean) * scale;
        }
        lt_attention_round(p, at->keys);
        lt_attention_round(ds, at->keys);
    }
}

// C (keys x d, kv_step apart) += A' B: A a block of scores, B its queries' rows, `step` apart.
static void add_turned(const job *j, const lt_attention_block *at, const float *a, const float *b, int64_t step,
                       float beta, float *c)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = lt_attention_ld(s);
    lt_pack_panels(b, step, false, at->rows, s->d, 1, j->some);
#if defined(__AVX512BF16__) || defined(LT_NEON_BF16)
    lt_transposed_rows_times_panels(a, ld, at->keys, &(lt_panels){j->some, at->rows, s->d, at->rows}, beta, c,
                                    s->kv_step);
#else
    const int mr = lt_outer_height(lt_panel_vectors(0, s->d), at->keys);
    float *out[LT_MR_MAX];
    for (int64_t column = 0; column < s->d; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, s->d);
        lt_tile t = {.steps = at->rows,
                     .out = out,
                     .column = column,
                     .columns = lt_min_i64(nv * LT_LANES, s->d - column),
                     .beta = beta};
        for (int64_t i = 0; i < at->keys; i += mr) {
            t.m = lt_min_i64(mr, at->keys - i);
            for (int64_t r = 0; r < t.m; r++)
                out[r] = c + (i + r) * s->kv_step;
            lt_tile_transposed(&t, a + i, ld, j->some + column * at->rows, nv * LT_LANES, mr, nv);
        }
    }
#endif
}

static void clear(float *x, int64_t rows, int64_t step, int64_t d)
{
    for (int64_t i = 0; i < rows; i++)
        memset(x + i * step, 0, (size_t)d * sizeof(float));
}

// All queries look at the keys of `all`. dq: of this item's share, q_step or heads*d apart.
static void key_block(const job *j, lt_attention_block all, bool first_keys, float *dq, int64_t dq_step)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = lt_attention_ld(s), step = s->heads * s->d;
    const int64_t key = lt_attention_at(s, all.b, s->lk, all.key, all.head, s->kv_step);
    const lt_panels keys_t = {j->kt, s->d, all.keys, s->d}, values_t = {j->vt, s->d, all.keys, s->d};
    lt_panels keys = {j->kn, all.keys, s->d, all.keys};
    lt_pack_panels(j->k + key, s->kv_step, true, s->d, all.keys, s->scale, j->kt);
    lt_pack_panels(j->v + key, s->kv_step, true, s->d, all.keys, 1, j->vt);
    lt_pack_panels(j->k + key, s->kv_step, false, all.keys, s->d, 1, j->kn);
    int64_t known = 0; // keys whose dk and dv hold something already
    for (all.first = 0; all.first < s->lq; all.first += j->rows) {
        lt_attention_block at = all;
        at.rows = lt_min_i64(j->rows, s->lq - at.first);
        at.keys = lt_attention_seen(s, &at, at.rows - 1);
        const int64_t query = lt_attention_at(s, at.b, s->lq, at.first, at.head, s->q_step);
        const int64_t row = lt_attention_at(s, at.b, s->lq, at.first, at.head, step);
        float *to = dq + lt_attention_at(s, at.b, s->lq, at.first, at.head, dq_step);
        if (at.keys == 0) {
            if (first_keys)
                clear(to, at.rows, dq_step, s->d);
            continue;
        }
        lt_attention_scores(s, j->q, &at, &keys_t, j->p);
        lt_rows_times_panels(j->dout + row, step, at.rows, &values_t, 0, at.keys, NULL, 0, j->ds, ld);
        score_gradient(j, &at);
        keys.steps = at.keys;
        lt_rows_times_panels(j->ds, ld, at.rows, &keys, 0, s->d, NULL, !first_keys, to, dq_step);
        clear(j->dk + key + known * s->kv_step, at.keys - known, s->kv_step, s->d);
        clear(j->dv + key + known * s->kv_step, at.keys - known, s->kv_step, s->d);
        known = lt_max_i64(known, at.keys);
        add_turned(j, &at, j->ds, j->q + query, s->q_step, 1, j->dk + key);
        add_turned(j, &at, j->p, j->dout + row, step, 1, j->dv + key);
    }
    clear(j->dk + key + known * s->kv_step, all.keys - known, s->kv_step, s->d);
    clear(j->dv + key + known * s->kv_step, all.keys - known, s->kv_step, s->d);
}

// One item: a share of the blocks of keys of one head of one sample.
static void backward_piece(void *context, int64_t begin, int64_t end)
{
    job j = *(const job *)context;
    const lt_attention_shape *s = j.s;
    const int64_t step = s->heads * s->d;
    j.kt = j.scratch + lt_thread_index() * j.area;
    j.vt = j.kt + lt_attention_depth(s->d) * lt_panel_room(j.keys);
    j.kn = j.vt + lt_attention_depth(s->d) * lt_panel_room(j.keys);
    j.some = j.kn + lt_attention_depth(j.keys) * lt_panel_room(s->d);
    j.p = j.some + lt_attention_depth(j.rows) * lt_panel_room(s->d);
    j.ds = j.p + j.rows * lt_attention_ld(s);
    for (int64_t item = begin; item < end; item++) {
        const int64_t bh = item / j.shares, share = item % j.shares;
        const int64_t from = share * j.blocks / j.shares, to = (share + 1) * j.blocks / j.shares;
        lt_attention_block at = {.b = bh / s->heads, .head = bh % s->heads};
        for (int64_t block = from; block < to; block++) {
            at.key = block * j.keys;
            at.keys = lt_min_i64(j.keys, s->lk - at.key);
            if (share == 0)
                key_block(&j, at, block == from, j.dq, s->q_step);
            else
                key_block(&j, at, block == from, j.copies + (share - 1) * s->n * s->lq * step, step);
        }
    }
}

static void add_piece(void *context, int64_t begin, int64_t end) // positions of dq, of all samples
{
    const job *j = context;
    const int64_t step = j->s->heads * j->s->d, size = j->s->n * j->s->lq * step;
    for (int64_t i = begin; i < end; i++)
        for (int64_t share = 1; share < j->shares; share++) {
            const float *copy = j->copies + (share - 1) * size + i * step;
            float *dq = j->dq + i * j->s->q_step;
            LT_VECTORIZE
            for (int64_t c = 0; c < step; c++)
                dq[c] += copy[c];
        }
}

int LT_NAME(lt_attention_backward)(const lt_attention_shape *s, const float *q, const float *k, const float *v,
                                   const float *out, const float *lse, const float *dout, float *dq, float *dk,
                                   float *dv)
{
    const int64_t heads = s->n * s->heads, step = s->heads * s->d;
    if (heads * s->lq * s->lk * s->d == 0) { // nothing to multiply
        clear(dq, s->n * s->lq, s->q_step, step);
        clear(dk, s->n * s->lk, s->kv_step, step);
        clear(dv, s->n * s->lk, s->kv_step, step);
        return LT_OK;
    }
    job j = {.s = s,
             .q = q,
             .k = k,
             .v = v,
             .out = out,
             .lse = lse,
             .dout = dout,
             .dq = dq,
             .dk = dk,
             .dv = dv,
             .rows = lt_attention_queries(s),
             .keys = lt_attention_keys(s)};
    j.blocks = (s->lk + j.keys - 1) / j.keys;
    j.shares = heads >= LT_ATTENTION_ITEMS ? 1 : lt_min_i64(j.blocks, (LT_ATTENTION_ITEMS + heads - 1) / heads);
    j.area = 2 * lt_attention_depth(s->d) * lt_panel_room(j.keys) +
             (lt_attention_depth(j.keys) + lt_attention_depth(j.rows)) * lt_panel_room(s->d) +
             2 * j.rows * lt_attention_ld(s) + 16;
    j.scratch = lt_alloc((size_t)(j.area * lt_threads() + (j.shares - 1) * s->n * s->lq * step) * sizeof(float));
    if (!j.scratch)
        return LT_FAIL;
    j.copies = j.scratch + j.area * lt_threads();
    lt_parallel(heads * j.shares, lt_grain(5 * s->lq * s->lk * s->d / j.shares), backward_piece, &j);
    if (j.shares > 1)
        lt_parallel(s->n * s->lq, 1 + 16384 / step, add_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}
