// LAPACK counts columns first, so it sees the transpose of our rows. Determinants do not mind, the inverse of the
// transpose is the transpose of the inverse, and solving asks for the transposed system.
#include "op/linalg.h"

#include <math.h>
#include <string.h>

#include "op/arith.h"
#include "op/matmul.h"
#include "op/shape.h"

// OpenBLAS carries LAPACK's Fortran symbols; Debian ships no header for them.
void sgetrf_(const int *m, const int *n, float *a, const int *lda, int *pivots, int *info);
void sgetri_(const int *n, float *a, const int *lda, const int *pivots, float *work, const int *lwork, int *info);
void sgetrs_(const char *trans, const int *n, const int *nrhs, const float *a, const int *lda, const int *pivots,
             float *b, const int *ldb, int *info, size_t trans_length);
void ssyevd_(const char *job, const char *uplo, const int *n, float *a, const int *lda, float *w, float *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t job_length, size_t uplo_length);
void sgeqrf_(const int *m, const int *n, float *a, const int *lda, float *tau, float *work, const int *lwork,
             int *info);
void sorgqr_(const int *m, const int *n, const int *k, float *a, const int *lda, const float *tau, float *work,
             const int *lwork, int *info);

enum { MOST = 1 << 14 }; // rows; keeps every LAPACK work size within an int

static int check_square(const lt_tensor *a)
{
    if (lt_want_float(a, 1, "a") != LT_OK)
        return LT_FAIL;
    if (a->ndim != 2 || a->shape[0] != a->shape[1] || a->shape[0] == 0 || a->shape[0] > MOST)
        return lt_fail_arg(1, "a: expected a square matrix of 1 to %d rows, got %s", MOST, lt_shape_text(a));
    for (int64_t i = 0; i < a->size; i++)
        if (!isfinite(lt_f32(a)[i]))
            return lt_fail_arg(1, "a: its values are not all finite");
    return LT_OK;
}

static lt_tensor *transpose(lt_tensor *x)
{
    static const int swapped[] = {1, 0};
    return lt_permute(x, swapped);
}

static lt_tensor *copy(const lt_tensor *a)
{
    lt_tensor *y = lt_tensor_like(a);
    if (y)
        memcpy(y->data, a->data, (size_t)a->size * sizeof(float));
    return y;
}

// The LU factors of A's transpose in its place, and the pivots. *info > 0: singular.
typedef struct {
    lt_tensor *lu;
    int *pivots, info;
} factors;

static int factorise(const lt_tensor *a, factors *f)
{
    int n = (int)a->shape[0];
    *f = (factors){copy(a), lt_alloc((size_t)n * sizeof(int)), 0};
    if (f->lu && f->pivots) {
        sgetrf_(&n, &n, lt_f32(f->lu), &n, f->pivots, &f->info);
        return LT_OK;
    }
    lt_release(f->lu);
    lt_free(f->pivots);
    return LT_FAIL;
}

static void drop(factors *f)
{
    lt_release(f->lu);
    lt_free(f->pivots);
}

// ---- y = log |det A|                            dA = dy A^-T                              saved: A
static int logabsdet_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *inverse = lt_inverse(lt_saved(node, 0)), *turned = inverse ? transpose(inverse) : NULL;
    dx[0] = turned ? lt_mul(turned, dy) : NULL;
    lt_release(inverse);
    lt_release(turned);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_logabsdet(lt_tensor *a, float *sign)
{
    static const lt_op op = {"logdet", logabsdet_backward};
    factors f;
    if (check_square(a) != LT_OK || factorise(a, &f) != LT_OK)
        return NULL;
    int64_t n = a->shape[0];
    double sum = 0;
    float s = 1;
    for (int64_t i = 0; i < n; i++) {
        float d = lt_f32(f.lu)[i * n + i];
        sum += log(fabs((double)d));
        s *= (d > 0 ? 1.0f : d < 0 ? -1.0f : 0.0f) * (f.pivots[i] == (int)i + 1 ? 1.0f : -1.0f);
    }
    drop(&f);
    if (sign)
        *sign = s;
    return lt_record(lt_tensor_scalar((float)sum), &op, LT_LIST(a), LT_LIST(a), NULL, 0);
}

