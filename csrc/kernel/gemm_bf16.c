// Matrix products of inputs rounded to bfloat16, by vdpbf16ps.
//
// Both operands are rounded while packed. B goes into panels of pairs, at most 1024 (k) x 1024 at a time (2 MB, shared
// by all threads); A in blocks of 96 rows, which each thread packs for itself (192 KB of its second-level cache), a
// turned A through 16 x 16 blocks in registers. The tile reads panels from the second-level cache as fast as from the
// first, so k is cut for the sake of the cache only: sums over k go in equal chunks of up to 1024, in order. A long sum
// into a small result is cut into slices that are summed apart and added in order.
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/bf16.h"
#include "kernel/isa.h"
#include "kernel/tile_bf16.h"

enum { MOST_K = 1024, CHUNK_N = 1024, ROWS = 96, ITEMS = 16, SMALL = 1 << 17, SLICE_K = 1024 };

typedef struct {
    const lt_gemm_args *p;
    const int64_t *offset_a, *offset_b; // of a batch
    int64_t k0, k, n0, n;               // the chunk
    int64_t rows, panels, shares;       // rows of a block; panels of the chunk and shares of them
    float *packed, *scratch;
    int64_t area;   // pairs of scratch a thread has
    int64_t slices; // of k
    float *copies;  // of C, one a slice but the first
} job;

// Length of the chunks of k: even, as few as there must be, of equal length.
static int64_t chunk_k(int64_t k)
{
    int64_t chunks = (k + MOST_K - 1) / MOST_K;
    return lt_pairs((k + chunks - 1) / chunks) * 2;
}

static int64_t packed_size(const lt_gemm_args *p)
{
    return lt_pairs(chunk_k(p->k)) * lt_panel_room(lt_min_i64(p->n, CHUNK_N));
}

static int64_t block_size(const lt_gemm_args *p)
{
    return lt_pairs(chunk_k(p->k)) * lt_min_i64(p->m, ROWS);
}

static const float *chunk_of_b(const lt_gemm_args *p, const job *j)
{
    return p->trans_b ? p->b + j->n0 * p->ldb + j->k0 : p->b + j->k0 * p->ldb + j->n0;
}

// The chunk's part of rows [first, first + m) of A.
static void pack_block(const lt_gemm_args *p, const job *j, int64_t first, int64_t m, float *to)
{
    const int64_t steps = lt_pairs(j->k);
    if (p->trans_a)
        lt_pack_transposed_rows(p->a + j->k0 * p->lda + first, p->lda, m, j->k, to, steps);
    else
        lt_pack_rows(p->a + first * p->lda + j->k0, p->lda, m, j->k, to, steps);
}

// Packed rows [first, first + m) times the chunk's columns [from, to), into C.
static void block(const lt_gemm_args *p, const job *j, int64_t first, int64_t m, int64_t from, int64_t to,
                  const float *packed)
{
    const int64_t steps = lt_pairs(j->k), padded = (m + LT_PAIR_UNIT - 1) / LT_PAIR_UNIT * LT_PAIR_UNIT;
    const bool start = j->k0 == 0;
    const float *rows[ROWS];
    float *out[ROWS];
    for (int64_t i = 0; i < padded; i++) { // rows past the last are the last again: read, never stored
        rows[i] = packed + lt_min_i64(i, m - 1) * steps;
        out[i] = p->c + (first + lt_min_i64(i, m - 1)) * p->ldc + j->n0;
    }
    lt_pairs_begin();
    for (int64_t column = from; column < to; column += LT_NR_MAX) {
        const int nv = lt_panel_vectors(column, j->n), mr = lt_pair_height(nv);
        lt_tile t = {.taps = 1,
                     .steps = steps,
                     .packed = j->packed + column * steps,
                     .column = column,
                     .columns = lt_min_i64(nv * LT_LANES, j->n - column),
                     .bias = start && p->bias ? p->bias + j->n0 + column : NULL,
                     .beta = start ? p->beta : 1};
        for (int64_t i = 0; i < m; i += mr) {
            t.rows = rows + i;
            t.out = out + i;
            t.m = lt_min_i64(mr, m - i);
            lt_tile_pairs(&t, nv);
        }
    }
    lt_pairs_end();
}

