#include "optim/muon.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/threads.h"
#include "kernel/kernel.h"

enum { CHUNK = 256 }; // columns that are packed at a time

// One parameter as a matrix (rows, columns); gram is the smaller of its sides.
typedef struct {
    int64_t rows, columns, gram;
    float *p, *m;
    const float *g;
} matrix;

typedef struct {
    int n;
    matrix *matrix; // the dearest first, so that no thread is left with a large one at the end
    lt_muon set;
    float *scratch; // `room` floats for each thread
    int64_t room;
    atomic_int status;
} work;

// Floats of the square matrices and of what is packed; u and out come behind them.
static int64_t square_room(const matrix *x)
{
    const int64_t n = x->gram, k = x->columns < CHUNK ? x->columns : CHUNK;
    return 4 * n * n + lt_k.symmetric->room(n, k > n ? k : n);
}

static int64_t room_for(const matrix *x)
{
    return square_room(x) + 2 * x->rows * x->columns;
}

static int64_t cost(const matrix *x)
{
    return x->gram * (x->rows * x->columns + 8 * x->gram * x->gram);
}

static int dearest_first(const void *a, const void *b)
{
    const int64_t x = cost(a), y = cost(b);
    return (x < y) - (x > y);
}

// gram = scale u u', or scale u' u where u is tall
static int gram_of(const matrix *x, const float *u, float scale, float *packed, float *gram)
{
    const int64_t n = x->gram, ld = x->columns;
    if (x->rows > x->columns)
        return lt_k.gemm_float32->run(&(lt_gemm_args){.trans_a = true,
                                                      .m = n,
                                                      .n = n,
                                                      .k = x->rows,
                                                      .alpha = scale,
                                                      .a = u,
                                                      .b = u,
                                                      .c = gram,
                                                      .lda = ld,
                                                      .ldb = ld,
                                                      .ldc = n});
    for (int64_t at = 0; at < ld; at += CHUNK) {
        const int64_t k = ld - at < CHUNK ? ld - at : CHUNK;
        lt_k.symmetric->pack(n, k, u + at, ld, true, scale, packed);
        lt_k.symmetric->product(n, k, u + at, ld, packed, at > 0, gram);
    }
    return LT_OK;
}

// u (rows,columns) -> out = scale q u or scale u q, where q takes the singular values of u to about 1. Newton and
// Schulz step x -> (a + b x x' + c (x x')^2) x, `steps` times; but what stands before x is a polynomial of the first x
// x' alone, so that it is multiplied up in the small square matrices, and u takes part in two products only. The square
// matrices are symmetric and commute, and so are their products.
static int orthogonal(const matrix *x, const float *u, float norm, int steps, float *scratch, float scale, float *out)
{
    const float a = 3.4445f, b = -4.7750f, c = 2.0315f; // Jordan's: fast for small ones, ends between 0.7 and 1.2
    const lt_symmetric_kernels *k = lt_k.symmetric;
    const int64_t n = x->gram, square = n * n;
    const bool wide = x->rows <= x->columns;
    float *gram = scratch, *factor = gram + square, *q = factor + square, *spare = q + square, *packed = spare + square;
    if (gram_of(x, u, 1 / (norm * norm), packed, gram) != LT_OK)
        return LT_FAIL;
    for (int step = 1; step <= steps; step++) {
        lt_k.update->muon_factor(n, gram, a, b, factor); // factor = a I + b gram + c gram^2
        k->pack(n, n, gram, n, false, c, packed);
        k->product(n, n, gram, n, packed, 1, factor);
        if (step > 1 || step < steps)
            k->pack(n, n, factor, n, false, 1, packed);
        if (step < steps) { // gram = gram factor factor
            k->product(n, n, gram, n, packed, 0, spare);
            k->product(n, n, spare, n, packed, 0, gram);
        }
        float *before = q; // q = q factor, which is factor at first
        if (step > 1) {
            k->product(n, n, q, n, packed, 0, spare);
            q = spare, spare = before;
        } else {
            q = factor, factor = before;
        }
    }
    return lt_k.gemm_float32->run(&(lt_gemm_args){.m = x->rows,
                                                  .n = x->columns,
                                                  .k = n,
                                                  .alpha = scale / norm,
                                                  .a = wide ? q : u,
                                                  .b = wide ? u : q,
                                                  .c = out,
                                                  .lda = wide ? n : x->columns,
                                                  .ldb = wide ? x->columns : n,
                                                  .ldc = x->columns});
}

