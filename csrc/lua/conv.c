// Convolution, pooling and resampling of (n,h,w,c) pictures.
#include "op/conv.h"

#include "lua/check.h"
#include "op/pool.h"
#include "op/resample.h"

enum { LARGEST = LT_CONV_LIMIT - 1 };

/*** Two-dimensional convolution (cross-correlation, as everywhere in the field) of (n,h,w,c) pictures. Gradients of any
order.

3x3 kernels with stride 1 and dilation 1, from 32 channels on both sides (16 in groups), go by Winograd's F(4x4, 3x3)
(Lavin and Gray 2016, arXiv 1509.09308), and their gradients likewise: faster, and the rounding error is about twice
that of the direct sum. So do 4x4 kernels with stride 2, whose even and odd rows and columns are 2x2 kernels, in batches
that are not small; what follows holds for them with half the error. That of an output is relative to the largest number
of the tile, 6x6 pixels, that it is computed from: with 64 channels and weights of size 1 an output beside a number v is
off by up to 1.3e-5 |v|, measured: 0.0065 in a sum of 576 beside 511. So a picture that holds 512 or more, an infinity
or NaN goes the direct way, by itself: every result is the direct one, the other pictures of the batch are as they would
be without it. Where the weight holds such a number all pictures go the direct way; in the gradient of the weight those
pictures that hold one in x or in the gradient of the result. Such a picture takes two to three and a half times as long
(AVX2). `lt.convolution "direct"` sends everything there.

Padding counts as zeros: an infinite weight on it may give NaN.
@function conv2d
@tparam Tensor x (n,h,w,in)
@tparam Tensor weight (out,kh,kw,in/groups)
@tparam[opt] Tensor bias (out)
@tparam[opt] table options stride (1), padding (0), dilation (1), each a number or {down, across}; groups (1);
shift (n,out), one row for all pixels of a picture, and add (n,oh,ow,out), tensors that are added to the result as it is
stored (a residual block's embedding of time and its other branch), which saves a pass over it each
@treturn Tensor (n,oh,ow,out), oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down
@usage lt.conv2d(x, weight, bias, {stride = 2, padding = 1})
@usage lt.conv2d(h, weight, bias, {padding = 1, shift = embedding, add = x}) */
static int conv2d(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *weight = lt_arg_tensor(L, 2, "weight");
    lt_tensor *bias = lt_arg_tensor_or_nil(L, 3, "bias");
    lt_conv_options o = LT_CONV_DEFAULTS;
    lt_option options[] = {{"stride", LT_OPTION_PAIR, o.stride, 1, LARGEST},
                           {"padding", LT_OPTION_PAIR, o.padding, 0, LARGEST},
                           {"dilation", LT_OPTION_PAIR, o.dilation, 1, LARGEST},
                           {"groups", LT_OPTION_INTEGER, &o.groups, 1, LARGEST},
                           {"shift", LT_OPTION_TENSOR, &o.shift, 0, 0},
                           {"add", LT_OPTION_TENSOR, &o.add, 0, 0},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 4, options);
    LT_PUSH(L, lt_conv2d(x, weight, bias, &o));
    return 1;
}

/*** Transposed two-dimensional convolution: the adjoint of conv2d in its picture. Gradients of any order.
@function conv_transpose2d
@tparam Tensor x (n,h,w,in)
@tparam Tensor weight (in,kh,kw,out/groups)
@tparam[opt] Tensor bias (out)
@tparam[opt] table options stride (1), padding (0), output_padding (0), dilation (1), each a number or
{down, across}; groups (1)
@treturn Tensor (n,oh,ow,out), oh = (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1 */
static int conv_transpose2d(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *weight = lt_arg_tensor(L, 2, "weight");
    lt_tensor *bias = lt_arg_tensor_or_nil(L, 3, "bias");
    lt_conv_options o = LT_CONV_DEFAULTS;
    lt_option options[] = {{"stride", LT_OPTION_PAIR, o.stride, 1, LARGEST},
                           {"padding", LT_OPTION_PAIR, o.padding, 0, LARGEST},
                           {"output_padding", LT_OPTION_PAIR, o.output_padding, 0, LARGEST},
                           {"dilation", LT_OPTION_PAIR, o.dilation, 1, LARGEST},
                           {"groups", LT_OPTION_INTEGER, &o.groups, 1, LARGEST},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 4, options);
    LT_PUSH(L, lt_conv_transpose2d(x, weight, bias, &o));
    return 1;
}

