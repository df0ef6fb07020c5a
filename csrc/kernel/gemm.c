// Matrix products on the tiles of tile.h.
//
// B is packed in panels, up to 3 MB of it at a time, shared by all threads. A panel of up to 384 x 16 (24 KB) stays in
// the first-level cache while the rows of a block pass by; one of 768 x 64 (196 KB) streams from the second, which
// feeds AVX-512's tiles as fast as they multiply. A is read where it lies, in blocks of up to 96 rows; of a transposed
// A, blocks are packed in panels of a tile's height, beforehand where they are few. Threads share out blocks of rows,
// and shares of the panels where blocks are few, so that none waits long for the last. Sums over k go in equal chunks,
// in order. Where k is long and C small, k is cut into slices instead, each summed on its own by one thread into a copy
// of C, and the copies are added in order.
//
// An OpenBLAS that is older than the processor falls back to SSE code, a tenth of the speed: so products are our own,
// and LAPACK alone is OpenBLAS's.
#include "kernel/gemm.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/panel.h"
#include "kernel/simd.h"

// Steps of k: with 16 columns to a panel it then fits the first-level cache, beside the rows of a tile; wider panels
// stream from the second.
enum { MOST_K = LT_NR_MAX == 16 ? 384 : 768, PACKED = 768 * 1024, CHUNK_N = 1024 };
// Items that keep all threads busy to the end; fewer blocks or products than that want to be cut; multiplications and
// floats to pack that are worth a thread.
enum { ITEMS = 44, FEW = 16, SMALL = 1 << 16, PACK = 1 << 15 };
enum { ALONE = 1 << 17 };                                    // floats of packed B of one thread
enum { MOST_SLICES = 16, SLICE_K = 512, SLICE_C = 1 << 16 }; // floats of a C that is sliced

typedef struct {
    const lt_gemm_args *p;
    const int64_t *offset_a, *offset_b; // of a batch
    int64_t k0, k, n0, n;               // the chunk
    int64_t rows, panels, shares;       // rows of a block; panels of the chunk and shares of them
    int64_t step, columns;              // sizes of the chunks of k and of n
    int64_t blocks;                     // of rows
    float *packed, *scratch, *copies;
    bool beforehand; // scratch holds all blocks of a transposed A; else each thread has room for one, packed where used
    int64_t room;    // floats of one packed block of A; what a thread needs for itself
    int64_t slices;  // of k
} job;

// Length of the chunks of k: as few as there must be, of equal length.
static int64_t equal_chunks(int64_t k, int64_t most)
{
    int64_t chunks = (k + most - 1) / most;
    return (k + chunks - 1) / chunks;
}

// Whole panels, of equal chunks of n: as many as with `step` rows of them are packed at a time.
static int64_t chunk_n(int64_t n, int64_t step)
{
    const int64_t most = PACKED / step / LT_NR_MAX * LT_NR_MAX;
    return (equal_chunks(n, most) + LT_NR_MAX - 1) / LT_NR_MAX * LT_NR_MAX;
}

static int64_t turned_size(const lt_gemm_args *p, int64_t step)
{
    return p->trans_a ? lt_transposed_room(step, lt_min_i64(p->m, LT_ROWS)) : 0;
}

// Of the panels of a transposed A.
static int height(const lt_gemm_args *p, const job *j)
{
    return lt_outer_height(lt_panel_vectors(0, j->n), p->m);
}

// Columns [i, i + m) of the chunk of a transposed A.
static void turn(const lt_gemm_args *p, const job *j, int64_t i, int64_t m, float *turned)
{
    lt_pack_transposed(p->a + j->k0 * p->lda + i, p->lda, j->k, m, height(p, j), turned);
}

// Rows [i, i + m) of the chunk's product into C, columns [from, to) of the chunk. A transposed A is packed into
// `turned` first, unless it is there already.
static void block(const lt_gemm_args *p, const job *j, int64_t i, int64_t m, int64_t from, int64_t to, float *turned)
{
    const lt_panels b = {j->packed, j->k, j->n, j->k};
    const bool first = j->k0 == 0;
    const float *bias = first && p->bias ? p->bias + j->n0 : NULL;
    const float beta = first ? p->beta : 1;
    float *c = p->c + i * p->ldc + j->n0;
    if (p->trans_a) {
        if (!j->beforehand)
            turn(p, j, i, m, turned);
        lt_transposed_times_panels(turned, height(p, j), m, &b, from, to, bias, beta, c, p->ldc);
    } else {
        lt_rows_times_panels(p->a + i * p->lda + j->k0, p->lda, m, &b, from, to, bias, beta, c, p->ldc);
    }
}