// ---- Y = A^-1                                   dA = -Y^T dY Y^T                          saved: Y
static int inverse_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *turned = transpose(lt_saved(node, 0)), *left = turned ? lt_matmul(turned, dy) : NULL,
              *both = left ? lt_matmul(left, turned) : NULL;
    dx[0] = both ? lt_neg(both) : NULL;
    lt_release(turned);
    lt_release(left);
    lt_release(both);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_inverse(lt_tensor *a)
{
    static const lt_op op = {"inverse", inverse_backward};
    factors f;
    if (check_square(a) != LT_OK || factorise(a, &f) != LT_OK)
        return NULL;
    int n = (int)a->shape[0], work_size = n * 64;
    float *work = lt_alloc((size_t)work_size * sizeof *work);
    lt_tensor *y = NULL;
    if (f.info > 0)
        lt_fail_arg(1, "a: the matrix is singular");
    else if (work) {
        sgetri_(&n, lt_f32(f.lu), &n, f.pivots, work, &work_size, &f.info);
        y = lt_retain(f.lu);
    }
    lt_free(work);
    drop(&f);
    return lt_record(y, &op, LT_LIST(a), LT_LIST(y), NULL, 0);
}

// ---- A X = B                                    dB = A^-T dX, dA = -dB X^T                saved: A, X
static int solve_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *x = lt_saved(node, 1), *turned = transpose(lt_saved(node, 0)),
              *db = turned ? lt_solve(turned, dy) : NULL;
    lt_release(turned);
    if (!db)
        return LT_FAIL;
    if (lt_wants(node, 0)) {
        lt_tensor *xt = transpose(x), *p = xt ? lt_matmul(db, xt) : NULL;
        dx[0] = p ? lt_neg(p) : NULL;
        lt_release(xt);
        lt_release(p);
    }
    if (lt_wants(node, 1))
        dx[1] = lt_retain(db);
    lt_release(db);
    return lt_wants(node, 0) && !dx[0] ? LT_FAIL : LT_OK;
}

static lt_tensor *solve_matrix(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"solve", solve_backward};
    factors f;
    if (factorise(a, &f) != LT_OK)
        return NULL;
    int n = (int)a->shape[0], m = (int)b->shape[1];
    int64_t turned_shape[] = {m, n};
    lt_tensor *columns = NULL, *y = NULL;
    if (f.info > 0)
        lt_fail_arg(1, "a: the matrix is singular");
    else if ((columns = lt_tensor_new(LT_FLOAT32, 2, turned_shape)) && (y = lt_tensor_like(b))) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++)
                lt_f32(columns)[j * n + i] = lt_f32(b)[i * m + j];
        sgetrs_("T", &n, &m, lt_f32(f.lu), &n, f.pivots, lt_f32(columns), &n, &f.info, 1);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++)
                lt_f32(y)[i * m + j] = lt_f32(columns)[j * n + i];
    }
    lt_release(columns);
    drop(&f);
    return lt_record(y, &op, LT_LIST(a, b), LT_LIST(a, y), NULL, 0);
}

lt_tensor *lt_solve(lt_tensor *a, lt_tensor *b)
{
    if (check_square(a) != LT_OK || lt_want_float(b, 2, "b") != LT_OK)
        return NULL;
    if (b->ndim < 1 || b->ndim > 2 || b->shape[0] != a->shape[0] || (b->ndim == 2 && b->shape[1] > MOST)) {
        lt_fail_arg(2, "b: shape (%lld) or (%lld,m) expected, got %s", (long long)a->shape[0], (long long)a->shape[0],
                    lt_shape_text(b));
        return NULL;
    }
    if (b->ndim == 2)
        return solve_matrix(a, b);
    int64_t column[] = {b->shape[0], 1};
    lt_tensor *flat = lt_view(b, 2, column), *x = flat ? solve_matrix(a, flat) : NULL,
              *y = x ? lt_view(x, 1, column) : NULL;
    lt_release(flat);
    lt_release(x);
    return y;
}

