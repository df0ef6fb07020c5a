// Convolution is bilinear in picture and weight, so three operations are closed under differentiation:
//   forward          y  = x * w
//   input gradient   dx = the adjoint in x, applied to dy        (a transposed convolution, read as a layer)
//   weight gradient  dw = the adjoint in w, applied to dy
// The gradients of each are the other two. All three carry the same lt_conv_shape, that of the forward one.
#include "op/conv.h"

#include "kernel/kernel.h"
#include "op/reduce.h"

// The inputs of a convolution beyond x and w, each NULL or given (see lt_conv_terms).
typedef struct {
    lt_tensor *bias, *shift, *add;
} terms;

static lt_tensor *apply(const lt_conv_shape *s, lt_tensor *x, lt_tensor *w, const terms *t);
static lt_tensor *input_gradient(const lt_conv_shape *s, lt_tensor *dy, lt_tensor *w, lt_tensor *bias);
static lt_tensor *weight_gradient(const lt_conv_shape *s, lt_tensor *x, lt_tensor *dy);

static lt_tensor *sum_of_pixels(lt_tensor *dy)
{
    return lt_sum(dy, 3, (int[]){0, 1, 2}, false);
}

// Gradients of bias, shift and add. The bias's is the sum of the shift's, where there is one: one pass over dy.
static int terms_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    if (lt_wants(node, 3) && !(dx[3] = lt_sum(dy, 2, (int[]){1, 2}, false)))
        return LT_FAIL;
    if (lt_wants(node, 2) && !(dx[2] = dx[3] ? lt_sum(dx[3], 1, (int[]){0}, false) : sum_of_pixels(dy)))
        return LT_FAIL;
    if (lt_wants(node, 4))
        dx[4] = lt_retain(dy);
    return LT_OK;
}

// y = x * w + b + shift + add     dx = input gradient (dy, w), dw = weight gradient (x, dy), db = sum of dy over all
// pixels, dshift = sum of dy over a picture's pixels, dadd = dy    saved: x, w
static int forward_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    const lt_conv_shape *s = node->attributes;
    if (lt_wants(node, 0) && !(dx[0] = input_gradient(s, dy, lt_saved(node, 1), NULL)))
        return LT_FAIL;
    lt_tensor *x = lt_wants(node, 1) ? lt_saved(node, 0) : NULL;
    if (lt_wants(node, 1) && !(dx[1] = x ? weight_gradient(s, x, dy) : NULL))
        return LT_FAIL;
    return terms_backward(node, dy, dx);
}

// dx = adjoint of w at dy, + b     for g like dx: d dy = g * w, dw = weight gradient (g, dy), db = sum of g
static int input_gradient_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    const lt_conv_shape *s = node->attributes;
    if (lt_wants(node, 0) && !(dx[0] = apply(s, g, lt_saved(node, 1), &(terms){0})))
        return LT_FAIL;
    if (lt_wants(node, 1) && !(dx[1] = weight_gradient(s, g, lt_saved(node, 0))))
        return LT_FAIL;
    if (lt_wants(node, 2) && !(dx[2] = sum_of_pixels(g)))
        return LT_FAIL;
    return LT_OK;
}

// dw from x and dy     for g like dw: dx = input gradient (dy, g), d dy = x * g
static int weight_gradient_backward(lt_node *node, lt_tensor *g, lt_tensor **dx)
{
    const lt_conv_shape *s = node->attributes;
    if (lt_wants(node, 0) && !(dx[0] = input_gradient(s, lt_saved(node, 1), g, NULL)))
        return LT_FAIL;
    if (lt_wants(node, 1) && !(dx[1] = apply(s, lt_saved(node, 0), g, &(terms){0})))
        return LT_FAIL;
    return LT_OK;
}

// Records `out` (NULL stays NULL), or gives it up when the kernel failed. Each operand is saved where another that
// wants a gradient needs it.
static lt_tensor *finish(lt_tensor *out, int status, const lt_op *op, const lt_conv_shape *s, lt_tensor *a,
                         lt_tensor *b, const terms *t)
{
    if (status != LT_OK) {
        lt_release(out);
        return NULL;
    }
    lt_tensor *inputs[] = {a, b, t->bias, t->shift, t->add};
    return lt_record(out, op,
                     t->shift || t->add ? 5
                     : t->bias          ? 3
                                        : 2,
                     inputs, LT_LIST(b->node ? a : NULL, a->node ? b : NULL), s, sizeof *s);
}

static const float *values(lt_tensor *t)
{
    return t ? lt_f32(t) : NULL;
}