static void pack_panel(const job *j, int64_t column)
{
    lt_pack_panel_pairs(chunk_of_b(j->p, j), j->p->ldb, j->p->trans_b, j->k, j->n, column,
                        j->packed + column * lt_pairs(j->k));
}

static int64_t rows_of(const job *j, int64_t i)
{
    return lt_min_i64(j->rows, j->p->m - i * j->rows);
}

// Panels of B, then, where they are shared, blocks of A.
static void pack_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        const int64_t i = item - j->panels;
        if (i < 0)
            pack_panel(j, item * LT_NR_MAX);
        else
            pack_block(j->p, j, i * j->rows, rows_of(j, i), j->scratch + i * j->area);
    }
}

static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        const int64_t i = item / j->shares, share = item % j->shares, first = i * j->rows;
        const int64_t from = share * j->panels / j->shares * LT_NR_MAX;
        const int64_t to = lt_min_i64((share + 1) * j->panels / j->shares * LT_NR_MAX, j->n);
        float *packed = j->scratch + (j->shares > 1 ? i : lt_thread_index()) * j->area;
        if (j->shares == 1)
            pack_block(j->p, j, first, rows_of(j, i), packed);
        block(j->p, j, first, rows_of(j, i), from, to, packed);
    }
}

// Goes to the next chunk of B, from {0}; false after the last.
static bool next_chunk(job *j)
{
    const lt_gemm_args *p = j->p;
    if (j->k == 0) {
        j->k0 = j->n0 = 0;
    } else if ((j->k0 += j->k) >= p->k) {
        j->k0 = 0;
        j->n0 += j->n;
    }
    j->k = lt_min_i64(chunk_k(p->k), p->k - j->k0);
    j->n = lt_min_i64(CHUNK_N, p->n - j->n0);
    return j->n0 < p->n;
}

// The whole product on the calling thread. room: packed_size + block_size floats.
static void alone(const lt_gemm_args *p, float *room)
{
    job j = {.p = p, .packed = room};
    while (next_chunk(&j)) {
        for (int64_t column = 0; column < j.n; column += LT_NR_MAX)
            pack_panel(&j, column);
        float *packed = room + packed_size(p);
        for (int64_t i = 0; i < p->m; i += ROWS) {
            pack_block(p, &j, i, lt_min_i64(ROWS, p->m - i), packed);
            block(p, &j, i, lt_min_i64(ROWS, p->m - i), 0, j.n, packed);
        }
    }
}

// Number of slices that k is cut into: where rows and panels are too few to share out.
static int64_t slices_of(const lt_gemm_args *p)
{
    int64_t tiles = ((p->m + ROWS - 1) / ROWS) * ((p->n + LT_NR_MAX - 1) / LT_NR_MAX);
    return tiles >= ITEMS || p->beta != 0 || p->ldc != p->n ? 1 : lt_max_i64(1, lt_min_i64(ITEMS, p->k / SLICE_K));
}

static lt_gemm_args of_slice(const job *j, int64_t i)
{
    lt_gemm_args one = *j->p;
    const int64_t length = 2 * ((lt_pairs(one.k) + j->slices - 1) / j->slices), k0 = lt_min_i64(one.k, i * length);
    one.a += one.trans_a ? k0 * one.lda : k0;
    one.b += one.trans_b ? k0 : k0 * one.ldb;
    one.k = lt_min_i64(length, one.k - k0);
    if (i > 0) {
        one.c = j->copies + (i - 1) * one.m * one.n;
        one.bias = NULL;
    }
    return one;
}

static void slice_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_gemm_args one = of_slice(j, i);
        alone(&one, j->scratch + lt_thread_index() * j->area);
    }
}

