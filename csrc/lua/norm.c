// Softmax, normalisations, dropout and embedding.
#include "op/norm.h"

#include <string.h>

#include "lua/check.h"
#include "op/dropout.h"
#include "op/embedding.h"
#include "op/softmax.h"

static int along_axis(lua_State *L, lt_tensor *(*f)(lt_tensor *, int))
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int axis;
    LT_TRY(L, lt_axis(x, lt_arg_integer_or(L, 2, "axis", INT64_MIN, INT64_MAX, -1), 2, &axis));
    LT_PUSH(L, f(x, axis));
    return 1;
}

/*** exp(x) / sum exp(x) along an axis. An axis of nothing but -inf gives NaN.
@function softmax
@tparam Tensor x
@tparam[opt=-1] integer axis
@treturn Tensor x's shape */
static int softmax(lua_State *L)
{
    return along_axis(L, lt_softmax);
}

/*** log(softmax(x)), without its overflow.
@function log_softmax
@tparam Tensor x
@tparam[opt=-1] integer axis
@treturn Tensor x's shape */
static int log_softmax(lua_State *L)
{
    return along_axis(L, lt_log_softmax);
}

// ---- normalisations and what follows them in the same pass --------------------------------------------------------

typedef struct {
    double eps, slope;
    const char *activation;
    lt_tensor *scale, *shift;
} norm_options;

static lt_activation activation_of(lua_State *L, int arg, const char *name)
{
    static const char *const names[LT_ACTIVATIONS] = {
        [LT_LINEAR] = "none", [LT_RELU] = "relu", [LT_LEAKY_RELU] = "leaky_relu",
        [LT_SILU] = "silu",   [LT_GELU] = "gelu", [LT_GELU_TANH] = "gelu_tanh"};
    return (lt_activation)lt_one_of(L, arg, "activation", name, LT_ACTIVATIONS, names);
}