static lt_tensor *apply(const lt_conv_shape *s, lt_tensor *x, lt_tensor *w, const terms *t)
{
    static const lt_op op = {"conv2d", forward_backward};
    const lt_conv_terms added = {values(t->bias), values(t->shift), values(t->add)};
    lt_tensor *y = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->n, s->oh, s->ow, s->cout});
    int status = y ? lt_k.conv->forward(s, lt_f32(x), lt_f32(w), &added, lt_f32(y)) : LT_FAIL;
    y = finish(y, status, &op, s, x, w, t);
    if (y && s->h * s->w > 0) // Winograd's forms spend about half of what is counted
        lt_save_lightly(y, 0, s->cout / s->groups * s->kh * s->kw * (s->oh * s->ow) / (2 * s->h * s->w));
    return y;
}

static lt_tensor *input_gradient(const lt_conv_shape *s, lt_tensor *dy, lt_tensor *w, lt_tensor *bias)
{
    static const lt_op op = {"conv_transpose2d", input_gradient_backward};
    const lt_conv_terms added = {values(bias), NULL, NULL};
    lt_tensor *dx = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->n, s->h, s->w, s->cin});
    int status = dx ? lt_k.conv->input_gradient(s, lt_f32(dy), lt_f32(w), &added, lt_f32(dx)) : LT_FAIL;
    return finish(dx, status, &op, s, dy, w, &(terms){.bias = bias});
}

static lt_tensor *weight_gradient(const lt_conv_shape *s, lt_tensor *x, lt_tensor *dy)
{
    static const lt_op op = {"conv2d weight gradient", weight_gradient_backward};
    lt_tensor *dw = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){s->cout, s->kh, s->kw, s->cin / s->groups});
    int status = dw ? lt_k.conv->weight_gradient(s, lt_f32(x), lt_f32(dy), lt_f32(dw)) : LT_FAIL;
    return finish(dw, status, &op, s, x, dy, &(terms){0});
}

// ---- shape rules --------------------------------------------------------------------------------------------------

static int check_types(const lt_tensor *x, const lt_tensor *weight, const lt_tensor *bias)
{
    if (lt_want_float(x, 1, "x") != LT_OK || lt_want_float(weight, 2, "weight") != LT_OK ||
        (bias && lt_want_float(bias, 3, "bias") != LT_OK))
        return LT_FAIL;
    if (x->ndim != 4 || x->shape[1] < 1 || x->shape[2] < 1 || x->shape[3] < 1)
        return lt_fail_arg(1, "x: expected (n,h,w,c) with a pixel and a channel at least, got %s", lt_shape_text(x));
    if (x->shape[1] >= LT_CONV_LIMIT || x->shape[2] >= LT_CONV_LIMIT)
        return lt_fail_arg(1, "x: a picture of %s is too large", lt_shape_text(x));
    return LT_OK;
}

static int check_bias(const lt_tensor *bias, int64_t channels)
{
    if (bias && (bias->ndim != 1 || bias->shape[0] != channels))
        return lt_fail_arg(3, "bias: expected (%lld), got %s", (long long)channels, lt_shape_text(bias));
    return LT_OK;
}

// shift (n,out) and add (n,oh,ow,out)
static int check_terms(const lt_conv_options *o, const lt_conv_shape *s)
{
    const lt_tensor *t = o->shift;
    if (t && lt_want_float(t, 4, "shift") != LT_OK)
        return LT_FAIL;
    if (t && (t->ndim != 2 || t->shape[0] != s->n || t->shape[1] != s->cout))
        return lt_fail_arg(4, "shift: expected (%lld,%lld), got %s", (long long)s->n, (long long)s->cout,
                           lt_shape_text(t));
    t = o->add;
    if (t && lt_want_float(t, 4, "add") != LT_OK)
        return LT_FAIL;
    if (t &&
        (t->ndim != 4 || t->shape[0] != s->n || t->shape[1] != s->oh || t->shape[2] != s->ow || t->shape[3] != s->cout))
        return lt_fail_arg(4, "add: expected (%lld,%lld,%lld,%lld), got %s", (long long)s->n, (long long)s->oh,
                           (long long)s->ow, (long long)s->cout, lt_shape_text(t));
    return LT_OK;
}

static int check_options(const lt_conv_options *o, const lt_tensor *weight)
{
    for (int i = 0; i < 2; i++) {
        if (o->stride[i] < 1 || o->stride[i] >= LT_CONV_LIMIT || o->dilation[i] < 1 || o->dilation[i] >= LT_CONV_LIMIT)
            return lt_fail_arg(4, "stride, dilation: expected 1 or more");
        if (o->padding[i] < 0 || o->padding[i] >= LT_CONV_LIMIT)
            return lt_fail_arg(4, "padding: expected 0 or more");
        if (o->output_padding[i] < 0 || (o->output_padding[i] >= o->stride[i] &&
                                         o->output_padding[i] >= o->dilation[i] && o->output_padding[i] > 0))
            return lt_fail_arg(4, "output_padding: expected less than stride or dilation, got %lld",
                               (long long)o->output_padding[i]);
        if (weight->shape[1 + i] >= LT_CONV_LIMIT || (weight->shape[1 + i] - 1) * o->dilation[i] >= LT_CONV_LIMIT)
            return lt_fail_arg(4, "dilation: %lld is too large for the kernel", (long long)o->dilation[i]);
    }
    return LT_OK;
}