static void add_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t size = j->p->m * j->p->n;
    for (int64_t slice = 1; slice < j->slices; slice++)
        for (int64_t i = begin; i < end; i++)
            j->p->c[i] += j->copies[(slice - 1) * size + i];
}

static int sliced(job *j)
{
    const lt_gemm_args *p = j->p, first = of_slice(j, 0);
    j->area = packed_size(&first) + block_size(&first);
    j->copies = lt_alloc((size_t)((j->slices - 1) * p->m * p->n) * sizeof(float));
    j->scratch = lt_alloc((size_t)(j->area * lt_threads()) * sizeof(float));
    const bool fine = j->copies && j->scratch;
    if (fine) {
        lt_parallel(j->slices, 1, slice_piece, j);
        lt_parallel(p->m * p->n, 16384, add_piece, j);
    }
    lt_free(j->copies);
    lt_free(j->scratch);
    return fine ? LT_OK : LT_FAIL;
}

static int run(const lt_gemm_args *p)
{
    if (p->m * p->n * p->k == 0 || p->alpha != 1)
        return lt_without_pairs()->gemm->run(p);
    job j = {.p = p, .slices = slices_of(p)};
    if (j.slices > 1)
        return sliced(&j);
    const bool small = p->m * p->n * p->k <= SMALL;
    const int64_t least = (p->m + ROWS - 1) / ROWS;
    j.rows = lt_min_i64(ROWS, ((p->m + least - 1) / least + LT_PAIR_UNIT - 1) / LT_PAIR_UNIT * LT_PAIR_UNIT);
    const int64_t blocks = (p->m + j.rows - 1) / j.rows;
    j.area = block_size(p);
    j.packed =
        lt_alloc((size_t)(packed_size(p) + j.area * (small ? 1 : lt_max_i64(lt_threads(), lt_min_i64(blocks, ITEMS)))) *
                 sizeof(float));
    if (!j.packed)
        return LT_FAIL;
    j.scratch = j.packed + packed_size(p);
    if (small)
        alone(p, j.packed);
    while (!small && next_chunk(&j)) {
        j.panels = (j.n + LT_NR_MAX - 1) / LT_NR_MAX;
        j.shares = blocks >= ITEMS ? 1 : lt_min_i64(j.panels, (ITEMS + blocks - 1) / blocks);
        lt_parallel(j.panels + (j.shares > 1 ? blocks : 0), 1 + 32768 / (j.k * LT_NR_MAX), pack_piece, &j);
        lt_parallel(blocks * j.shares, lt_grain(j.rows * j.k * j.n / j.shares / 2), block_piece, &j);
    }
    lt_free(j.packed);
    return LT_OK;
}

static void batch_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_gemm_args one = lt_gemm_of_batch(j->p, i, j->offset_a, j->offset_b);
        alone(&one, j->scratch + lt_thread_index() * j->area);
    }
}

static int batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    job j = {.p = p, .offset_a = offset_a, .offset_b = offset_b};
    const int64_t work = p->m * p->n * p->k;
    if (work == 0 || p->alpha != 1)
        return lt_without_pairs()->gemm->batched(p, batch, offset_a, offset_b);
    if (batch < ITEMS && work > SMALL) { // few and large
        for (int64_t i = 0; i < batch; i++) {
            lt_gemm_args one = lt_gemm_of_batch(p, i, offset_a, offset_b);
            if (run(&one) != LT_OK)
                return LT_FAIL;
        }
        return LT_OK;
    }
    j.area = (packed_size(p) + block_size(p) + LT_LANES - 1) / LT_LANES * LT_LANES;
    j.scratch = lt_alloc((size_t)(j.area * lt_threads()) * sizeof(float));
    if (!j.scratch)
        return LT_FAIL;
    lt_parallel(batch, lt_grain(work / 2), batch_piece, &j);
    lt_free(j.scratch);
    return LT_OK;
}

const lt_gemm_kernels LT_NAME(lt_gemm) = {.run = run, .batched = batched};
