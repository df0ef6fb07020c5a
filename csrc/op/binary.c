// Functions of two tensors with broadcasting. Each gradient is computed on the common shape and summed back to its
// input's shape by lt_sum_to.
#include <string.h>

#include "base/threads.h"
#include "op/arith.h"
#include "op/broadcast.h"
#include "op/compose.h"
#include "op/reduce.h"
#include "op/shape.h"

enum { GRAIN = 1 << 15 };

typedef struct {
    lt_broadcast plan;
    lt_binary_kernel f;
    const float *a, *b;
    float *y;
} job;

static void run_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    int last = j->plan.ndim - 1;
    int64_t n = j->plan.size[last], as = j->plan.step[0][last], bs = j->plan.step[1][last], at[LT_OPERANDS];
    for (int64_t i = begin; i < end; i++) {
        lt_broadcast_at(&j->plan, i, at);
        j->f(n, j->a + at[0], as, j->b + at[1], bs, j->y + i * n);
    }
}

static void flat_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    int64_t as = j->plan.step[0][0], bs = j->plan.step[1][0];
    j->f(end - begin, j->a + begin * as, as, j->b + begin * bs, bs, j->y + begin);
}

// Rows of one operand against the same row of the other: short rows are laid side by side in a tile, so that the
// kernel sees long ones.
enum { TILE = 1024 };

static bool repeats(const lt_broadcast *p, int k) // operand k gives the same row to all places of the axis before
{
    return p->step[k][p->ndim - 1] == 1 && p->step[k][p->ndim - 2] == 0;
}

static bool goes_on(const lt_broadcast *p, int k) // operand k is contiguous over the last two axes
{
    return p->step[k][p->ndim - 1] == 1 && p->step[k][p->ndim - 2] == p->size[p->ndim - 1];
}

static void tiled_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    const lt_broadcast *p = &j->plan;
    const int64_t n = p->size[p->ndim - 1], axis = p->size[p->ndim - 2];
    const bool turned = repeats(p, 0);
    float tile[TILE];
    for (int64_t i = begin; i < end;) {
        int64_t at[LT_OPERANDS], left = axis - i % axis < end - i ? axis - i % axis : end - i;
        const int64_t k = TILE / n < left ? TILE / n : left;
        lt_broadcast_at(p, i, at);
        const float *row = turned ? j->a + at[0] : j->b + at[1], *full = turned ? j->b + at[1] : j->a + at[0];
        lt_k.copy->repeat(k, n, row, tile);
        for (int64_t m; left > 0; left -= m, i += m, full += m * n) {
            m = k < left ? k : left;
            j->f(m * n, turned ? tile : full, 1, turned ? full : tile, 1, j->y + i * n);
        }
    }
}

static void compute(job *j)
{
    const lt_broadcast *p = &j->plan;
    const int64_t n = p->size[p->ndim - 1];
    if (p->ndim == 1) {
        lt_parallel(n, GRAIN, flat_piece, j);
        return;
    }
    const bool tiled = n <= TILE / 4 && ((repeats(p, 0) && goes_on(p, 1)) || (repeats(p, 1) && goes_on(p, 0)));
    lt_parallel(lt_broadcast_runs(p), GRAIN / (n < GRAIN ? n + 1 : GRAIN) + 1, tiled ? tiled_piece : run_piece, j);
}

static lt_tensor *binary(lt_binary_kernel f, lt_tensor *a, lt_tensor *b)
{
    lt_tensor *x[] = {a, b};
    int64_t shape[LT_MAX_DIM];
    int ndim;
    if (lt_want_float(a, 1, "a") != LT_OK || lt_want_float(b, 2, "b") != LT_OK ||
        lt_broadcast_shape(2, x, shape, &ndim) != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, ndim, shape);
    if (!y || y->size == 0)
        return y;
    job j = {lt_broadcast_plan(2, x, ndim, shape), f, lt_f32(a), lt_f32(b), lt_f32(y)};
    compute(&j);
    return y;
}

// Takes `full`, a gradient on the common shape, and gives it the shape of input i. NULL stays NULL.
static lt_tensor *back_to(lt_node *node, int i, lt_tensor *full)
{
    if (!full)
        return NULL;
    lt_tensor *dx = lt_sum_to(full, node->input[i]->ndim, node->input[i]->shape);
    lt_release(full);
    return dx;
}

// The two gradients as fresh tensors on the common shape; either may be asked for alone, or be there already.
typedef lt_tensor *(*gradient)(lt_node *node, lt_tensor *dy);

static int both(lt_node *node, lt_tensor *dy, lt_tensor **dx, gradient da, gradient db)
{
    if (lt_wants(node, 0) && !dx[0] && !(dx[0] = back_to(node, 0, da(node, dy))))
        return LT_FAIL;
    if (lt_wants(node, 1) && !dx[1] && !(dx[1] = back_to(node, 1, db(node, dy))))
        return LT_FAIL;
    return LT_OK;
}

