// Functions of one tensor, element by element.
#include "base/threads.h"
#include "op/arith.h"

enum { GRAIN = 1 << 15 }; // floats a piece: large against a thread's wake-up, small against the cache

typedef struct {
    const lt_unary_kernel *f;
    float p[2];
} settings;

typedef struct {
    const settings *set;
    const float *s, *dy, *g; // grad and grad2 only
    float *out;
} job;

// y = f(x)                     saved: x, or y where f says so
static void forward_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    j->set->f->forward(end - begin, j->s + begin, j->out + begin, j->set->p);
}

// dx = dy * f'(x)              saved: s, dy
static void grad_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    j->set->f->grad(end - begin, j->s + begin, j->dy + begin, j->out + begin, j->set->p);
}

// ds = g * dy * d f'/ds        not recorded: third derivatives are refused
static void grad2_piece(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    j->set->f->grad2(end - begin, j->s + begin, j->dy + begin, j->g + begin, j->out + begin, j->set->p);
}

static lt_tensor *unary_grad(const settings *set, lt_tensor *s, lt_tensor *dy);

static int unary_grad_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    const settings *set = node->attributes;
    lt_tensor *s = lt_saved(node, 0), *dy = lt_saved(node, 1);
    if (lt_wants(node, 0) && set->f->grad2) {
        if (lt_grad_mode())
            return lt_fail("the third derivative of '%s' is not available", set->f->name);
        dx[0] = lt_tensor_like(s);
        if (!dx[0])
            return LT_FAIL;
        job j = {set, lt_f32(s), lt_f32(dy), lt_f32(g), lt_f32(dx[0])};
        lt_parallel(s->size, GRAIN, grad2_piece, &j);
    }
    if (lt_wants(node, 1) && !(dx[1] = unary_grad(set, s, g)))
        return LT_FAIL;
    return LT_OK;
}

static lt_tensor *unary_grad(const settings *set, lt_tensor *s, lt_tensor *dy)
{
    static const lt_op op = {"unary gradient", unary_grad_backward};
    lt_tensor *dx = lt_is_spare(dy) ? lt_retain(dy) : lt_tensor_like(dy);
    if (!dx)
        return NULL;
    job j = {set, lt_f32(s), lt_f32(dy), NULL, lt_f32(dx)};
    lt_parallel(dy->size, GRAIN, grad_piece, &j);
    return lt_record(dx, &op, LT_LIST(s, dy), LT_LIST(s, dy), set, sizeof *set);
}

static int unary_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = unary_grad(node->attributes, lt_saved(node, 0), dy);
    return dx[0] ? LT_OK : LT_FAIL;
}

lt_tensor *lt_unary_gradient(const lt_unary_kernel *f, lt_tensor *s, lt_tensor *dy, float p0, float p1)
{
    return unary_grad(&(settings){f, {p0, p1}}, s, dy);
}

static lt_tensor *forward(const settings *set, lt_tensor *x)
{
    lt_tensor *y = lt_tensor_like(x);
    if (!y)
        return NULL;
    job j = {.set = set, .s = lt_f32(x), .out = lt_f32(y)};
    lt_parallel(x->size, GRAIN, forward_piece, &j);
    return y;
}

static lt_tensor *recompute(lt_node *node)
{
    return forward(node->attributes, lt_saved(node, 0));
}

lt_tensor *lt_unary(const lt_unary_kernel *f, lt_tensor *x, float p0, float p1)
{
    static const lt_op op = {"unary", unary_backward};
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    const settings set = {f, {p0, p1}};
    lt_tensor *y = forward(&set, x);
    if (!f->grad)
        return y;
    y = lt_record(y, &op, LT_LIST(x), LT_LIST(f->saves_output ? y : x), &set, sizeof set);
    if (!f->saves_output)
        lt_recomputable(y, recompute);
    if (y && y->node)
        y->node->name = f->name;
    return y;
}

// y = x + v and y = x * v are linear: nothing is saved.
static int add_scalar_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_retain(dy);
    return LT_OK;
}

static int mul_scalar_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    dx[0] = lt_mul_scalar(dy, *(float *)node->attributes);
    return dx[0] ? LT_OK : LT_FAIL;
}

static lt_tensor *linear(const lt_unary_kernel *f, const lt_op *op, lt_tensor *x, float v)
{
    if (lt_want_float(x, 1, "x") != LT_OK)
        return NULL;
    lt_tensor *y = lt_tensor_like(x);
    if (!y)
        return NULL;
    settings set = {f, {v, 0}};
    job j = {.set = &set, .s = lt_f32(x), .out = lt_f32(y)};
    lt_parallel(x->size, GRAIN, forward_piece, &j);
    return lt_record(y, op, LT_LIST(x), LT_NONE, &v, sizeof v);
}

lt_tensor *lt_add_scalar(lt_tensor *x, float v)
{
    static const lt_op op = {"add", add_scalar_backward};
    return linear(&lt_k.pointwise->add_scalar, &op, x, v);
}

lt_tensor *lt_mul_scalar(lt_tensor *x, float v)
{
    static const lt_op op = {"mul", mul_scalar_backward};
    return linear(&lt_k.pointwise->mul_scalar, &op, x, v);
}

lt_tensor *lt_neg(lt_tensor *x)
{
    return lt_mul_scalar(x, -1);
}
