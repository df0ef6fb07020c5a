// The Frechet distance of Gaussians (Dowson & Landau 1982; of features of pictures: Heusel et al. 2017, arXiv
// 1706.08500). The root of an eigenvalue near zero would lift float32's noise of 1e-7 to 3e-4, hence double throughout.
//
// With S1 = V diag(w) V', S1 S2 has the eigenvalues of the symmetric M = diag(w)^(1/2) V' S2 V diag(w)^(1/2), so
// tr (S1 S2)^(1/2) is the sum of their roots.
#include "op/frechet.h"

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"

// From OpenBLAS, as in linalg.c. Columns come first there: row r of ours is column r of theirs.
void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t job_length, size_t uplo_length);
void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
            const int *lda, const double *beta, double *c, const int *ldc, size_t uplo_length, size_t trans_length);
void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha,
            const double *a, const int *lda, const double *b, const int *ldb, const double *beta, double *c,
            const int *ldc, size_t ta_length, size_t tb_length);

enum { MOST = 1 << 13, ROWS = 256 }; // MOST keeps LAPACK's work sizes within an int

static int check_set(const lt_tensor *x, int arg, const char *name)
{
    if (lt_want_float(x, arg, name) != LT_OK)
        return LT_FAIL;
    if (x->ndim != 2 || x->shape[0] < 2 || x->shape[1] < 1 || x->shape[1] > MOST)
        return lt_fail_arg(arg, "%s: expected (n,d) with n of at least 2 and d of 1 to %d, got %s", name, MOST,
                           lt_shape_text(x));
    return lt_k.moments->finite(x->size, lt_f32(x)) ? LT_OK
                                                    : lt_fail_arg(arg, "%s: its values are not all finite", name);
}

// The mean (d) and the covariance (d,d, both triangles), n - 1 in its denominator. `block` is (ROWS,d).
static void moments(const lt_tensor *x, double *mean, double *covariance, double *block)
{
    const int64_t n = x->shape[0], d = x->shape[1];
    const int size = (int)d;
    memset(mean, 0, (size_t)d * sizeof *mean);
    memset(covariance, 0, (size_t)(d * d) * sizeof *covariance);
    lt_k.moments->add_rows(n, d, lt_f32(x), mean);
    for (int64_t j = 0; j < d; j++)
        mean[j] /= (double)n;
    const double scale = 1.0 / (double)(n - 1), one = 1;
    for (int64_t first = 0; first < n; first += ROWS) {
        const int rows = (int)(n - first < ROWS ? n - first : ROWS);
        lt_k.moments->centre(rows, d, lt_f32(x) + first * d, mean, block);
        dsyrk_("U", "N", &size, &rows, &scale, block, &size, &one, covariance, &size, 1, 1);
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < i; j++)
            covariance[j * d + i] = covariance[i * d + j];
}

// Memory of one call, cut from a single block.
typedef struct {
    double *mean[2], *covariance[2], *product, *values, *work;
    int *iwork, lwork, liwork, d;
} scratch;

static void *allocate(scratch *s, int d)
{
    const size_t n = (size_t)d, square = n * n;
    const size_t work = 1 + 6 * n + 2 * square, rows = ROWS * n; // the blocks of moments use the same place
    s->d = d;
    s->lwork = (int)work;
    s->liwork = 3 + 5 * d;
    double *at =
        lt_alloc((3 * n + 3 * square + (work > rows ? work : rows)) * sizeof(double) + (size_t)s->liwork * sizeof(int));
    double *const all = at;
    if (!all)
        return NULL;
    s->mean[0] = at;
    s->mean[1] = at += n;
    s->values = at += n;
    s->covariance[0] = at += n;
    s->covariance[1] = at += square;
    s->product = at += square;
    s->work = at += square;
    s->iwork = (int *)(at + (work > rows ? work : rows));
    return all;
}

static int eigen(scratch *s, const char *job, double *a)
{
    int info = 0;
    dsyevd_(job, "U", &s->d, a, &s->d, s->values, s->work, &s->lwork, s->iwork, &s->liwork, &info, 1, 1);
    return info == 0 ? LT_OK : lt_fail("frechet: the iteration for eigenvalues did not converge");
}

static double trace(const double *a, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < d; i++)
        sum += a[i * d + i];
    return sum;
}

// tr (S1 S2)^(1/2); both covariances are overwritten.
static int trace_of_root(scratch *s, double *out)
{
    const int64_t d = s->d;
    const double one = 1, zero = 0;
    double *v = s->covariance[0], *m = s->covariance[1];
    if (eigen(s, "V", v) != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < d; i++) // rounding may leave a value just below zero
        for (int64_t j = 0; j < d; j++)
            v[i * d + j] *= sqrt(fmax(s->values[i], 0));
    dgemm_("T", "N", &s->d, &s->d, &s->d, &one, v, &s->d, m, &s->d, &zero, s->product, &s->d, 1, 1);
    dgemm_("N", "N", &s->d, &s->d, &s->d, &one, s->product, &s->d, v, &s->d, &zero, m, &s->d, 1, 1);
    if (eigen(s, "N", m) != LT_OK)
        return LT_FAIL;
    *out = 0;
    for (int64_t i = 0; i < d; i++)
        *out += sqrt(fmax(s->values[i], 0));
    return LT_OK;
}

int lt_frechet(const lt_tensor *a, const lt_tensor *b, double *distance)
{
    if (check_set(a, 1, "a") != LT_OK || check_set(b, 2, "b") != LT_OK)
        return LT_FAIL;
    const int64_t d = a->shape[1];
    if (b->shape[1] != d)
        return lt_fail_arg(2, "b: expected rows of %lld numbers as in a, got %s", (long long)d, lt_shape_text(b));
    scratch s;
    void *memory = allocate(&s, (int)d);
    if (!memory)
        return LT_FAIL;
    moments(a, s.mean[0], s.covariance[0], s.work);
    moments(b, s.mean[1], s.covariance[1], s.work);
    double sum = trace(s.covariance[0], d) + trace(s.covariance[1], d), root = 0;
    for (int64_t j = 0; j < d; j++)
        sum += (s.mean[0][j] - s.mean[1][j]) * (s.mean[0][j] - s.mean[1][j]);
    const int status = trace_of_root(&s, &root);
    *distance = fmax(sum - 2 * root, 0);
    lt_free(memory);
    return status;
}
