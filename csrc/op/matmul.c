#include "op/matmul.h"

#include <string.h>

#include "kernel/kernel.h"
#include "op/reduce.h"
#include "op/shape.h"

typedef struct {
    bool trans_a, trans_b;
} turns;

// Sizes of one product: op(A) is m x k, op(B) k x n.
static int sizes(const lt_tensor *a, const lt_tensor *b, turns t, lt_gemm_args *p)
{
    if (lt_want_float(a, 1, "a") != LT_OK || lt_want_float(b, 2, "b") != LT_OK)
        return LT_FAIL;
    if (a->ndim < 2 || b->ndim < 2)
        return lt_fail_arg(a->ndim < 2 ? 1 : 2, "%s: expected a matrix or a batch of them, got %s",
                           a->ndim < 2 ? "a" : "b", lt_shape_text(a->ndim < 2 ? a : b));
    const int64_t *as = a->shape + a->ndim - 2, *bs = b->shape + b->ndim - 2;
    *p = (lt_gemm_args){.trans_a = t.trans_a,
                        .trans_b = t.trans_b,
                        .m = as[t.trans_a],
                        .k = as[!t.trans_a],
                        .n = bs[!t.trans_b],
                        .alpha = 1,
                        .a = lt_f32(a),
                        .b = lt_f32(b),
                        .lda = as[1],
                        .ldb = bs[1],
                        .ldc = bs[!t.trans_b]};
    if (bs[t.trans_b] != p->k)
        return lt_fail_arg(2, "b: expected %s to multiply %s, got %s",
                           t.trans_b ? lt_shape_text_of(2, (int64_t[]){p->n, p->k})
                                     : lt_shape_text_of(2, (int64_t[]){p->k, p->n}),
                           lt_shape_text(a), lt_shape_text(b));
    return LT_OK;
}

// The common leading axes, and the element at which each product finds its operands.
static int batch_shape(const lt_tensor *a, const lt_tensor *b, int64_t *shape, int *ndim)
{
    int na = a->ndim - 2, nb = b->ndim - 2;
    *ndim = na > nb ? na : nb;
    for (int i = 0; i < *ndim; i++) {
        int ia = i - (*ndim - na), ib = i - (*ndim - nb);
        int64_t sa = ia < 0 ? 1 : a->shape[ia], sb = ib < 0 ? 1 : b->shape[ib];
        if (sa != sb && sa != 1 && sb != 1)
            return lt_fail_arg(2, "b: leading axes of %s do not broadcast with those of %s", lt_shape_text(b),
                               lt_shape_text(a));
        shape[i] = sa == 1 ? sb : sa;
    }
    return LT_OK;
}

static void batch_offsets(const lt_tensor *t, int ndim, const int64_t *shape, int64_t batch, int64_t *offset)
{
    int own = t->ndim - 2;
    for (int64_t i = 0; i < batch; i++) {
        int64_t rest = i, at = 0, step = t->shape[own] * t->shape[own + 1];
        for (int axis = ndim - 1; axis >= 0; axis--) {
            int mine = axis - (ndim - own);
            if (mine >= 0) {
                at += t->shape[mine] == 1 ? 0 : rest % shape[axis] * step;
                step *= t->shape[mine];
            }
            rest /= shape[axis];
        }
        offset[i] = at;
    }
}

static int multiply(const lt_tensor *a, const lt_tensor *b, lt_gemm_args *p, lt_tensor *y)
{
    int64_t batch = y->size / (p->m * p->n);
    p->c = lt_f32(y);
    if (batch == 1)
        return lt_k.gemm->run(p);
    int64_t *offset = lt_alloc((size_t)batch * 2 * sizeof *offset);
    if (!offset)
        return LT_FAIL;
    batch_offsets(a, y->ndim - 2, y->shape, batch, offset);
    batch_offsets(b, y->ndim - 2, y->shape, batch, offset + batch);
    int status = lt_k.gemm->batched(p, batch, offset, offset + batch);
    lt_free(offset);
    return status;
}

// Takes a gradient of the full batch and gives it the shape of input i.
static lt_tensor *back_to(lt_node *node, int i, lt_tensor *full)
{
    lt_tensor *dx = full ? lt_sum_to(full, node->input[i]->ndim, node->input[i]->shape) : NULL;
    lt_release(full);
    return dx;
}

