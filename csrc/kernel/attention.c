// Attention by blocks of queries. The scores of a block, rows x lk, are there all at once, so the softmax is the plain
// one; they stay in the cache and never become a tensor. Keys and values of a head are packed once and serve all of
// its blocks; queries are read where they are, one row every heads*d.
#include "kernel/attention.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/panel.h"
#include "kernel/simd.h"

enum { SCORES = 32 * 1024, LEAST_ROWS = 24, ITEMS = 16 }; // floats of a block of scores: 128 KB

typedef struct {
    const lt_attention_shape *s;
    const float *q, *k, *v, *out, *lse, *dout;
    float *to, *to_lse, *dq, *dk, *dv;
    int64_t rows, blocks, shares; // queries of a block; blocks of a head, and shares of them
    float *scratch;               // one area a thread
    size_t area;
} job;

// Offset of (batch, position 0, head) in a (n, length, heads, d) tensor.
static int64_t start(const lt_attention_shape *s, int64_t b, int64_t length, int64_t head)
{
    return (b * length * s->heads + head) * s->d;
}

// Keys that a query may look at as far as `causal` goes: the first of them.
static int64_t seen(const lt_attention_shape *s, int64_t i)
{
    if (!s->causal)
        return s->lk;
    return lt_max(0, lt_min(s->lk, i + s->lk - s->lq + 1));
}

// Scores of queries [first, first + rows), -inf where a key may not be seen. keys: scale k', packed.
static void scores(const job *j, int64_t b, int64_t head, int64_t first, int64_t rows, const lt_panels *keys,
                   float *score)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    lt_rows_times_panels(j->q + start(s, b, s->lq, head) + first * ld, ld, rows, keys, 0, s->lk, NULL, 0, score, s->lk);
    for (int64_t i = 0; i < rows; i++) {
        float *row = score + i * s->lk;
        if (s->mask) {
            const float *mask = s->mask + b * s->mask_n + head * s->mask_h + (first + i) * s->mask_q;
            for (int64_t c = 0; c < s->lk; c++)
                row[c] = mask[c] != 0 ? row[c] : -INFINITY;
        }
        for (int64_t c = seen(s, first + i); c < s->lk; c++)
            row[c] = -INFINITY;
    }
}

// The largest of a row; -inf when nothing may be seen. NaN passes by here: its exponential tells.
static float largest(const float *row, int64_t n)
{
    lt_vec lanes = (lt_vec){0} - INFINITY;
    float most = -INFINITY;
    int64_t c = 0;
    for (; c + LT_LANES <= n; c += LT_LANES) {
        lt_vec x = *(const lt_vec_u *)(row + c);
        lt_vec_i more = x > lanes;
        lanes = (lt_vec)((more & (lt_vec_i)x) | (~more & (lt_vec_i)lanes));
    }
    for (; c < n; c++)
        most = row[c] > most ? row[c] : most;
    for (int lane = 0; lane < LT_LANES; lane++)
        most = lanes[lane] > most ? lanes[lane] : most;
    return most;
}

static float total(const float *row, int64_t n)
{
    lt_vec lanes = {0};
    float sum = 0;
    int64_t c = 0;
    for (; c + LT_LANES <= n; c += LT_LANES)
        lanes += *(const lt_vec_u *)(row + c);
    for (; c < n; c++)
        sum += row[c];
    for (int lane = 0; lane < LT_LANES; lane++)
        sum += lanes[lane];
    return sum;
}

// row -> exp(row - lse), with lse = log sum exp row. A row that sees nothing gives zeros.
static float softmax_row(float *row, int64_t n)
{
    const float most = largest(row, n), shift = most == -INFINITY ? 0 : most; // exp(-inf - 0) = 0
    for (int64_t i = 0; i < n; i++)
        row[i] = lt_exp(row[i] - shift);
    const float sum = total(row, n);
    if (sum == 0)
        return -INFINITY;
    const float scale = 1 / sum;
    for (int64_t i = 0; i < n; i++)
        row[i] *= scale;
    return shift + logf(sum);
}