static lt_tensor *same(lt_node *node, lt_tensor *dy)
{
    return lt_retain(dy);
}

static lt_tensor *negative(lt_node *node, lt_tensor *dy)
{
    return lt_neg(dy);
}

// y = a + b          da = dy, db = dy                     saved: nothing
static int add_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, same, same);
}

lt_tensor *lt_add(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"add", add_backward};
    return lt_record(binary(lt_k.pointwise->add, a, b), &op, LT_LIST(a, b), LT_NONE, NULL, 0);
}

// y = a - b          da = dy, db = -dy                    saved: nothing
static int sub_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, same, negative);
}

lt_tensor *lt_sub(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"sub", sub_backward};
    return lt_record(binary(lt_k.pointwise->sub, a, b), &op, LT_LIST(a, b), LT_NONE, NULL, 0);
}

// y = a b            da = dy b, db = dy a                 saved: what the other's gradient needs
static lt_tensor *mul_da(lt_node *node, lt_tensor *dy)
{
    return lt_mul(dy, lt_saved(node, 1));
}

static lt_tensor *mul_db(lt_node *node, lt_tensor *dy)
{
    return lt_mul(dy, lt_saved(node, 0));
}

static int mul_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    for (int i = 0; i < 2 && !lt_grad_mode(); i++) { // a stretched operand: product and sum in one pass
        const lt_node *in = node->input[i];
        lt_tensor *other = lt_wants(node, i) ? lt_saved(node, 1 - i) : NULL;
        if (!other || !lt_same_shape(other, dy) || lt_sizes_product(in->shape, 0, in->ndim) == dy->size)
            continue;
        if (!(dx[i] = lt_sum_products_to(dy, other, in->ndim, in->shape)))
            return LT_FAIL;
    }
    return both(node, dy, dx, mul_da, mul_db);
}

lt_tensor *lt_mul(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"mul", mul_backward};
    return lt_record(binary(lt_k.pointwise->mul, a, b), &op, LT_LIST(a, b),
                     LT_LIST(b->node ? a : NULL, a->node ? b : NULL), NULL, 0);
}

// y = a / b          da = dy / b, db = -dy a / b^2        saved: a, b
static lt_tensor *div_da(lt_node *node, lt_tensor *dy)
{
    return lt_div(dy, lt_saved(node, 1));
}

static lt_tensor *div_db(lt_node *node, lt_tensor *dy)
{
    lt_tensor *a = lt_saved(node, 0), *b = lt_saved(node, 1);
    lt_scratch s = {0};
    lt_tensor *q = lt_then(&s, lt_div, lt_then(&s, lt_div, a, b), b);
    return lt_finish(&s, lt_then_scale(&s, lt_then(&s, lt_mul, q, dy), -1));
}

static int div_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, div_da, div_db);
}

lt_tensor *lt_div(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"div", div_backward};
    return lt_record(binary(lt_k.pointwise->div, a, b), &op, LT_LIST(a, b), LT_LIST(b->node ? a : NULL, b), NULL, 0);
}

static lt_tensor *is_zero(lt_scratch *s, lt_tensor *a)
{
    return lt_then(s, lt_eq, a, lt_keep(s, lt_tensor_scalar(0)));
}

static lt_tensor *one_where(lt_scratch *s, lt_tensor *condition, lt_tensor *otherwise)
{
    lt_tensor *one = lt_keep(s, lt_tensor_scalar(1));
    return condition && one && otherwise ? lt_keep(s, lt_where(condition, one, otherwise)) : NULL;
}

// y = a ^ b          da = dy b a^(b-1), db = dy a^b log a  saved: a, b
//
// As in PyTorch: da = 0 where b = 0 (a = 0 too: 0^0 = 1 is flat in a), db = 0 where a = 0 and b >= 0.
static lt_tensor *pow_da(lt_node *node, lt_tensor *dy)
{
    lt_tensor *a = lt_saved(node, 0), *b = lt_saved(node, 1);
    lt_scratch s = {0};
    lt_tensor *both_zero = lt_then(&s, lt_mul, is_zero(&s, a), is_zero(&s, b));
    lt_tensor *p = lt_then(&s, lt_pow, a, one_where(&s, both_zero, lt_then_shift(&s, b, -1)));
    return lt_finish(&s, lt_then(&s, lt_mul, lt_then(&s, lt_mul, p, b), dy));
}

