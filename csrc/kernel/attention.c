// Attention by blocks of queries. The scores of a block, block x lk, are all of a row at once, so the softmax is the
// plain one; they stay in the cache and never become a tensor. Rows of one head lie heads*d apart: the products read
// them where they are.
#include "kernel/attention.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/simd.h"
#include "kernel/tile.h"

enum { SCORES = 64 * 1024, MOST_ROWS = 64 }; // floats of one block of scores: 256 KB, half a second-level cache

typedef struct {
    const lt_attention_shape *s;
    const float *q, *k, *v, *out, *lse, *dout;
    float *to, *to_lse, *dq, *dk, *dv;
    int64_t rows, blocks; // queries of a block, blocks of a head
    float *scratch;       // one area a thread
    size_t area;
} job;

// C = alpha A B' (lengths d apart by ld) and the like, on one thread.
static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k, float alpha,
                    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

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

// Scores of queries [first, first + rows), -inf where a key may not be seen.
static void scores(const job *j, int64_t b, int64_t head, int64_t first, int64_t rows, float *score)
{
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    product(CblasNoTrans, CblasTrans, rows, s->lk, s->d, s->scale, j->q + start(s, b, s->lq, head) + first * ld, ld,
            j->k + start(s, b, s->lk, head), ld, 0, score, s->lk);
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

// row -> exp(row - lse), with lse = log sum exp row; a row that sees nothing gives zeros.
static float softmax_row(float *row, int64_t n)
{
    float most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < n; c++)
        most = row[c] > most || isnan(row[c]) ? row[c] : most;
    if (most == -INFINITY) {
        memset(row, 0, (size_t)n * sizeof(float));
        return -INFINITY;
    }
    lt_vec sums = {0};
    int64_t c = 0;
    for (int64_t i = 0; i < n; i++)
        row[i] = lt_exp(row[i] - most);
    for (; c + LT_LANES <= n; c += LT_LANES)
        sums += *(lt_vec_u *)(row + c);
    for (; c < n; c++)
        sum += row[c];
    for (int lane = 0; lane < LT_LANES; lane++)
        sum += sums[lane];
    const float scale = 1 / sum;
    for (int64_t i = 0; i < n; i++)
        row[i] *= scale;
    return most + logf(sum);
}

static void forward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    float *score = j->scratch + (size_t)lt_thread_index() * j->area;
    for (int64_t item = begin; item < end; item++) {
        int64_t first = item % j->blocks * j->rows, bh = item / j->blocks, b = bh / s->heads, head = bh % s->heads;
        int64_t rows = lt_min(j->rows, s->lq - first);
        scores(j, b, head, first, rows, score);
        for (int64_t i = 0; i < rows; i++)
            j->to_lse[bh * s->lq + first + i] = softmax_row(score + i * s->lk, s->lk);
        product(CblasNoTrans, CblasNoTrans, rows, s->d, s->lk, 1, score, s->lk, j->v + start(s, b, s->lk, head), ld, 0,
                j->to + start(s, b, s->lq, head) + first * ld, ld);
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

// One head of one sample: its blocks of queries in order, for dk and dv sum over them.
static void backward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_attention_shape *s = j->s;
    const int64_t ld = s->heads * s->d;
    float *p = j->scratch + (size_t)lt_thread_index() * j->area, *ds = p + j->rows * s->lk;
    for (int64_t bh = begin; bh < end; bh++) {
        int64_t b = bh / s->heads, head = bh % s->heads, keys = start(s, b, s->lk, head);
        for (int64_t first = 0; first < s->lq; first += j->rows) {
            int64_t rows = lt_min(j->rows, s->lq - first), queries = start(s, b, s->lq, head) + first * ld;
            float beta = first > 0;
            scores(j, b, head, first, rows, p);
            product(CblasNoTrans, CblasTrans, rows, s->lk, s->d, 1, j->dout + queries, ld, j->v + keys, ld, 0, ds,
                    s->lk);
            score_gradient(j, b, head, first, rows, p, ds);
            product(CblasNoTrans, CblasNoTrans, rows, s->d, s->lk, 1, ds, s->lk, j->k + keys, ld, 0, j->dq + queries,
                    ld);
            product(CblasTrans, CblasNoTrans, s->lk, s->d, rows, 1, ds, s->lk, j->q + queries, ld, beta, j->dk + keys,
                    ld);
            product(CblasTrans, CblasNoTrans, s->lk, s->d, rows, 1, p, s->lk, j->dout + queries, ld, beta, j->dv + keys,
                    ld);
        }
    }
}

static int prepare(job *j, int64_t matrices)
{
    const lt_attention_shape *s = j->s;
    j->rows = lt_max(8, lt_min(MOST_ROWS, SCORES / matrices / s->lk));
    j->rows = lt_min(j->rows, s->lq);
    j->blocks = (s->lq + j->rows - 1) / j->rows;
    j->area = (size_t)(matrices * j->rows * s->lk + LT_LANES);
    j->scratch = lt_alloc(j->area * sizeof(float) * (size_t)lt_threads());
    return j->scratch ? LT_OK : LT_FAIL;
}

// Without queries, keys or channels there is nothing to multiply, and cblas refuses such sizes.
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
    if (prepare(&j, 1) != LT_OK)
        return LT_FAIL;
    lt_parallel(s->n * s->heads * j.blocks, 1, forward_piece, &j);
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
    if (prepare(&j, 2) != LT_OK)
        return LT_FAIL;
    lt_parallel(s->n * s->heads, 1, backward_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_attention_kernels LT_NAME(lt_attention) = {.forward = forward, .backward = backward};
