// Matrix products on the tiles of tile.h.
//
// B is packed in panels, at most 768 x 1024 of it at a time (3 MB, shared by all threads). A is read where it lies,
// in blocks of up to 96 rows (96 x 768 floats: 288 KB of the second-level cache); a transposed A is turned a block at
// a time. Threads share out blocks of rows, and panels too where rows are few. Sums over k go in equal chunks
// of up to 768, in order. An OpenBLAS that is older than the processor falls back to SSE code, a tenth of the speed: so
// products are our own, and LAPACK alone is OpenBLAS's.
#include "kernel/gemm.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_shared.h"
#include "kernel/isa.h"
#include "kernel/panel.h"

enum { MOST_K = 768, CHUNK_N = 1024, ITEMS = 16, SMALL = 1 << 16 };

typedef struct {
    const lt_gemm_args *p;
    const int64_t *offset_a, *offset_b; // of a batch
    int64_t k0, k, n0, n;               // the chunk
    int64_t rows, panels, shares;       // rows of a block; panels of the chunk and shares of them
    float *packed, *scratch;
    int64_t turned; // floats a thread needs to turn a block of A
} job;

// Length of the chunks of k: as few as there must be, of equal length.
static int64_t chunk_k(const lt_gemm_args *p)
{
    int64_t chunks = (p->k + MOST_K - 1) / MOST_K;
    return (p->k + chunks - 1) / chunks;
}

static int64_t packed_size(const lt_gemm_args *p)
{
    return chunk_k(p) * lt_panel_room(lt_min(p->n, CHUNK_N));
}

static int64_t turned_size(const lt_gemm_args *p)
{
    return p->trans_a ? lt_min(p->m, LT_ROWS) * chunk_k(p) : 0;
}

// Rows [i, i + m) of the chunk's product into C, columns [from, to) of the chunk.
static void block(const lt_gemm_args *p, const job *j, int64_t i, int64_t m, int64_t from, int64_t to, float *turned)
{
    const float *a = p->trans_a ? p->a + j->k0 * p->lda + i : p->a + i * p->lda + j->k0;
    int64_t lda = p->lda;
    if (p->trans_a) {
        lt_transpose(a, p->lda, j->k, m, 1, turned, j->k);
        a = turned;
        lda = j->k;
    }
    const bool first = j->k0 == 0;
    lt_rows_times_panels(a, lda, m, &(lt_panels){j->packed, j->k, j->n}, from, to,
                         first && p->bias ? p->bias + j->n0 : NULL, first ? p->beta : 1, p->c + i * p->ldc + j->n0,
                         p->ldc);
}

static const float *chunk_of_b(const lt_gemm_args *p, const job *j)
{
    return p->trans_b ? p->b + j->n0 * p->ldb + j->k0 : p->b + j->k0 * p->ldb + j->n0;
}

static void pack_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++)
        lt_pack_panel(chunk_of_b(j->p, j), j->p->ldb, j->p->trans_b, j->k, j->n, i * LT_NR_MAX, j->p->alpha,
                      j->packed + i * LT_NR_MAX * j->k);
}

static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t i = item / j->shares * j->rows, share = item % j->shares;
        int64_t from = share * j->panels / j->shares * LT_NR_MAX, to = (share + 1) * j->panels / j->shares * LT_NR_MAX;
        block(j->p, j, i, lt_min(j->rows, j->p->m - i), from, lt_min(to, j->n),
              j->scratch + lt_thread_index() * j->turned);
    }
}

// The whole product on the calling thread. room: packed_size + turned_size floats.
static void alone(const lt_gemm_args *p, float *room)
{
    job j = {.p = p, .packed = room};
    for (j.n0 = 0; j.n0 < p->n; j.n0 += CHUNK_N)
        for (j.k0 = 0; j.k0 < p->k; j.k0 += chunk_k(p)) {
            j.n = lt_min(CHUNK_N, p->n - j.n0);
            j.k = lt_min(chunk_k(p), p->k - j.k0);
            lt_pack_panels(chunk_of_b(p, &j), p->ldb, p->trans_b, j.k, j.n, p->alpha, room);
            for (int64_t i = 0; i < p->m; i += LT_ROWS)
                block(p, &j, i, lt_min(LT_ROWS, p->m - i), 0, j.n, room + packed_size(p));
        }
}

