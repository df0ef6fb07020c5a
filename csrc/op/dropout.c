// y = x / (1 - p) where a uniform number is below 1 - p, else 0. The random numbers come from one stream in order, so
// they do not depend on threads.
//
//   dx = dy / (1 - p) in the same places                                                    saved: which, a bit each
#include "op/dropout.h"

#include "base/threads.h"
#include "kernel/kernel.h"
#include "op/shape.h"

enum { GRAIN = 1 << 12 }; // bytes of the mask

typedef struct {
    int64_t n;
    const float *x;
    uint8_t *bits;
    float stay, scale, *y; // y holds uniform numbers at first
} job;

static int64_t count_of(const job *j, int64_t begin, int64_t end) // elements of some bytes
{
    return (8 * end < j->n ? 8 * end : j->n) - 8 * begin;
}

static void keep_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.pointwise->keep(count_of(j, begin, end), j->y + 8 * begin, j->stay, j->bits + begin);
}

static void kept_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    lt_k.pointwise->kept(count_of(j, begin, end), j->x + 8 * begin, j->bits + begin, j->scale, j->y + 8 * begin);
}

static lt_tensor *masked(lt_tensor *x, lt_tensor *bits, float scale, lt_tensor *y);

static int dropout_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = masked(dy, lt_saved(node, 0), *(const float *)node->attributes, lt_tensor_like(dy));
    return dx[0] ? LT_OK : LT_FAIL;
}

// Into y, which it takes over; NULL stays NULL.
static lt_tensor *masked(lt_tensor *x, lt_tensor *bits, float scale, lt_tensor *y)
{
    static const lt_op op = {"dropout", dropout_backward};
    if (!y)
        return NULL;
    job j = {.n = x->size, .x = lt_f32(x), .bits = lt_u8(bits), .scale = scale, .y = lt_f32(y)};
    lt_parallel(bits->size, GRAIN, kept_piece, &j);
    return lt_record(y, &op, LT_LIST(x), LT_LIST(bits), &scale, sizeof scale);
}

lt_tensor *lt_dropout(lt_tensor *x, double p, lt_random *random)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        lt_fail_arg(2, "p: expected a number in 0..1, got %g", p);
        return NULL;
    }
    if (p == 0)
        return lt_clone(x);
    const int64_t bytes = (x->size + 7) / 8;
    const float stay = (float)(1 - p);
    lt_tensor *y = lt_tensor_like(x), *bits = y ? lt_tensor_new(LT_UINT8, 1, &bytes) : NULL;
    if (!bits) {
        lt_release(y);
        return NULL;
    }
    lt_random_fill_uniform(random, lt_f32(y), y->size);
    job j = {.n = y->size, .bits = lt_u8(bits), .stay = stay, .y = lt_f32(y)};
    lt_parallel(bytes, GRAIN, keep_piece, &j);
    y = masked(x, bits, p < 1 ? 1 / stay : 0, y);
    lt_release(bits);
    return y;
}