static lt_norm_settings norm_settings(lua_State *L, int arg)
{
    norm_options o = {1e-5, 0.01, "none", NULL, NULL};
    const lt_option options[] = {
        {"eps", LT_OPTION_NUMBER, &o.eps, 0, 1e30},  {"activation", LT_OPTION_STRING, &o.activation, 0, 0},
        {"slope", LT_OPTION_NUMBER, &o.slope, 0, 0}, {"scale", LT_OPTION_TENSOR, &o.scale, 0, 0},
        {"shift", LT_OPTION_TENSOR, &o.shift, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, arg, options);
    return (lt_norm_settings){(float)o.eps, o.scale, o.shift, activation_of(L, arg, o.activation), (float)o.slope};
}

/*** Group norm (Wu and He 2018, https://arxiv.org/abs/1803.08494): each sample, over the middle axes and the channels
of a group, to mean 0 and variance 1, then times weight plus bias a channel. What follows a norm costs nothing more
here: scale and shift say something to each picture (FiLM: the result times 1 + scale, plus shift), then the activation.
@function group_norm
@tparam Tensor x (n,...,c)
@tparam integer groups divides c
@tparam[opt] Tensor weight (c)
@tparam[opt] Tensor bias (c)
@tparam[opt] table options eps (1e-5); scale and shift (n,c): y = (norm * weight + bias) * (1 + scale) + shift;
activation "none" (default), "relu", "leaky_relu", "silu", "gelu" or "gelu_tanh"; slope (0.01) of leaky_relu
@treturn Tensor x's shape */
static int group_norm(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    int64_t groups = lt_arg_integer(L, 2, "groups", 1, INT32_MAX);
    lt_tensor *weight = lt_arg_tensor_or_nil(L, 3, "weight"), *bias = lt_arg_tensor_or_nil(L, 4, "bias");
    const lt_norm_settings settings = norm_settings(L, 5);
    LT_PUSH(L, lt_group_norm(x, groups, weight, bias, &settings));
    return 1;
}

/*** Layer norm (Ba et al. 2016, https://arxiv.org/abs/1607.06450) over the last axis. Scale and shift, a row for each
picture that speaks to all of its tokens, make it the adaptive one of diffusion transformers (adaLN).
@function layer_norm
@tparam Tensor x (...,c); (n,...,c) with scale or shift
@tparam[opt] Tensor weight (c)
@tparam[opt] Tensor bias (c)
@tparam[opt] table options as of group_norm: eps (1e-5); scale and shift (n,c), times 1 + scale, plus shift;
activation, slope
@treturn Tensor x's shape */
static int layer_norm(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    lt_tensor *weight = lt_arg_tensor_or_nil(L, 2, "weight"), *bias = lt_arg_tensor_or_nil(L, 3, "bias");
    const lt_norm_settings settings = norm_settings(L, 4);
    LT_PUSH(L, lt_layer_norm(x, weight, bias, &settings));
    return 1;
}

/*** RMS norm (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467): x / sqrt(mean x^2 + eps) * weight over the
last axis.
@function rms_norm
@tparam Tensor x (...,c)
@tparam[opt] Tensor weight (c)
@tparam[opt] table options eps (1e-6)
@treturn Tensor x's shape */
static int rms_norm(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *weight = lt_arg_tensor_or_nil(L, 2, "weight");
    double eps = 1e-6;
    const lt_option options[] = {{"eps", LT_OPTION_NUMBER, &eps, 0, 1e30}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 3, options);
    LT_PUSH(L, lt_rms_norm(x, weight, (float)eps));
    return 1;
}

/*** Batch norm (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167): each channel over all other axes. In
training with the batch's mean and variance, which also move the running ones (in place, the variance unbiased);
otherwise with the running ones.
@function batch_norm
@tparam Tensor x (...,c)
@tparam[opt] Tensor weight (c)
@tparam[opt] Tensor bias (c)
@tparam[opt] Tensor running_mean (c), needed when not training
@tparam[opt] Tensor running_var (c)
@tparam[opt] table options training (false), momentum (0.1), eps (1e-5), activation and slope as of group_norm
@treturn Tensor x's shape */
static int batch_norm(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    lt_tensor *weight = lt_arg_tensor_or_nil(L, 2, "weight"), *bias = lt_arg_tensor_or_nil(L, 3, "bias");
    lt_tensor *mean = lt_arg_tensor_or_nil(L, 4, "running_mean"), *var = lt_arg_tensor_or_nil(L, 5, "running_var");
    bool training = false;
    double momentum = 0.1, eps = 1e-5, slope = 0.01;
    const char *activation = "none";
    const lt_option options[] = {
        {"training", LT_OPTION_BOOLEAN, &training, 0, 0}, {"momentum", LT_OPTION_NUMBER, &momentum, 0, 1},
        {"eps", LT_OPTION_NUMBER, &eps, 0, 1e30},         {"activation", LT_OPTION_STRING, &activation, 0, 0},
        {"slope", LT_OPTION_NUMBER, &slope, 0, 0},        {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 6, options);
    const lt_batch_norm_settings settings = {training, (float)momentum, (float)eps, activation_of(L, 6, activation),
                                             (float)slope};
    LT_PUSH(L, lt_batch_norm(x, weight, bias, mean, var, settings));
    return 1;
}

/*** Each element becomes 0 with probability p, and is divided by 1 - p otherwise (Srivastava et al. 2014).
@function dropout
@tparam Tensor x
@tparam number p 0..1
@tparam[opt] table options generator
@treturn Tensor x's shape */
static int dropout(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    double p = lt_arg_number(L, 2, "p");
    lt_random *random = lt_default_generator(L);
    const lt_option options[] = {{"generator", LT_OPTION_GENERATOR, &random, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 3, options);
    LT_PUSH(L, lt_dropout(x, p, random));
    return 1;
}

/*** Rows of a table by number: y[...] = weight[ids[...]].
@function embedding
@tparam Tensor weight (n,d)
@tparam Tensor ids int32 from 1, any shape
@treturn Tensor ids' shape, then (d) */
static int embedding(lua_State *L)
{
    lt_tensor *weight = lt_arg_tensor(L, 1, "weight"), *ids = lt_arg_tensor(L, 2, "ids");
    LT_PUSH(L, lt_embedding(weight, ids));
    return 1;
}

void lt_open_norm(lua_State *L)
{
    static const lt_function functions[] = {
        {"softmax", softmax, LT_IN_BOTH},
        {"log_softmax", log_softmax, LT_IN_BOTH},
        {"group_norm", group_norm, LT_IN_BOTH},
        {"layer_norm", layer_norm, LT_IN_BOTH},
        {"rms_norm", rms_norm, LT_IN_BOTH},
        {"batch_norm", batch_norm, LT_IN_BOTH},
        {"dropout", dropout, LT_IN_BOTH},
        {"embedding", embedding, LT_IN_BOTH},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
