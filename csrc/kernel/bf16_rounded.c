// Products of inputs rounded to bfloat16, by the float32 kernels: each input is rounded into a copy, which costs one
// pass over it and its size in memory for as long as the product takes. Winograd's convolution
// alone needs no copies: its transforms round.
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/bf16.h"
#include "kernel/conv_winograd.h"

extern const lt_gemm_kernels LT_NAME(lt_gemm);
extern const lt_conv_kernels LT_NAME(lt_conv);
extern const lt_attention_kernels LT_NAME(lt_attention);

enum { INPUTS = 4 };

// Inputs of one call, and their copies in one block.
typedef struct {
    const float *from[INPUTS];
    int64_t size[INPUTS], start[INPUTS], total;
    float *copy;
} job;

static void add(job *j, int i, const float *from, int64_t size)
{
    j->from[i] = from;
    j->size[i] = size;
    j->start[i] = j->total;
    j->total += (size + LT_LANES - 1) / LT_LANES * LT_LANES;
}

static void round_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int i = 0; i < INPUTS; i++) {
        int64_t from = lt_max_i64(begin, j->start[i]), to = lt_min_i64(end, j->start[i] + j->size[i]);
        if (j->size[i] > 0 && from < to)
            lt_round_floats(j->from[i] + from - j->start[i], to - from, j->copy + from);
    }
}

static int round_inputs(job *j)
{
    j->copy = lt_alloc((size_t)j->total * sizeof(float));
    if (!j->copy)
        return LT_FAIL;
    lt_parallel(j->total, 32768, round_piece, j);
    return LT_OK;
}

static const float *rounded(const job *j, int i)
{
    return j->copy + j->start[i];
}

// Floats from the first to the last of `rows` rows.
static int64_t span(int64_t rows, int64_t columns, int64_t ld)
{
    return rows && columns ? (rows - 1) * ld + columns : 0;
}

static int64_t span_a(const lt_gemm_args *p)
{
    return p->trans_a ? span(p->k, p->m, p->lda) : span(p->m, p->k, p->lda);
}

static int64_t span_b(const lt_gemm_args *p)
{
    return p->trans_b ? span(p->n, p->k, p->ldb) : span(p->k, p->n, p->ldb);
}

static int run(const lt_gemm_args *p)
{
    job j = {0};
    lt_gemm_args q = *p;
    add(&j, 0, p->a, span_a(p));
    add(&j, 1, p->b, span_b(p));
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    q.a = rounded(&j, 0);
    q.b = rounded(&j, 1);
    int status = LT_NAME(lt_gemm).run(&q);
    lt_free(j.copy);
    return status;
}

static int batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    job j = {0};
    lt_gemm_args q = *p;
    int64_t last_a = 0, last_b = 0;
    for (int64_t i = 0; i < batch; i++) {
        last_a = lt_max_i64(last_a, offset_a[i]);
        last_b = lt_max_i64(last_b, offset_b[i]);
    }
    add(&j, 0, p->a, span_a(p) ? last_a + span_a(p) : 0);
    add(&j, 1, p->b, span_b(p) ? last_b + span_b(p) : 0);
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    q.a = rounded(&j, 0);
    q.b = rounded(&j, 1);
    int status = LT_NAME(lt_gemm).batched(&q, batch, offset_a, offset_b);
    lt_free(j.copy);
    return status;
}

static int64_t size_x(const lt_conv_shape *s)
{
    return s->n * s->h * s->w * s->cin;
}

static int64_t size_y(const lt_conv_shape *s)
{
    return s->n * s->oh * s->ow * s->cout;
}

static int64_t size_w(const lt_conv_shape *s)
{
    return s->cout * s->kh * s->kw * (s->cin / s->groups);
}

static int forward(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms, float *y)
{
    job j = {0};
    if (lt_wino_takes(s))
        return LT_NAME(lt_conv).forward(s, x, weight, terms, y);
    add(&j, 0, x, size_x(s));
    add(&j, 1, weight, size_w(s));
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    int status = LT_NAME(lt_conv).forward(s, rounded(&j, 0), rounded(&j, 1), terms, y);
    lt_free(j.copy);
    return status;
}

static int input_gradient(const lt_conv_shape *s, const float *dy, const float *weight, const lt_conv_terms *terms,
                          float *dx)
{
    job j = {0};
    if (lt_wino_takes_back(s))
        return LT_NAME(lt_conv).input_gradient(s, dy, weight, terms, dx);
    add(&j, 0, dy, size_y(s));
    add(&j, 1, weight, size_w(s));
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    int status = LT_NAME(lt_conv).input_gradient(s, rounded(&j, 0), rounded(&j, 1), terms, dx);
    lt_free(j.copy);
    return status;
}

static int weight_gradient(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    job j = {0};
    if (lt_wino_takes(s))
        return LT_NAME(lt_conv).weight_gradient(s, x, dy, dweight);
    add(&j, 0, x, size_x(s));
    add(&j, 1, dy, size_y(s));
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    int status = LT_NAME(lt_conv).weight_gradient(s, rounded(&j, 0), rounded(&j, 1), dweight);
    lt_free(j.copy);
    return status;
}

// k and v may be parts of one tensor with q, and then are copied with all of it.
static void add_attention(job *j, const lt_attention_shape *s, const float *q, const float *k, const float *v)
{
    const int64_t keys = span(s->n * s->lk, s->heads * s->d, s->kv_step);
    add(j, 0, q, span(s->n * s->lq, s->heads * s->d, s->q_step));
    add(j, 1, k, keys);
    add(j, 2, v, keys);
}

static int attention_forward(const lt_attention_shape *s, const float *q, const float *k, const float *v, float *out,
                             float *lse)
{
    job j = {0};
    add_attention(&j, s, q, k, v);
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    int status = LT_NAME(lt_attention).forward(s, rounded(&j, 0), rounded(&j, 1), rounded(&j, 2), out, lse);
    lt_free(j.copy);
    return status;
}

static int attention_backward(const lt_attention_shape *s, const float *q, const float *k, const float *v,
                              const float *out, const float *lse, const float *dout, float *dq, float *dk, float *dv)
{
    job j = {0};
    add_attention(&j, s, q, k, v);
    add(&j, 3, dout, s->n * s->lq * s->heads * s->d);
    if (round_inputs(&j) != LT_OK)
        return LT_FAIL;
    int status = LT_NAME(lt_attention)
                     .backward(s, rounded(&j, 0), rounded(&j, 1), rounded(&j, 2), out, lse, rounded(&j, 3), dq, dk, dv);
    lt_free(j.copy);
    return status;
}

static const lt_gemm_kernels gemm = {.run = run, .batched = batched};
static const lt_conv_kernels conv = {
    .forward = forward, .input_gradient = input_gradient, .weight_gradient = weight_gradient};
static const lt_attention_kernels attention = {.forward = attention_forward, .backward = attention_backward};

const lt_product_kernels LT_NAME(lt_rounded) = {.gemm = &gemm, .conv = &conv, .attention = &attention};

// Those that round nothing.
const lt_product_kernels LT_NAME(lt_full) = {
    .gemm = &LT_NAME(lt_gemm), .conv = &LT_NAME(lt_conv), .attention = &LT_NAME(lt_attention)};
