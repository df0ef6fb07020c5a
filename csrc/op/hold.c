// y = min(max(x, low), high), for numbers that are learned: a clamp has no slope outside, and what once got there would
// stay for good.
//
//   dx = dy, but 0 where a step along -dy would lead further out: x > high and dy < 0, or x < low and dy > 0   saved: x
#include "op/hold.h"

#include "base/threads.h"
#include "op/arith.h"

enum { GRAIN = 1 << 15 };

typedef struct {
    float low, high;
} settings;

typedef struct {
    const settings *set;
    const float *x, *dy;
    float *out;
} job;

static void clamp_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.pointwise->clamp.forward(end - begin, j->x + begin, j->out + begin, (float[]){j->set->low, j->set->high});
}

static void outward_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.pointwise->outward(end - begin, j->x + begin, j->dy + begin, j->set->low, j->set->high, j->out + begin);
}

static int hold_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_tensor *x = lt_saved(node, 0);
    lt_tensor *outward = lt_tensor_like(x), *zero = lt_tensor_scalar(0);
    if (outward && zero) {
        job j = {node->attributes, lt_f32(x), lt_f32(dy), lt_f32(outward)};
        lt_parallel(x->size, GRAIN, outward_piece, &j);
        dx[0] = lt_where(outward, zero, dy);
    }
    lt_release(outward);
    lt_release(zero);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_hold(lt_tensor *x, float low, float high)
{
    static const lt_op op = {"hold", hold_backward};
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_like(x);
    if (!y)
        return NULL;
    const settings set = {low, high};
    job j = {.set = &set, .x = lt_f32(x), .out = lt_f32(y)};
    lt_parallel(x->size, GRAIN, clamp_piece, &j);
    return lt_record(y, &op, LT_LIST(x), LT_LIST(x), &set, sizeof set);
}