static int64_t packed_keys(const lt_attention_shape *s) // d x lk
{
    return s->d * lt_panel_room(s->lk);
}

static int64_t packed_values(const lt_attention_shape *s) // lk x d
{
    return s->lk * lt_panel_room(s->d);
}

// One item: a share of the blocks of queries of one head of one sample.
static void forward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    float *kt = j->scratch + (size_t)lt_thread_index() * j->area;
    float *v = kt + packed_keys(s), *score = v + packed_values(s);
    const lt_panels keys = {kt, s->d, s->lk}, values = {v, s->lk, s->d};
    for (int64_t item = begin; item < end; item++) {
        int64_t bh = item / j->shares, share = item % j->shares, b = bh / s->heads, head = bh % s->heads;
        lt_pack_panels(j->k + start(s, b, s->lk, head), ld, true, s->d, s->lk, s->scale, kt);
        lt_pack_panels(j->v + start(s, b, s->lk, head), ld, false, s->lk, s->d, 1, v);
        int64_t stop = lt_min(s->lq, (share + 1) * j->blocks / j->shares * j->rows);
        for (int64_t first = share * j->blocks / j->shares * j->rows; first < stop; first += j->rows) {
            int64_t rows = lt_min(j->rows, s->lq - first);
            scores(j, b, head, first, rows, &keys, score);
            for (int64_t i = 0; i < rows; i++)
                j->to_lse[bh * s->lq + first + i] = softmax_row(score + i * s->lk, s->lk);
            lt_rows_times_panels(score, s->lk, rows, &values, 0, s->d, NULL, 0,
                                 j->to + start(s, b, s->lq, head) + first * ld, ld);
        }
    }
}

// p = exp(score - lse); ds = p (dp - sum(dout*out)) scale, in place of dp. dp = dout v'.
static void score_gradient(const job *j, int64_t b, int64_t head, int64_t first, int64_t rows, float *p, float *dp)
{
    const lt_attention_shape *s = j->s;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t at = start(s, b, s->lq, head) + (first + i) * s->heads * s->d;
        const float lse = j->lse[(b * s->heads + head) * s->lq + first + i];
        const float shift = lse == -INFINITY ? 0 : lse; // exp(-inf - 0) = 0: such a row has no gradient
        float *prow = p + i * s->lk, *drow = dp + i * s->lk, dot = 0;
        for (int64_t c = 0; c < s->d; c++)
            dot += j->dout[at + c] * j->out[at + c];
        for (int64_t c = 0; c < s->lk; c++)
            prow[c] = lt_exp(prow[c] - shift);
        for (int64_t c = 0; c < s->lk; c++)
            drow[c] = prow[c] * (drow[c] - dot) * s->scale;
    }
}

// C += A' B, A rows x lk, B rows x d: A is turned, B packed.
static void add_transposed(const lt_attention_shape *s, const float *a, const float *b, int64_t rows, float *turned,
                           float *packed, float beta, float *c)
{
    const int64_t ld = s->heads * s->d;
    lt_transpose(a, s->lk, rows, s->lk, 1, turned, rows);
    lt_pack_panels(b, ld, false, rows, s->d, 1, packed);
    for (int64_t i = 0; i < s->lk; i += LT_ROWS)
        lt_rows_times_panels(turned + i * rows, rows, lt_min(LT_ROWS, s->lk - i), &(lt_panels){packed, rows, s->d}, 0,
                             s->d, NULL, beta, c + i * ld, ld);
}