// The kernel's extent over a picture, less one.
static int64_t reach(const lt_tensor *weight, const lt_conv_options *o, int i)
{
    return (weight->shape[1 + i] - 1) * o->dilation[i];
}

static lt_conv_shape shape_of(const lt_tensor *weight, const lt_conv_options *o)
{
    return (lt_conv_shape){.kh = weight->shape[1],
                           .kw = weight->shape[2],
                           .stride_h = o->stride[0],
                           .stride_w = o->stride[1],
                           .padding_h = o->padding[0],
                           .padding_w = o->padding[1],
                           .dilation_h = o->dilation[0],
                           .dilation_w = o->dilation[1],
                           .groups = o->groups};
}

lt_tensor *lt_conv2d(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_conv_options *o)
{
    if (check_types(x, weight, bias) != LT_OK)
        return NULL;
    int64_t cin = x->shape[3], g = o->groups;
    if (g < 1 || cin % g != 0) {
        lt_fail_arg(4, "groups: %lld does not divide %lld channels", (long long)g, (long long)cin);
        return NULL;
    }
    if (weight->ndim != 4 || weight->shape[3] != cin / g || weight->shape[1] < 1 || weight->shape[2] < 1 ||
        weight->shape[0] < 1 || weight->shape[0] % g != 0) {
        if (g == 1)
            lt_fail_arg(2, "weight: expected (out,kh,kw,%lld), got %s", (long long)cin, lt_shape_text(weight));
        else
            lt_fail_arg(2, "weight: expected (out,kh,kw,%lld), out a multiple of the %lld groups, got %s",
                        (long long)(cin / g), (long long)g, lt_shape_text(weight));
        return NULL;
    }
    if (check_bias(bias, weight->shape[0]) != LT_OK || check_options(o, weight) != LT_OK)
        return NULL;
    int64_t out[2];
    for (int i = 0; i < 2; i++) {
        int64_t room = x->shape[1 + i] + 2 * o->padding[i] - reach(weight, o, i) - 1;
        if (room < 0) {
            lt_fail_arg(2, "weight: a kernel of %s does not fit pictures %s with padding %lld", lt_shape_text(weight),
                        lt_shape_text(x), (long long)o->padding[i]);
            return NULL;
        }
        out[i] = room / o->stride[i] + 1;
    }
    lt_conv_shape s = shape_of(weight, o);
    s.n = x->shape[0];
    s.h = x->shape[1];
    s.w = x->shape[2];
    s.cin = cin;
    s.oh = out[0];
    s.ow = out[1];
    s.cout = weight->shape[0];
    if (check_terms(o, &s) != LT_OK)
        return NULL;
    return apply(&s, x, weight, &(terms){bias, o->shift, o->add});
}

lt_tensor *lt_conv_transpose2d(lt_tensor *x, lt_tensor *weight, lt_tensor *bias, const lt_conv_options *o)
{
    if (check_types(x, weight, bias) != LT_OK)
        return NULL;
    int64_t in = x->shape[3], g = o->groups;
    if (g < 1 || in % g != 0) {
        lt_fail_arg(4, "groups: %lld does not divide %lld channels", (long long)g, (long long)in);
        return NULL;
    }
    if (weight->ndim != 4 || weight->shape[0] != in || weight->shape[1] < 1 || weight->shape[2] < 1 ||
        weight->shape[3] < 1) {
        lt_fail_arg(2, "weight: expected (%lld,kh,kw,out%s), got %s", (long long)in, g > 1 ? "/groups" : "",
                    lt_shape_text(weight));
        return NULL;
    }
    if (check_bias(bias, weight->shape[3] * g) != LT_OK || check_options(o, weight) != LT_OK)
        return NULL;
    lt_conv_shape s = shape_of(weight, o);
    int64_t out[2];
    for (int i = 0; i < 2; i++) {
        out[i] =
            (x->shape[1 + i] - 1) * o->stride[i] - 2 * o->padding[i] + reach(weight, o, i) + o->output_padding[i] + 1;
        if (out[i] < 1 || out[i] >= LT_CONV_LIMIT) {
            lt_fail_arg(4, "padding: pictures %s would come out with a side of %lld", lt_shape_text(x),
                        (long long)out[i]);
            return NULL;
        }
    }
    s.n = x->shape[0];
    s.h = out[0];
    s.w = out[1];
    s.cin = weight->shape[3] * g;
    s.oh = x->shape[1];
    s.ow = x->shape[2];
    s.cout = in;
    return input_gradient(&s, x, weight, bias);
}
