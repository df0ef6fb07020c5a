// Matrix products. The result is cut into blocks by its size alone; OpenBLAS multiplies each block on one thread.
#include "kernel/gemm.h"

#include <cblas.h>

#include "base/error.h"
#include "base/threads.h"
#include "kernel/isa.h"
#include "kernel/tile.h"

static void serial(const lt_gemm_args *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    float beta = p->beta;
    if (p->bias) {
        for (int64_t i = 0; i < p->m; i++) {
            float *c = p->c + i * p->ldc;
            for (int64_t j = 0; j < p->n; j++)
                c[j] = p->bias[j] + (beta != 0 ? beta * c[j] : 0);
        }
        beta = 1;
    }
    // An empty sum is zero; cblas refuses leading dimensions of 0, which empty operands have.
    if (p->k == 0) {
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++)
                p->c[i * p->ldc + j] = beta != 0 ? beta * p->c[i * p->ldc + j] : 0;
        return;
    }
    cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans,
                (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)p->lda, p->b, (int)p->ldb, beta, p->c,
                (int)p->ldc);
}

typedef struct {
    const lt_gemm_args *p;
    int64_t block_m, block_n, across; // block size; blocks side by side
    const int64_t *offset_a, *offset_b;
} job;

static void block(const job *j, const lt_gemm_args *p, int64_t index)
{
    int64_t i0 = index / j->across * j->block_m, j0 = index % j->across * j->block_n;
    lt_gemm_args part = *p;
    part.m = lt_min(j->block_m, p->m - i0);
    part.n = lt_min(j->block_n, p->n - j0);
    part.a += p->trans_a ? i0 : i0 * p->lda;
    part.b += p->trans_b ? j0 * p->ldb : j0;
    part.c += i0 * p->ldc + j0;
    if (part.bias)
        part.bias += j0;
    serial(&part);
}

static void piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++)
        block(j, j->p, i);
}

// Large blocks, so that packing an operand pays; yet several, so that the threads share evenly.
static int run(const lt_gemm_args *p)
{
    job j = {.p = p, .block_m = 256, .block_n = 512};
    if (p->m == 0 || p->n == 0)
        return LT_OK;
    j.block_m = lt_min(j.block_m, p->m);
    j.block_n = lt_min(j.block_n, p->n);
    for (;;) {
        int64_t down = (p->m + j.block_m - 1) / j.block_m;
        j.across = (p->n + j.block_n - 1) / j.block_n;
        if (down * j.across >= 8 || lt_max(j.block_m, j.block_n) < 64) {
            lt_parallel(down * j.across, 1, piece, &j);
            return LT_OK;
        }
        if (j.block_m >= j.block_n)
            j.block_m = (j.block_m + 1) / 2;
        else
            j.block_n = (j.block_n + 1) / 2;
    }
}

static void batch_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_gemm_args one = *j->p;
        one.a += j->offset_a[i];
        one.b += j->offset_b[i];
        one.c += i * one.m * one.ldc;
        serial(&one);
    }
}

static int batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    if (batch < 8 && p->m * p->n > 64 * 64) { // few and large: cut each
        for (int64_t i = 0; i < batch; i++) {
            lt_gemm_args one = *p;
            one.a += offset_a[i];
            one.b += offset_b[i];
            one.c += i * one.m * one.ldc;
            run(&one);
        }
        return LT_OK;
    }
    job j = {.p = p, .offset_a = offset_a, .offset_b = offset_b};
    int64_t work = p->m * p->n * p->k;
    lt_parallel(batch, work > 1 << 16 ? 1 : (1 << 16) / lt_max(work, 1), batch_piece, &j);
    return LT_OK;
}

const lt_gemm_kernels LT_NAME(lt_gemm) = {.run = run, .batched = batched, .serial = serial};