static lt_tensor *pow_db(lt_node *node, lt_tensor *dy)
{
    lt_tensor *a = lt_saved(node, 0), *b = lt_saved(node, 1);
    lt_scratch s = {0};
    lt_tensor *from_zero = lt_then(&s, lt_ge, b, lt_keep(&s, lt_tensor_scalar(0)));
    lt_tensor *flat = lt_then(&s, lt_mul, is_zero(&s, a), from_zero);
    lt_tensor *log = lt_then_unary(&s, &lt_k.pointwise->log, one_where(&s, flat, a), 0, 0);
    return lt_finish(&s, lt_then(&s, lt_mul, lt_then(&s, lt_mul, lt_then(&s, lt_pow, a, b), log), dy));
}

static int pow_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, pow_da, pow_db);
}

lt_tensor *lt_pow(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"pow", pow_backward};
    return lt_record(binary(lt_k.pointwise->power, a, b), &op, LT_LIST(a, b), LT_LIST(a, b), NULL, 0);
}

// y = max(a, b)      da = dy [a > b] + dy/2 [a = b]        saved: a, b;  db and min alike with the order turned
static lt_tensor *share(lt_tensor *dy, lt_tensor *greater, lt_tensor *smaller)
{
    lt_scratch s = {0};
    lt_tensor *more = lt_then(&s, lt_gt, greater, smaller), *ties = lt_then(&s, lt_eq, greater, smaller);
    lt_tensor *half = lt_then_scale(&s, dy, 0.5f), *zero = lt_keep(&s, lt_tensor_scalar(0));
    lt_tensor *rest = ties && half && zero ? lt_keep(&s, lt_where(ties, half, zero)) : NULL;
    return lt_finish(&s, more && rest ? lt_keep(&s, lt_where(more, dy, rest)) : NULL);
}

static lt_tensor *first_greater(lt_node *node, lt_tensor *dy)
{
    return share(dy, lt_saved(node, 0), lt_saved(node, 1));
}

static lt_tensor *second_greater(lt_node *node, lt_tensor *dy)
{
    return share(dy, lt_saved(node, 1), lt_saved(node, 0));
}

static int maximum_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, first_greater, second_greater);
}

lt_tensor *lt_maximum(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"maximum", maximum_backward};
    return lt_record(binary(lt_k.pointwise->maximum, a, b), &op, LT_LIST(a, b), LT_LIST(a, b), NULL, 0);
}

static int minimum_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return both(node, dy, dx, second_greater, first_greater);
}

lt_tensor *lt_minimum(lt_tensor *a, lt_tensor *b)
{
    static const lt_op op = {"minimum", minimum_backward};
    return lt_record(binary(lt_k.pointwise->minimum, a, b), &op, LT_LIST(a, b), LT_LIST(a, b), NULL, 0);
}

#define COMPARISON(name)                                                                                               \
    lt_tensor *lt_##name(lt_tensor *a, lt_tensor *b)                                                                   \
    {                                                                                                                  \
        return binary(lt_k.pointwise->name, a, b);                                                                     \
    }
COMPARISON(eq)
COMPARISON(ne)
COMPARISON(lt)
COMPARISON(le)
COMPARISON(gt)
COMPARISON(ge)

static int in_place(lt_tensor *t, lt_tensor *u, lt_binary_kernel f)
{
    lt_tensor *x[] = {t, u};
    int64_t shape[LT_MAX_DIM];
    int ndim;
    if (lt_want_float(t, 1, "self") != LT_OK || lt_want_float(u, 2, "other") != LT_OK || lt_may_edit(t, 1) != LT_OK ||
        lt_broadcast_shape(2, x, shape, &ndim) != LT_OK)
        return LT_FAIL;
    if (ndim != t->ndim || memcmp(shape, t->shape, (size_t)ndim * sizeof *shape) != 0)
        return lt_fail_arg(2, "other: %s does not broadcast to %s", lt_shape_text(u), lt_shape_text(t));
    bool overlap = t->storage == u->storage && (t->data != u->data || t->size != u->size);
    if (overlap && !(x[1] = lt_clone(u))) // written while it is read
        return LT_FAIL;
    if (t->size) {
        job j = {lt_broadcast_plan(2, x, ndim, shape), f, lt_f32(t), lt_f32(x[1]), lt_f32(t)};
        compute(&j);
        lt_touch(t);
    }
    if (overlap)
        lt_release(x[1]);
    return LT_OK;
}

int lt_add_in_place(lt_tensor *t, lt_tensor *u, float alpha)
{
    if (alpha == 1)
        return in_place(t, u, lt_k.pointwise->add);
    if (lt_want_float(u, 2, "other") != LT_OK)
        return LT_FAIL;
    bool old = lt_grad_mode_set(false);
    lt_tensor *scaled = lt_mul_scalar(u, alpha);
    lt_grad_mode_set(old);
    int status = scaled ? in_place(t, scaled, lt_k.pointwise->add) : LT_FAIL;
    lt_release(scaled);
    return status;
}

int lt_mul_in_place(lt_tensor *t, lt_tensor *u)
{
    return in_place(t, u, lt_k.pointwise->mul);
}