// A sum over nothing: C = bias + beta C.
static void no_steps(const lt_gemm_args *p)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            float *c = p->c + i * p->ldc + j;
            *c = (p->bias ? p->bias[j] : 0) + (p->beta != 0 ? p->beta * *c : 0);
        }
}

// op(A)' B over a long k into a small C: what the weight gradient of a 1x1 convolution is, cut there along k.
static bool is_long_sum(const lt_gemm_args *p)
{
    return p->trans_a && !p->trans_b && p->k >= 4096 && p->k >= 8 * lt_max(p->m, p->n) && p->alpha == 1 &&
           p->beta == 0 && !p->bias && p->lda == p->m && p->ldb == p->n && p->ldc == p->n;
}

static void cut(job *j)
{
    const lt_gemm_args *p = j->p;
    int64_t blocks = (p->m + LT_ROWS - 1) / LT_ROWS;
    j->rows = lt_min(LT_ROWS, ((p->m + blocks - 1) / blocks + 23) / 24 * 24);
    j->panels = (j->n + LT_NR_MAX - 1) / LT_NR_MAX;
    j->shares = blocks >= ITEMS ? 1 : lt_min(j->panels, (ITEMS + blocks - 1) / blocks);
}

static int run(const lt_gemm_args *p)
{
    if (p->m == 0 || p->n == 0)
        return LT_OK;
    if (p->k == 0) {
        no_steps(p);
        return LT_OK;
    }
    if (is_long_sum(p)) {
        lt_conv_shape s = {.n = 1,
                           .h = 1,
                           .w = p->k,
                           .cin = p->n,
                           .oh = 1,
                           .ow = p->k,
                           .cout = p->m,
                           .kh = 1,
                           .kw = 1,
                           .stride_h = 1,
                           .stride_w = 1,
                           .dilation_h = 1,
                           .dilation_w = 1,
                           .groups = 1};
        return LT_NAME(lt_conv_weight_gradient)(&s, p->b, p->a, p->c);
    }
    const bool small = p->m * p->n * p->k <= SMALL;
    job j = {.p = p, .turned = turned_size(p)};
    j.packed = lt_alloc((size_t)(packed_size(p) + j.turned * (small ? 1 : lt_threads())) * sizeof(float));
    if (!j.packed)
        return LT_FAIL;
    j.scratch = j.packed + packed_size(p);
    if (small)
        alone(p, j.packed);
    for (j.n0 = 0; j.n0 < p->n && !small; j.n0 += CHUNK_N)
        for (j.k0 = 0; j.k0 < p->k; j.k0 += chunk_k(p)) {
            j.n = lt_min(CHUNK_N, p->n - j.n0);
            j.k = lt_min(chunk_k(p), p->k - j.k0);
            cut(&j);
            lt_parallel(j.panels, 1 + 16384 / (j.k * LT_NR_MAX), pack_piece, &j);
            lt_parallel((p->m + j.rows - 1) / j.rows * j.shares, lt_grain(j.rows * j.k * j.n / j.shares), block_piece,
                        &j);
        }
    lt_free(j.packed);
    return LT_OK;
}

static lt_gemm_args of_batch(const job *j, int64_t i)
{
    lt_gemm_args one = *j->p;
    one.a += j->offset_a[i];
    one.b += j->offset_b[i];
    one.c += i * one.m * one.ldc;
    return one;
}

static void batch_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_gemm_args one = of_batch(j, i);
        alone(&one, j->scratch + lt_thread_index() * j->turned);
    }
}

static int batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    job j = {.p = p, .offset_a = offset_a, .offset_b = offset_b};
    const int64_t work = p->m * p->n * p->k;
    if (p->m == 0 || p->n == 0 || work == 0 || (batch < ITEMS && work > SMALL)) { // nothing, or few and large
        for (int64_t i = 0; i < batch; i++) {
            lt_gemm_args one = of_batch(&j, i);
            if (run(&one) != LT_OK)
                return LT_FAIL;
        }
        return LT_OK;
    }
    j.turned = (packed_size(p) + turned_size(p) + LT_LANES - 1) / LT_LANES * LT_LANES;
    j.scratch = lt_alloc((size_t)(j.turned * lt_threads()) * sizeof(float));
    if (!j.scratch)
        return LT_FAIL;
    lt_parallel(batch, lt_grain(work), batch_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_gemm_kernels LT_NAME(lt_gemm) = {.run = run, .batched = batched};