// ---- A = P L U, from the factors of A itself (its columns turned for LAPACK)
int lt_lu(lt_tensor *a, lt_tensor **p, lt_tensor **l, lt_tensor **u)
{
    if (check_square(a) != LT_OK)
        return LT_FAIL;
    bool old = lt_grad_mode_set(false);
    lt_tensor *turned = transpose(a);
    factors f;
    int status = turned ? factorise(turned, &f) : LT_FAIL;
    lt_grad_mode_set(old);
    lt_release(turned);
    if (status != LT_OK)
        return LT_FAIL;
    int64_t n = a->shape[0];
    *p = lt_tensor_zeros(LT_FLOAT32, 2, a->shape);
    *l = lt_tensor_zeros(LT_FLOAT32, 2, a->shape);
    *u = lt_tensor_zeros(LT_FLOAT32, 2, a->shape);
    int *row = lt_alloc((size_t)n * sizeof *row); // row[i]: which row of A is row i of P^T A
    bool made = *p && *l && *u && row;
    for (int64_t i = 0; made && i < n; i++)
        row[i] = (int)i;
    for (int64_t i = 0; made && i < n; i++) {
        int other = f.pivots[i] - 1, swap = row[i];
        row[i] = row[other];
        row[other] = swap;
    }
    for (int64_t i = 0; made && i < n; i++) {
        lt_f32(*p)[row[i] * n + i] = 1;
        for (int64_t j = 0; j < n; j++) {
            float v = lt_f32(f.lu)[j * n + i];
            lt_f32(*l)[i * n + j] = j < i ? v : j == i;
            lt_f32(*u)[i * n + j] = j >= i ? v : 0;
        }
    }
    lt_free(row);
    drop(&f);
    if (made)
        return LT_OK;
    lt_release(*p);
    lt_release(*l);
    lt_release(*u);
    return LT_FAIL;
}

// ---- A v = lambda v for a symmetric A
int lt_eigh(lt_tensor *a, lt_tensor **values, lt_tensor **vectors)
{
    if (check_square(a) != LT_OK)
        return LT_FAIL;
    int n = (int)a->shape[0], lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n, info = 0;
    int64_t length = n;
    float *work = lt_alloc((size_t)lwork * sizeof *work);
    int *iwork = lt_alloc((size_t)liwork * sizeof *iwork);
    lt_tensor *v = copy(a);
    *values = lt_tensor_new(LT_FLOAT32, 1, &length);
    *vectors = lt_tensor_like(a);
    bool made = work && iwork && v && *values && *vectors;
    if (made)
        ssyevd_("V", "U", &n, lt_f32(v), &n, lt_f32(*values), work, &lwork, iwork, &liwork, &info, 1, 1);
    for (int64_t i = 0; made && i < n; i++) // LAPACK's columns are our rows
        for (int64_t j = 0; j < n; j++)
            lt_f32(*vectors)[i * n + j] = lt_f32(v)[j * n + i];
    lt_free(work);
    lt_free(iwork);
    lt_release(v);
    if (made && info == 0)
        return LT_OK;
    lt_release(*values);
    lt_release(*vectors);
    return made ? lt_fail("eigh: the iteration did not converge") : LT_FAIL;
}

static void split_qr(const lt_tensor *packed, lt_tensor *r, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < r->shape[0]; i++)
        for (int64_t j = 0; j < n; j++)
            lt_f32(r)[i * n + j] = j >= i ? lt_f32(packed)[j * m + i] : 0;
}

// ---- A = Q R
int lt_qr(lt_tensor *a, lt_tensor **q, lt_tensor **r)
{
    if (lt_want_float(a, 1, "a") != LT_OK)
        return LT_FAIL;
    if (a->ndim != 2 || a->size == 0 || a->shape[0] > MOST || a->shape[1] > MOST)
        return lt_fail_arg(1, "a: expected a matrix of 1 to %d rows and columns, got %s", MOST, lt_shape_text(a));
    int m = (int)a->shape[0], n = (int)a->shape[1], k = m < n ? m : n, lwork = 64 * (m + n), info = 0;
    int64_t q_shape[] = {m, k}, r_shape[] = {k, n};
    bool old = lt_grad_mode_set(false);
    lt_tensor *packed = transpose(a); // (n,m) here is (m,n) to LAPACK
    lt_grad_mode_set(old);
    float *tau = lt_alloc((size_t)k * sizeof *tau), *work = lt_alloc((size_t)lwork * sizeof *work);
    *q = lt_tensor_new(LT_FLOAT32, 2, q_shape);
    *r = lt_tensor_new(LT_FLOAT32, 2, r_shape);
    bool made = packed && tau && work && *q && *r;
    if (made) {
        sgeqrf_(&m, &n, lt_f32(packed), &m, tau, work, &lwork, &info);
        split_qr(packed, *r, m, n);
        sorgqr_(&m, &k, &k, lt_f32(packed), &m, tau, work, &lwork, &info);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < k; j++)
                lt_f32(*q)[i * k + j] = lt_f32(packed)[j * m + i];
    }
    lt_release(packed);
    lt_free(tau);
    lt_free(work);
    if (made)
        return LT_OK;
    lt_release(*q);
    lt_release(*r);
    return LT_FAIL;
}
