// Cross entropy of rows of logits. With classes as targets, forward and backward are fused:
//   loss = log sum exp(x) - x[id]            dx = dy (softmax(x) - one_hot(id))
// Saved: x, ids, and log softmax(x). With distributions as targets, -sum t log softmax(x) is made of operations.
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "op/index.h"
#include "op/loss.h"
#include "op/loss_shared.h"
#include "op/softmax.h"

enum { PIECE = 1 << 14 };

typedef struct {
    lt_reduction reduction;
} settings;

typedef struct {
    int64_t classes;
    const float *y, *dy; // log softmax(x)
    const int32_t *ids;
    float *dx, scale;
    int64_t dy_step; // 0: one dy for all rows
} job;

static void backward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const int64_t n = j->classes;
    lt_k.pointwise->exp.forward((end - begin) * n, j->y + begin * n, j->dx + begin * n, NULL);
    lt_k.loss->of_classes_slope(end - begin, n, j->ids + begin, j->dy + begin * j->dy_step, j->dy_step, j->scale,
                                j->dx + begin * n);
}

static int backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const settings *set = node->attributes;
    lt_tensor *x = lt_saved(node, 0), *ids = lt_saved(node, 1), *y = lt_saved(node, 2);
    const int64_t classes = x->shape[x->ndim - 1], rows = ids->size;
    const float scale = set->reduction == LT_MEAN ? (float)(1.0 / (double)rows) : 1.0f;
    if (!lt_grad_mode()) {
        if (!(dx[0] = lt_tensor_like(x)))
            return LT_FAIL;
        job j = {classes, lt_f32(y), lt_f32(dy), lt_i32(ids), lt_f32(dx[0]), scale, set->reduction == LT_NO_REDUCTION};
        if (x->size)
            lt_parallel(rows, PIECE / classes + 1, backward_piece, &j);
        return LT_OK;
    }
    lt_scratch s = {0};
    int64_t shape[LT_MAX_DIM]; // dy with the classes' axis, of size 1
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = 1;
    lt_tensor *g = lt_then_scale(&s, dy, scale);
    if (set->reduction == LT_NO_REDUCTION)
        g = lt_then_view(&s, g, x->ndim, shape);
    lt_tensor *p = lt_keep(&s, lt_softmax(x, x->ndim - 1)), *one = lt_keep(&s, lt_one_hot(ids, classes));
    dx[0] = lt_finish(&s, lt_then(&s, lt_mul, lt_then(&s, lt_sub, p, one), g));
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *of_classes(lt_tensor *x, lt_tensor *ids, lt_reduction reduction)
{
    static const lt_op op = {"cross_entropy", backward};
    const int64_t classes = x->shape[x->ndim - 1];
    if (ids->ndim != x->ndim - 1 || memcmp(ids->shape, x->shape, (size_t)ids->ndim * sizeof *x->shape) != 0) {
        lt_fail_arg(2, "target: expected %s, got %s", lt_shape_text_of(x->ndim - 1, x->shape), lt_shape_text(ids));
        return NULL;
    }
    const int64_t bad = lt_k.index->outside(ids->size, lt_i32(ids), classes);
    if (bad < ids->size) {
        lt_fail_arg(2, "target: class %d at place %lld is outside 1..%lld", lt_i32(ids)[bad], (long long)bad + 1,
                    (long long)classes);
        return NULL;
    }
    const bool each = reduction == LT_NO_REDUCTION;
    lt_tensor *y = lt_tensor_like(x),
              *loss = each ? lt_tensor_new(LT_FLOAT32, ids->ndim, ids->shape) : lt_tensor_scalar(0);
    if (!y || !loss) {
        lt_release(y);
        lt_release(loss);
        return NULL;
    }
    if (x->size)
        lt_k.softmax->log_softmax(ids->size, classes, 1, lt_f32(x), lt_f32(y));
    const double sum = lt_k.loss->of_classes(ids->size, classes, lt_f32(y), lt_i32(ids), each ? lt_f32(loss) : NULL);
    if (!each)
        *lt_f32(loss) = (float)(reduction == LT_MEAN ? sum / (double)ids->size : sum);
    const settings set = {reduction};
    loss = lt_record(loss, &op, LT_LIST(x), LT_LIST(x, ids, y), &set, sizeof set);
    lt_release(y);
    return loss;
}

static lt_tensor *of_distributions(lt_tensor *x, lt_tensor *target, lt_reduction reduction)
{
    if (!lt_same_shape(x, target)) {
        lt_fail_arg(2, "target: expected %s, got %s", lt_shape_text(x), lt_shape_text(target));
        return NULL;
    }
    const int last = x->ndim - 1;
    lt_scratch s = {0};
    lt_tensor *product = lt_then(&s, lt_mul, lt_keep(&s, lt_log_softmax(x, last)), target);
    lt_tensor *sum = product ? lt_keep(&s, lt_sum(product, 1, &last, false)) : NULL;
    return lt_reduce_loss(lt_finish(&s, lt_then_scale(&s, sum, -1)), reduction);
}

lt_tensor *lt_cross_entropy(lt_tensor *logits, lt_tensor *target, lt_reduction reduction)
{
    if (lt_want_float(logits, 1, "logits") != LT_OK)
        return NULL;
    if (logits->ndim < 1 || logits->shape[logits->ndim - 1] == 0) {
        lt_fail_arg(1, "logits: expected (...,classes), got %s", lt_shape_text(logits));
        return NULL;
    }
    if (target->dtype == LT_UINT8) {
        lt_fail_arg(2, "target: expected int32 classes or float32 probabilities, got uint8; x:int() makes classes "
                       "of bytes");
        return NULL;
    }
    return target->dtype == LT_INT32 ? of_classes(logits, target, reduction)
                                     : of_distributions(logits, target, reduction);
}