// A number for both directions, or {down, across}.
static void pair(lua_State *L, int arg, const char *name, int64_t *out)
{
    int next;
    if (!lua_istable(L, arg)) {
        out[0] = out[1] = lt_arg_integer(L, arg, name, 1, LARGEST);
        return;
    }
    int64_t asked[LT_MAX_DIM];
    if (lt_arg_shape(L, arg, name, asked, &next) != 2 || asked[0] < 1 || asked[1] < 1 || asked[0] > LARGEST ||
        asked[1] > LARGEST)
        lt_bad_argument(L, arg, "%s: expected a number or a pair of 1 or more", name);
    out[0] = asked[0];
    out[1] = asked[1];
}

static int pool(lua_State *L, lt_tensor *(*f)(lt_tensor *, const lt_pool_options *))
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    lt_pool_options o = {.padding = {0, 0}};
    pair(L, 2, "kernel", o.kernel);
    o.stride[0] = o.kernel[0];
    o.stride[1] = o.kernel[1];
    lt_option options[] = {{"stride", LT_OPTION_PAIR, o.stride, 1, LARGEST},
                           {"padding", LT_OPTION_PAIR, o.padding, 0, LARGEST},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 3, options);
    LT_PUSH(L, f(x, &o));
    return 1;
}

/*** Mean (largest value) of windows of (n,h,w,c) pictures. The mean counts padding as zeros; the maximum never takes
it, and of equal values takes the first. Gradients of any order.
@function avg_pool2d
@function max_pool2d
@tparam Tensor x (n,h,w,c)
@tparam number|table kernel a number or {down, across}
@tparam[opt] table options stride (the kernel), padding (0, at most half of the kernel), a number or {down, across}
@treturn Tensor (n,oh,ow,c), oh = (h + 2 padding - kernel) / stride + 1, rounded down */
static int avg_pool2d(lua_State *L)
{
    return pool(L, lt_avg_pool2d);
}

static int max_pool2d(lua_State *L)
{
    return pool(L, lt_max_pool2d);
}

/*** Every pixel of (n,h,w,c) pictures scale x scale times. Gradients of any order.
@function upsample_nearest
@tparam Tensor x (n,h,w,c)
@tparam number scale an integer
@treturn Tensor (n,h*scale,w*scale,c) */
static int upsample_nearest(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t scale = lt_arg_integer(L, 2, "scale", 1, LARGEST);
    LT_PUSH(L, lt_upsample_nearest(x, scale));
    return 1;
}

/*** Bilinear interpolation to another size: pixel centres at halves, edges repeated (PyTorch's interpolate with
align_corners=False); no low-pass filter when shrinking. Gradients of any order.
@function resize_bilinear
@tparam Tensor x (n,h,w,c)
@tparam number|table size a number or {h, w}
@treturn Tensor */
static int resize_bilinear(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t size[2];
    pair(L, 2, "size", size);
    LT_PUSH(L, lt_resize_bilinear(x, size[0], size[1]));
    return 1;
}

void lt_open_conv(lua_State *L)
{
    static const lt_function functions[] = {{"conv2d", conv2d, LT_IN_BOTH},
                                            {"conv_transpose2d", conv_transpose2d, LT_IN_BOTH},
                                            {"avg_pool2d", avg_pool2d, LT_IN_BOTH},
                                            {"max_pool2d", max_pool2d, LT_IN_BOTH},
                                            {"upsample_nearest", upsample_nearest, LT_IN_BOTH},
                                            {"resize_bilinear", resize_bilinear, LT_IN_BOTH},
                                            {NULL, NULL, 0}};
    lt_register(L, functions);
}
