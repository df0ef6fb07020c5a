// Losses. Each takes {reduction = "mean" | "sum" | "none"}; "mean" is the default.
#include "op/loss.h"

#include "lua/check.h"

static lt_reduction read_options(lua_State *L, int arg, double *delta)
{
    const char *name = "mean";
    lt_option options[] = {{"reduction", LT_OPTION_STRING, &name, 0, 0}, {NULL, 0, NULL, 0, 0}, {NULL, 0, NULL, 0, 0}};
    if (delta)
        options[1] = (lt_option){"delta", LT_OPTION_NUMBER, delta, 0, 1e30};
    lt_arg_options(L, arg, options);
    static const char *const names[] = {[LT_MEAN] = "mean", [LT_SUM] = "sum", [LT_NO_REDUCTION] = "none"};
    return (lt_reduction)lt_one_of(L, arg, "reduction", name, 3, names);
}

static int of_pair(lua_State *L, const char *a, const char *b, lt_tensor *(*f)(lt_tensor *, lt_tensor *, lt_reduction))
{
    lt_tensor *x = lt_arg_tensor(L, 1, a), *y = lt_arg_tensor(L, 2, b);
    lt_reduction reduction = read_options(L, 3, NULL);
    LT_PUSH(L, f(x, y, reduction));
    return 1;
}

/*** Squared error, (x - y)^2.
@function mse_loss
@tparam Tensor x
@tparam Tensor y x's shape
@tparam[opt] table options reduction ("mean", "sum" or "none")
@treturn Tensor a scalar, or x's shape */
static int mse_loss(lua_State *L)
{
    return of_pair(L, "x", "y", lt_mse_loss);
}

/*** Absolute error, |x - y|; its derivative at 0 is 0.
@function l1_loss
@tparam Tensor x
@tparam Tensor y x's shape
@tparam[opt] table options reduction
@treturn Tensor a scalar, or x's shape */
static int l1_loss(lua_State *L)
{
    return of_pair(L, "x", "y", lt_l1_loss);
}

/*** Huber's loss of d = x - y: d^2 / 2 up to |d| = delta, delta (|d| - delta / 2) beyond.
@function huber_loss
@tparam Tensor x
@tparam Tensor y x's shape
@tparam[opt] table options delta (1), reduction
@treturn Tensor a scalar, or x's shape */
static int huber_loss(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *y = lt_arg_tensor(L, 2, "y");
    double delta = 1;
    lt_reduction reduction = read_options(L, 3, &delta);
    LT_PUSH(L, lt_huber_loss(x, y, (float)delta, reduction));
    return 1;
}

/*** Binary cross entropy of target with sigmoid(logits): log(1 + exp(x)) - x target.
@function bce_with_logits
@tparam Tensor logits
@tparam Tensor target logits' shape, 0..1
@tparam[opt] table options reduction
@treturn Tensor a scalar, or logits' shape */
static int bce_with_logits(lua_State *L)
{
    return of_pair(L, "logits", "target", lt_bce_with_logits);
}

/*** Cross entropy of target with softmax(logits) over the last axis: -log softmax(logits)[target], or
-sum target log softmax(logits) for distributions. "mean" is over the rows.
@function cross_entropy
@tparam Tensor logits (...,classes)
@tparam Tensor target int32 (...) from 1, or float32 (...,classes)
@tparam[opt] table options reduction
@treturn Tensor a scalar, or (...) */
static int cross_entropy(lua_State *L)
{
    return of_pair(L, "logits", "target", lt_cross_entropy);
}

/*** Negative log-likelihood of x under N(mean, exp(logvar)), in nats: (logvar + (x - mean)^2 exp(-logvar) + log 2 pi)
/ 2. The three broadcast.
@function gaussian_nll
@tparam Tensor x
@tparam Tensor mean
@tparam Tensor logvar log of the variance
@tparam[opt] table options reduction
@treturn Tensor a scalar, or the common shape */
static int gaussian_nll(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *mean = lt_arg_tensor(L, 2, "mean");
    lt_tensor *logvar = lt_arg_tensor(L, 3, "logvar");
    lt_reduction reduction = read_options(L, 4, NULL);
    LT_PUSH(L, lt_gaussian_nll(x, mean, logvar, reduction));
    return 1;
}

/*** KL divergence of N(mu, exp(logvar)) from N(0, 1), in nats: (mu^2 + exp(logvar) - 1 - logvar) / 2 (Kingma and
Welling 2014, https://arxiv.org/abs/1312.6114, appendix B).
@function kl_normal
@tparam Tensor mu
@tparam Tensor logvar log of the variance; broadcasts with mu
@tparam[opt] table options reduction
@treturn Tensor a scalar, or the common shape */
static int kl_normal(lua_State *L)
{
    return of_pair(L, "mu", "logvar", lt_kl_normal);
}

void lt_open_loss(lua_State *L)
{
    static const lt_function functions[] = {
        {"mse_loss", mse_loss, LT_IN_BOTH},           {"l1_loss", l1_loss, LT_IN_BOTH},
        {"huber_loss", huber_loss, LT_IN_BOTH},       {"bce_with_logits", bce_with_logits, LT_IN_BOTH},
        {"cross_entropy", cross_entropy, LT_IN_BOTH}, {"gaussian_nll", gaussian_nll, LT_IN_BOTH},
        {"kl_normal", kl_normal, LT_IN_BOTH},         {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
