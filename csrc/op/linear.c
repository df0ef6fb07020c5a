#include "op/linear.h"

#include <string.h>

#include "kernel/kernel.h"
#include "op/matmul.h"
#include "op/reduce.h"
#include "op/shape.h"

static int check(const lt_tensor *x, const lt_tensor *weight, const lt_tensor *bias)
{
    if (lt_want_float(x, 1, "x") != LT_OK || lt_want_float(weight, 2, "weight") != LT_OK ||
        (bias && lt_want_float(bias, 3, "bias") != LT_OK))
        return LT_FAIL;
    if (x->ndim < 1)
        return lt_fail_arg(1, "x: expected (..,in), got a scalar");
    if (weight->ndim != 2 || weight->shape[1] != x->shape[x->ndim - 1])
        return lt_fail_arg(2, "weight: expected (out,%lld), got %s", (long long)x->shape[x->ndim - 1],
                           lt_shape_text(weight));
    if (bias && (bias->ndim != 1 || bias->shape[0] != weight->shape[0]))
        return lt_fail_arg(3, "bias: expected (%lld), got %s", (long long)weight->shape[0], lt_shape_text(bias));
    return LT_OK;
}

static int64_t rows_of(const lt_tensor *x)
{
    int64_t rows = 1;
    for (int i = 0; i < x->ndim - 1; i++)
        rows *= x->shape[i];
    return rows;
}

static lt_tensor *as_matrix(lt_tensor *x)
{
    return lt_view(x, 2, (int64_t[]){rows_of(x), x->shape[x->ndim - 1]});
}

// Y = X W' + b         dX = dY W, dW = dY' X, db = sum of dY's rows          saved: x, weight
static int linear_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_tensor *rows = as_matrix(dy);
    int status = rows ? LT_OK : LT_FAIL;
    if (status == LT_OK && lt_wants(node, 0)) {
        lt_tensor *flat = lt_matmul_transposed(rows, lt_saved(node, 1), false, false);
        dx[0] = flat ? lt_view(flat, node->input[0]->ndim, node->input[0]->shape) : NULL;
        lt_release(flat);
        status = dx[0] ? LT_OK : LT_FAIL;
    }
    if (status == LT_OK && lt_wants(node, 1)) {
        lt_tensor *x = lt_saved(node, 0), *from = x ? as_matrix(x) : NULL;
        dx[1] = from ? lt_matmul_transposed(rows, from, true, false) : NULL;
        lt_release(from);
        status = dx[1] ? LT_OK : LT_FAIL;
    }
    if (status == LT_OK && lt_wants(node, 2)) {
        dx[2] = lt_sum(rows, 1, (int[]){0}, false);
        status = dx[2] ? LT_OK : LT_FAIL;
    }
    lt_release(rows);
    return status;
}

lt_tensor *lt_linear(lt_tensor *x, lt_tensor *weight, lt_tensor *bias)
{
    static const lt_op op = {"linear", linear_backward};
    int64_t shape[LT_MAX_DIM];
    if (check(x, weight, bias) != LT_OK)
        return NULL;
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = weight->shape[0];
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, x->ndim, shape);
    lt_gemm_args p = {.trans_b = true,
                      .m = rows_of(x),
                      .n = weight->shape[0],
                      .k = weight->shape[1],
                      .alpha = 1,
                      .a = lt_f32(x),
                      .lda = weight->shape[1],
                      .b = lt_f32(weight),
                      .ldb = weight->shape[1],
                      .ldc = weight->shape[0],
                      .bias = bias ? lt_f32(bias) : NULL};
    if (y)
        p.c = lt_f32(y);
    if (y && lt_k.gemm->run(&p) != LT_OK) {
        lt_release(y);
        return NULL;
    }
    lt_tensor *inputs[] = {x, weight, bias};
    y = lt_record(y, &op, bias ? 3 : 2, inputs, LT_LIST(weight->node ? x : NULL, x->node ? weight : NULL), NULL, 0);
    lt_save_lightly(y, 0, weight->shape[0]);
    return y;
}