// Brings a u whose squares would leave the range of float to length 1; the length that it has then.
static float unit_scale(int64_t size, float *u, float norm)
{
    if ((norm > 1e-15f && norm < 1e15f) || norm != norm)
        return norm;
    const float scale = 1 / norm;
    lt_k.pointwise->mul_scalar.forward(size, u, u, &scale);
    return 1;
}

static int update(const matrix *x, const lt_muon *set, float *scratch)
{
    const int64_t size = x->rows * x->columns;
    float *u = scratch + square_room(x), *out = u + size;
    const float shrink = 1 - set->lr * set->weight_decay;
    lt_k.update->muon_direction(size, x->g, x->m, u, set->momentum, set->nesterov);
    const float norm = unit_scale(size, u, (float)sqrt(lt_k.reduce->dot(size, u, u)) + set->eps);
    const float scale = 0.2f * sqrtf((float)(x->rows > x->columns ? x->rows : x->columns));
    if (orthogonal(x, u, norm, set->steps, scratch, -set->lr * scale, out) != LT_OK)
        return LT_FAIL;
    lt_k.update->muon_apply(size, x->p, out, shrink);
    return LT_OK;
}

static void run_matrices(void *context, int64_t begin, int64_t end)
{
    work *w = context;
    for (int64_t i = begin; i < end; i++)
        if (update(&w->matrix[i], &w->set, w->scratch + lt_thread_index() * w->room) != LT_OK)
            atomic_store(&w->status, LT_FAIL);
}

static int run(work *w, lt_tensors params, lt_tensors momenta)
{
    w->n = 0, w->room = 0;
    for (int i = 0; i < params.n; i++) {
        lt_tensor *p = params.tensor[i], *g = lt_gradient_of(p);
        if (!g || p->size == 0)
            continue;
        const int64_t rows = p->shape[0], columns = p->size / rows;
        matrix *x = &w->matrix[w->n++];
        *x = (matrix){rows, columns, rows < columns ? rows : columns, lt_f32(p), lt_f32(momenta.tensor[i]), lt_f32(g)};
        if (room_for(x) > w->room)
            w->room = room_for(x);
        lt_touch(p);
        lt_touch(momenta.tensor[i]);
    }
    if (w->n == 0)
        return LT_OK;
    qsort(w->matrix, (size_t)w->n, sizeof *w->matrix, dearest_first);
    w->scratch = lt_alloc((size_t)w->room * (size_t)lt_threads() * sizeof *w->scratch);
    if (!w->scratch)
        return LT_FAIL;
    lt_parallel(w->n, 1, run_matrices, w);
    lt_free(w->scratch);
    return atomic_load(&w->status);
}

int lt_muon_update(lt_tensors params, lt_tensors momenta, lt_muon settings)
{
    work w = {.set = settings, .status = LT_OK};
    if (lt_check_update(params, momenta, "momenta", (lt_tensors){0, NULL}, "") != LT_OK)
        return LT_FAIL;
    for (int i = 0; i < params.n; i++)
        if (params.tensor[i]->ndim < 2)
            return lt_fail_arg(1, "params: item %d: expected 2 axes or more, got %s", i + 1,
                               lt_shape_text(params.tensor[i]));
    w.matrix = lt_alloc((size_t)params.n * sizeof *w.matrix);
    if (!w.matrix)
        return LT_FAIL;
    const int status = run(&w, params, momenta);
    lt_free(w.matrix);
    return status;
}
