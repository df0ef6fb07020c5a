// Matrix products: C = alpha op(A) op(B) + beta C (+ bias), everything row-major.
#ifndef LT_KERNEL_GEMM_H
#define LT_KERNEL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

// op(A) is m x k, op(B) k x n, C m x n. A is stored m x k, or k x m when trans_a; B k x n, or n x k when trans_b;
// lda, ldb, ldc are the distances between stored rows. With beta = 0, C is not read. bias: n values added to each
// row of C, or NULL. Every size fits an int32.
typedef struct {
    bool trans_a, trans_b;
    int64_t m, n, k;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int64_t lda, ldb, ldc;
    const float *bias;
} lt_gemm_args;

// The i-th product of a batch (see `batched`).
static inline lt_gemm_args lt_gemm_of_batch(const lt_gemm_args *p, int64_t i, const int64_t *offset_a,
                                            const int64_t *offset_b)
{
    lt_gemm_args one = *p;
    one.a += offset_a[i];
    one.b += offset_b[i];
    one.c += i * one.m * one.ldc;
    return one;
}

typedef struct {
    // One product, cut over the threads by its sizes alone. LT_FAIL only when scratch memory is short.
    int (*run)(const lt_gemm_args *p);
    // `batch` products of one shape; product i works on a + offset_a[i], b + offset_b[i], c + i*m*ldc.
    int (*batched)(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b);
} lt_gemm_kernels;

#endif