static const float *chunk_of_b(const lt_gemm_args *p, const job *j)
{
    return p->trans_b ? p->b + j->n0 * p->ldb + j->k0 : p->b + j->k0 * p->ldb + j->n0;
}

static float *turned_block(const job *j, int64_t block)
{
    return j->scratch + (j->beforehand ? block : lt_thread_index()) * j->room;
}

// Items: blocks of a transposed A, where they are packed beforehand, then panels of B.
static void pack_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t blocks = j->beforehand ? j->blocks : 0, from = lt_max_i64(0, begin - blocks);
    for (int64_t i = begin; i < lt_min_i64(end, blocks); i++)
        turn(j->p, j, i * j->rows, lt_min_i64(j->rows, j->p->m - i * j->rows), turned_block(j, i));
    if (end > blocks)
        lt_pack_columns(chunk_of_b(j->p, j), j->p->ldb, j->p->trans_b, j->k, j->n, from * LT_NR_MAX,
                        (end - blocks) * LT_NR_MAX, j->p->alpha, j->packed);
}

static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t b = item / j->shares, i = b * j->rows, share = item % j->shares;
        int64_t from = share * j->panels / j->shares * LT_NR_MAX, to = (share + 1) * j->panels / j->shares * LT_NR_MAX;
        block(j->p, j, i, lt_min_i64(j->rows, j->p->m - i), from, lt_min_i64(to, j->n), turned_block(j, b));
    }
}

// Chunks of k for a product on one thread: what is packed of B fills half of the second-level cache.
static int64_t alone_step(const lt_gemm_args *p, int64_t k)
{
    return equal_chunks(k, lt_max_i64(64, lt_min_i64(MOST_K, ALONE / lt_panel_room(lt_min_i64(p->n, CHUNK_N)))));
}

static int64_t alone_packed(const lt_gemm_args *p, int64_t step)
{
    return step * lt_panel_room(lt_min_i64(p->n, CHUNK_N));
}

static int64_t alone_room(const lt_gemm_args *p, int64_t step)
{
    return (alone_packed(p, step) + turned_size(p, step) + LT_LANES - 1) / LT_LANES * LT_LANES;
}

// The whole product on the calling thread. room: alone_room floats.
static void alone(const lt_gemm_args *p, int64_t step, float *room)
{
    job j = {.p = p, .packed = room};
    for (j.n0 = 0; j.n0 < p->n; j.n0 += CHUNK_N)
        for (j.k0 = 0; j.k0 < p->k; j.k0 += step) {
            j.n = lt_min_i64(CHUNK_N, p->n - j.n0);
            j.k = lt_min_i64(step, p->k - j.k0);
            lt_pack_panels(chunk_of_b(p, &j), p->ldb, p->trans_b, j.k, j.n, p->alpha, room);
            for (int64_t i = 0; i < p->m; i += LT_ROWS)
                block(p, &j, i, lt_min_i64(LT_ROWS, p->m - i), 0, j.n, room + alone_packed(p, step));
        }
}

// Not worth a thread.
static int small(const lt_gemm_args *p)
{
    const int64_t step = alone_step(p, p->k);
    float *room = lt_alloc((size_t)alone_room(p, step) * sizeof(float));
    if (!room)
        return LT_FAIL;
    alone(p, step, room);
    lt_free(room);
    return LT_OK;
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

// ---- slices of k

static void slice_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_gemm_args *p = j->p;
    for (int64_t slice = begin; slice < end; slice++) {
        int64_t from = slice * p->k / j->slices;
        lt_gemm_args one = *p;
        one.k = (slice + 1) * p->k / j->slices - from;
        one.a += p->trans_a ? from * p->lda : from;
        one.b += p->trans_b ? from : from * p->ldb;
        if (slice > 0) {
            one.c = j->copies + (slice - 1) * p->m * p->n;
            one.ldc = p->n;
            one.beta = 0;
            one.bias = NULL;
        }
        alone(&one, j->step, j->scratch + lt_thread_index() * j->room);
    }
}

static void add_piece(void *context, int64_t begin, int64_t end) // rows of C
{
    const job *j = context;
    const int64_t n = j->p->n;
    for (int64_t i = begin; i < end; i++)
        for (int64_t slice = 1; slice < j->slices; slice++) {
            float *c = j->p->c + i * j->p->ldc;
            const float *copy = j->copies + ((slice - 1) * j->p->m + i) * n;
            LT_VECTORIZE
            for (int64_t k = 0; k < n; k++)
                c[k] += copy[k];
        }
}

// How many slices k is worth; 1: none.
static int64_t slices_of(const lt_gemm_args *p)
{
    if (p->k < 4 * lt_max_i64(p->m, p->n) || p->m * p->n > SLICE_C)
        return 1;
    return lt_max_i64(1, lt_min_i64(MOST_SLICES, p->k / SLICE_K));
}