// One head of one sample: its blocks of queries in order, for dk and dv sum over them.
static void backward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    float *kt = j->scratch + (size_t)lt_thread_index() * j->area, *vt = kt + packed_keys(s), *k = vt + packed_keys(s);
    float *some = k + packed_values(s), *p = some + j->rows * lt_panel_room(s->d), *ds = p + j->rows * s->lk;
    float *turned = ds + j->rows * s->lk;
    const lt_panels keys_t = {kt, s->d, s->lk}, values_t = {vt, s->d, s->lk}, keys = {k, s->lk, s->d};
    for (int64_t bh = begin; bh < end; bh++) {
        int64_t b = bh / s->heads, head = bh % s->heads, at = start(s, b, s->lk, head);
        lt_pack_panels(j->k + at, ld, true, s->d, s->lk, s->scale, kt);
        lt_pack_panels(j->v + at, ld, true, s->d, s->lk, 1, vt);
        lt_pack_panels(j->k + at, ld, false, s->lk, s->d, 1, k);
        for (int64_t first = 0; first < s->lq; first += j->rows) {
            int64_t rows = lt_min(j->rows, s->lq - first), queries = start(s, b, s->lq, head) + first * ld;
            float beta = first > 0;
            scores(j, b, head, first, rows, &keys_t, p);
            lt_rows_times_panels(j->dout + queries, ld, rows, &values_t, 0, s->lk, NULL, 0, ds, s->lk);
            score_gradient(j, b, head, first, rows, p, ds);
            lt_rows_times_panels(ds, s->lk, rows, &keys, 0, s->d, NULL, 0, j->dq + queries, ld);
            add_transposed(s, ds, j->q + queries, rows, turned, some, beta, j->dk + at);
            add_transposed(s, p, j->dout + queries, rows, turned, some, beta, j->dv + at);
        }
    }
}

// Cuts the queries into blocks and gets every thread `fixed` floats and `a_row` more for each row of a block.
static int prepare(job *j, int64_t fixed, int64_t a_row)
{
    const lt_attention_shape *s = j->s;
    int64_t heads = s->n * s->heads;
    j->rows = lt_max(LEAST_ROWS, lt_min(LT_ROWS, SCORES / s->lk / LEAST_ROWS * LEAST_ROWS));
    j->rows = lt_min(j->rows, s->lq);
    j->blocks = (s->lq + j->rows - 1) / j->rows;
    j->shares = heads >= ITEMS ? 1 : lt_min(j->blocks, (ITEMS + heads - 1) / heads);
    j->area = (size_t)(fixed + a_row * j->rows + LT_LANES);
    j->scratch = lt_alloc(j->area * sizeof(float) * (size_t)lt_threads());
    return j->scratch ? LT_OK : LT_FAIL;
}

// Without queries, keys or channels there is nothing to multiply.
static bool is_empty(const lt_attention_shape *s)
{
    return s->n * s->heads * s->lq * s->lk * s->d == 0;
}

static void clear(float *x, int64_t n)
{
    memset(x, 0, (size_t)n * sizeof(float));
}

static int forward(const lt_attention_shape *s, const float *q, const float *k, const float *v, float *out, float *lse)
{
    if (is_empty(s)) {
        clear(out, s->n * s->lq * s->heads * s->d);
        for (int64_t i = 0; i < s->n * s->heads * s->lq; i++)
            lse[i] = -INFINITY;
        return LT_OK;
    }
    job j = {.s = s, .q = q, .k = k, .v = v, .to = out, .to_lse = lse};
    if (prepare(&j, packed_keys(s) + packed_values(s), s->lk) != LT_OK)
        return LT_FAIL;
    lt_parallel(s->n * s->heads * j.shares, lt_grain(2 * s->lq * s->lk * s->d / j.shares), forward_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

static int backward(const lt_attention_shape *s, const float *q, const float *k, const float *v, const float *out,
                    const float *lse, const float *dout, float *dq, float *dk, float *dv)
{
    if (is_empty(s)) {
        clear(dq, s->n * s->lq * s->heads * s->d);
        clear(dk, s->n * s->lk * s->heads * s->d);
        clear(dv, s->n * s->lk * s->heads * s->d);
        return LT_OK;
    }
    job j = {.s = s, .q = q, .k = k, .v = v, .out = out, .lse = lse, .dout = dout, .dq = dq, .dk = dk, .dv = dv};
    if (prepare(&j, 2 * packed_keys(s) + packed_values(s), 3 * s->lk + lt_panel_room(s->d)) != LT_OK)
        return LT_FAIL;
    lt_parallel(s->n * s->heads, lt_grain(5 * s->lq * s->lk * s->d), backward_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_attention_kernels LT_NAME(lt_attention) = {.forward = forward, .backward = backward};