// Y = op(A) op(B)      d op(A) = dY op(B)', d op(B) = op(A)' dY; of a transposed operand, the transpose   saved: a, b
static int matmul_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const turns *t = node->attributes;
    lt_tensor *a = lt_saved(node, 0), *b = lt_saved(node, 1);
    if (lt_wants(node, 0)) {
        dx[0] = back_to(node, 0,
                        t->trans_a ? lt_matmul_transposed(b, dy, t->trans_b, true)
                                   : lt_matmul_transposed(dy, b, false, !t->trans_b));
        if (!dx[0])
            return LT_FAIL;
    }
    if (lt_wants(node, 1)) {
        dx[1] = back_to(node, 1,
                        t->trans_b ? lt_matmul_transposed(dy, a, true, t->trans_a)
                                   : lt_matmul_transposed(a, dy, !t->trans_a, false));
        if (!dx[1])
            return LT_FAIL;
    }
    return LT_OK;
}

lt_tensor *lt_matmul_transposed(lt_tensor *a, lt_tensor *b, bool trans_a, bool trans_b)
{
    static const lt_op op = {"matmul", matmul_backward};
    const turns t = {trans_a, trans_b};
    lt_gemm_args p;
    int64_t shape[LT_MAX_DIM];
    int ndim;
    if (sizes(a, b, t, &p) != LT_OK || batch_shape(a, b, shape, &ndim) != LT_OK)
        return NULL;
    shape[ndim] = p.m;
    shape[ndim + 1] = p.n;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim + 2, shape);
    if (y && y->size && multiply(a, b, &p, y) != LT_OK) {
        lt_release(y);
        return NULL;
    }
    return lt_record(y, &op, LT_LIST(a, b), LT_LIST(b->node ? a : NULL, a->node ? b : NULL), &t, sizeof t);
}

// x under a new shape; releases x. NULL stays NULL.
static lt_tensor *reshaped(lt_tensor *x, int ndim, const int64_t *shape)
{
    lt_tensor *y = x ? lt_view(x, ndim, shape) : NULL;
    lt_release(x);
    return y;
}

// A batch times one matrix is one tall product, and so is its weight gradient.
static lt_tensor *tall(lt_tensor *a, lt_tensor *b)
{
    int64_t shape[LT_MAX_DIM], columns = a->shape[a->ndim - 1];
    memcpy(shape, a->shape, sizeof shape);
    shape[a->ndim - 1] = b->shape[1];
    lt_tensor *rows = lt_view(a, 2, (int64_t[]){a->size / columns, columns});
    lt_tensor *y = rows ? lt_matmul_transposed(rows, b, false, false) : NULL;
    lt_release(rows);
    return reshaped(y, a->ndim, shape);
}

lt_tensor *lt_matmul(lt_tensor *a, lt_tensor *b)
{
    for (int i = 0; i < 2; i++) {
        const lt_tensor *t = i ? b : a;
        if (lt_want_float(t, i + 1, i ? "b" : "a") != LT_OK)
            return NULL;
        if (t->ndim == 0) {
            lt_fail_arg(i + 1, "%s: expected a vector, a matrix or a batch of matrices, got a scalar", i ? "b" : "a");
            return NULL;
        }
    }
    lt_tensor *left = a->ndim == 1 ? lt_view(a, 2, (int64_t[]){1, a->shape[0]}) : lt_retain(a);
    lt_tensor *right = b->ndim == 1 ? lt_view(b, 2, (int64_t[]){b->shape[0], 1}) : lt_retain(b);
    lt_tensor *y = NULL;
    if (left && right) {
        bool one_matrix =
            left->ndim > 2 && right->ndim == 2 && left->size > 0 && left->shape[left->ndim - 1] == right->shape[0];
        y = one_matrix ? tall(left, right) : lt_matmul_transposed(left, right, false, false);
    }
    lt_release(left);
    lt_release(right);
    if (y && (a->ndim == 1 || b->ndim == 1)) { // the axes that were added go away again
        int64_t shape[LT_MAX_DIM];
        int ndim = 0;
        for (int i = 0; i < y->ndim; i++)
            if (!(a->ndim == 1 && i == y->ndim - 2) && !(b->ndim == 1 && i == y->ndim - 1))
                shape[ndim++] = y->shape[i];
        y = reshaped(y, ndim, shape);
    }
    return y;
}