static int sliced(const lt_gemm_args *p, int64_t slices)
{
    job j = {.p = p, .slices = slices, .step = alone_step(p, p->k / slices + 1)};
    j.room = alone_room(p, j.step);
    j.copies = lt_alloc((size_t)((slices - 1) * p->m * p->n + j.room * lt_threads()) * sizeof(float));
    if (!j.copies)
        return LT_FAIL;
    j.scratch = j.copies + (slices - 1) * p->m * p->n;
    lt_parallel(slices, lt_grain(p->m * p->n * p->k / slices), slice_piece, &j);
    lt_parallel(p->m, 1 + 16384 / p->n, add_piece, &j);
    lt_free(j.copies);
    return LT_OK;
}

// ---- the product

// Blocks of rows of equal height, in whole tiles of every height.
static void cut_rows(job *j)
{
    const int64_t m = j->p->m, least = (m + LT_ROWS - 1) / LT_ROWS;
    j->rows = lt_min_i64(LT_ROWS, ((m + least - 1) / least + 23) / 24 * 24);
    j->blocks = (m + j->rows - 1) / j->rows;
}

// Shares of the chunk's panels: as many as make enough items of few blocks. A block of a transposed A that is packed
// where it is used is not packed twice.
static void cut_panels(job *j)
{
    j->panels = (j->n + LT_NR_MAX - 1) / LT_NR_MAX;
    const bool whole = j->blocks >= ITEMS || (j->p->trans_a && !j->beforehand);
    j->shares = whole ? 1 : lt_min_i64(j->panels, (ITEMS + j->blocks - 1) / j->blocks);
}

static void multiply_chunk(job *j)
{
    const int64_t turned = j->beforehand ? j->blocks : 0, least = j->k * LT_NR_MAX;
    cut_panels(j);
    lt_parallel(turned + j->panels, 1 + PACK / least, pack_piece, j);
    lt_parallel(j->blocks * j->shares, lt_grain(j->rows * j->k * j->n / j->shares), block_piece, j);
}

static int run(const lt_gemm_args *p)
{
    if (p->m == 0 || p->n == 0)
        return LT_OK;
    if (p->k == 0) {
        no_steps(p);
        return LT_OK;
    }
    if (slices_of(p) > 1)
        return sliced(p, slices_of(p));
    if (p->m * p->n * p->k <= SMALL)
        return small(p);
    job j = {.p = p, .step = equal_chunks(p->k, MOST_K)};
    cut_rows(&j);
    j.columns = chunk_n(p->n, j.step);
    const int64_t packed = j.step * lt_panel_room(lt_min_i64(p->n, j.columns));
    j.beforehand = p->trans_a && j.blocks < FEW;
    j.room = turned_size(p, j.step);
    j.packed = lt_alloc((size_t)(packed + j.room * (j.beforehand ? j.blocks : lt_threads())) * sizeof(float));
    if (!j.packed)
        return LT_FAIL;
    j.scratch = j.packed + packed;
    for (j.n0 = 0; j.n0 < p->n; j.n0 += j.columns)
        for (j.k0 = 0; j.k0 < p->k; j.k0 += j.step) {
            j.n = lt_min_i64(j.columns, p->n - j.n0);
            j.k = lt_min_i64(j.step, p->k - j.k0);
            multiply_chunk(&j);
        }
    lt_free(j.packed);
    return LT_OK;
}

static void batch_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_gemm_args one = lt_gemm_of_batch(j->p, i, j->offset_a, j->offset_b);
        alone(&one, j->step, j->scratch + lt_thread_index() * j->room);
    }
}

static int batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    job j = {.p = p, .offset_a = offset_a, .offset_b = offset_b};
    const int64_t work = p->m * p->n * p->k;
    if (p->m == 0 || p->n == 0 || work == 0 || (batch < FEW && work > SMALL)) { // nothing, or few and large
        for (int64_t i = 0; i < batch; i++) {
            lt_gemm_args one = lt_gemm_of_batch(p, i, offset_a, offset_b);
            if (run(&one) != LT_OK)
                return LT_FAIL;
        }
        return LT_OK;
    }
    j.step = alone_step(p, p->k);
    j.room = alone_room(p, j.step);
    j.scratch = lt_alloc((size_t)(j.room * lt_threads()) * sizeof(float));
    if (!j.scratch)
        return LT_FAIL;
    lt_parallel(batch, lt_grain(work), batch_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_gemm_kernels LT_NAME(lt_gemm) = {.run = run, .batched = batched};
