// Optimizer steps and gradient clipping over lists of parameters, in place.
#include "optim/muon.h"
#include "optim/update.h"

#include <math.h>

#include "lua/check.h"

// The list of tensors at arg. The array stays on the stack above the arguments, the table keeps the tensors alive.
static lt_tensors list(lua_State *L, int arg, const char *name)
{
    lt_tensors t = {0, NULL};
    t.tensor = lt_arg_tensors(L, arg, name, &t.n);
    return t;
}

static lt_tensors list_or_nil(lua_State *L, int arg, const char *name)
{
    return lua_isnil(L, arg) ? (lt_tensors){0, NULL} : list(L, arg, name);
}

/*** One step of stochastic gradient descent: g = p.grad + weight_decay p; m = momentum m + (1 - dampening) g;
p = p - lr (nesterov and g + momentum m or m). Without momenta m is g. Parameters without a gradient are skipped.
@function sgd_update
@tparam {Tensor,...} params
@tparam[opt] {Tensor,...} momenta, shaped like params, zeros to begin with
@tparam table options lr, momentum (0), dampening (0), weight_decay (0), nesterov (false) */
static int sgd_update(lua_State *L)
{
    double lr = NAN, momentum = 0, dampening = 0, decay = 0;
    bool nesterov = false;
    const lt_option options[] = {{"lr", LT_OPTION_NUMBER, &lr, 0, 0},
                                 {"momentum", LT_OPTION_NUMBER, &momentum, 0, 0},
                                 {"dampening", LT_OPTION_NUMBER, &dampening, 0, 0},
                                 {"weight_decay", LT_OPTION_NUMBER, &decay, 0, 0},
                                 {"nesterov", LT_OPTION_BOOLEAN, &nesterov, 0, 0},
                                 {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 3);
    const lt_tensors params = list(L, 1, "params"), momenta = list_or_nil(L, 2, "momenta");
    lt_arg_options(L, 3, options);
    if (isnan(lr))
        return lt_bad_argument(L, 3, "lr: expected number");
    LT_TRY(L, lt_sgd_update(params, momenta,
                            (lt_sgd){(float)lr, (float)momentum, (float)dampening, (float)decay, nesterov}));
    return 0;
}

/*** One step of Adam (Kingma and Ba 2015, algorithm 1) or, decoupled, AdamW (Loshchilov and Hutter 2019, algorithm 2).
@function adam_update
@tparam {Tensor,...} params
@tparam {Tensor,...} exp_avg running means of the gradients, zeros to begin with
@tparam {Tensor,...} exp_avg_sq running means of their squares
@tparam table options lr, step (from 1), beta1 (0.9), beta2 (0.999), eps (1e-8), weight_decay (0), decoupled (false) */
static int adam_update(lua_State *L)
{
    double lr = NAN, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0;
    bool decoupled = false;
    int64_t step = 0;
    const lt_option options[] = {{"lr", LT_OPTION_NUMBER, &lr, 0, 0},
                                 {"beta1", LT_OPTION_NUMBER, &beta1, 0, 1},
                                 {"beta2", LT_OPTION_NUMBER, &beta2, 0, 1},
                                 {"eps", LT_OPTION_NUMBER, &eps, 0, 0},
                                 {"weight_decay", LT_OPTION_NUMBER, &decay, 0, 0},
                                 {"decoupled", LT_OPTION_BOOLEAN, &decoupled, 0, 0},
                                 {"step", LT_OPTION_INTEGER, &step, 1, 0x1p53},
                                 {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 4);
    const lt_tensors params = list(L, 1, "params"), m = list(L, 2, "exp_avg"), v = list(L, 3, "exp_avg_sq");
    lt_arg_options(L, 4, options);
    if (isnan(lr))
        return lt_bad_argument(L, 4, "lr: expected number");
    if (step == 0)
        return lt_bad_argument(L, 4, "step: expected integer");
    const lt_adam settings = {.lr = (float)lr,
                              .beta1 = (float)beta1,
                              .beta2 = (float)beta2,
                              .eps = (float)eps,
                              .weight_decay = (float)decay,
                              .decoupled = decoupled,
                              .correction1 = (float)(1 - pow(beta1, (double)step)),
                              .correction2_sqrt = (float)sqrt(1 - pow(beta2, (double)step))};
    LT_TRY(L, lt_adam_update(params, m, v, settings));
    return 0;
}

/*** One step of RMSprop: v = alpha v + (1 - alpha) g^2; s = g / (sqrt(v) + eps); with momenta m = momentum m + s, and
p = p - lr m, else p = p - lr s.
@function rmsprop_update
@tparam {Tensor,...} params
@tparam {Tensor,...} square_avg shaped like params, zeros to begin with
@tparam[opt] {Tensor,...} momenta
@tparam table options lr, alpha (0.99), eps (1e-8), weight_decay (0), momentum (0) */
static int rmsprop_update(lua_State *L)
{
    double lr = NAN, alpha = 0.99, eps = 1e-8, decay = 0, momentum = 0;
    const lt_option options[] = {{"lr", LT_OPTION_NUMBER, &lr, 0, 0},
                                 {"alpha", LT_OPTION_NUMBER, &alpha, 0, 1},
                                 {"eps", LT_OPTION_NUMBER, &eps, 0, 0},
                                 {"weight_decay", LT_OPTION_NUMBER, &decay, 0, 0},
                                 {"momentum", LT_OPTION_NUMBER, &momentum, 0, 0},
                                 {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 4);
    const lt_tensors params = list(L, 1, "params"), v = list(L, 2, "square_avg"), m = list_or_nil(L, 3, "momenta");
    lt_arg_options(L, 4, options);
    if (isnan(lr))
        return lt_bad_argument(L, 4, "lr: expected number");
    LT_TRY(L, lt_rmsprop_update(params, v, m,
                                (lt_rmsprop){(float)lr, (float)alpha, (float)eps, (float)decay, (float)momentum}));
    return 0;
}

/*** One step of Lion (Chen et al. 2023, algorithm 2): p = p - lr (sign(beta1 m + (1 - beta1) g) + weight_decay p);
m = beta2 m + (1 - beta2) g.
@function lion_update
@tparam {Tensor,...} params
@tparam {Tensor,...} exp_avg shaped like params, zeros to begin with
@tparam table options lr, beta1 (0.9), beta2 (0.99), weight_decay (0) */
static int lion_update(lua_State *L)
{
    double lr = NAN, beta1 = 0.9, beta2 = 0.99, decay = 0;
    const lt_option options[] = {{"lr", LT_OPTION_NUMBER, &lr, 0, 0},
                                 {"beta1", LT_OPTION_NUMBER, &beta1, 0, 1},
                                 {"beta2", LT_OPTION_NUMBER, &beta2, 0, 1},
                                 {"weight_decay", LT_OPTION_NUMBER, &decay, 0, 0},
                                 {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 3);
    const lt_tensors params = list(L, 1, "params"), m = list(L, 2, "exp_avg");
    lt_arg_options(L, 3, options);
    if (isnan(lr))
        return lt_bad_argument(L, 3, "lr: expected number");
    LT_TRY(L, lt_lion_update(params, m, (lt_lion){(float)lr, (float)beta1, (float)beta2, (float)decay}));
    return 0;
}

/*** One step of Muon (Jordan et al. 2024; the size of steps as Liu et al. 2025, arXiv 2502.16982, equation 4):
m = momentum m + (1 - momentum) g; u = g + momentum (m - g) (nesterov) or m;
p = (1 - lr weight_decay) p - 0.2 lr sqrt(max(rows, columns)) orthogonal(u), where orthogonal brings the singular values
of u to between 0.7 and 1.2 by five steps of Newton and Schulz. More than two axes are a matrix of shape[1] rows.
@function muon_update
@tparam {Tensor,...} params of two axes or more
@tparam {Tensor,...} momenta shaped like params, zeros to begin with
@tparam table options lr, momentum (0.95), nesterov (true), weight_decay (0), steps (5), eps (1e-7) */
static int muon_update(lua_State *L)
{
    double lr = NAN, momentum = 0.95, decay = 0, eps = 1e-7;
    bool nesterov = true;
    int64_t steps = 5;
    const lt_option options[] = {{"lr", LT_OPTION_NUMBER, &lr, 0, 0},
                                 {"momentum", LT_OPTION_NUMBER, &momentum, 0, 1},
                                 {"nesterov", LT_OPTION_BOOLEAN, &nesterov, 0, 0},
                                 {"weight_decay", LT_OPTION_NUMBER, &decay, 0, 0},
                                 {"steps", LT_OPTION_INTEGER, &steps, 1, 100},
                                 {"eps", LT_OPTION_NUMBER, &eps, 0, 1},
                                 {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 3);
    const lt_tensors params = list(L, 1, "params"), m = list(L, 2, "momenta");
    lt_arg_options(L, 3, options);
    if (isnan(lr))
        return lt_bad_argument(L, 3, "lr: expected number");
    LT_TRY(L, lt_muon_update(params, m,
                             (lt_muon){(float)lr, (float)momentum, (float)decay, (float)eps, nesterov, (int)steps}));
    return 0;
}

/*** target = decay target + (1 - decay) source for every pair.
@function ema_update
@tparam {Tensor,...} targets
@tparam {Tensor,...} sources shapes in pairs with targets
@tparam number decay 0..1 */
static int ema_update(lua_State *L)
{
    lua_settop(L, 3);
    const lt_tensors targets = list(L, 1, "targets"), sources = list(L, 2, "sources");
    const double decay = lt_arg_number(L, 3, "decay");
    if (!(decay >= 0 && decay <= 1))
        return lt_bad_argument(L, 3, "decay: expected a number in 0..1, got %f", decay);
    LT_TRY(L, lt_ema_update(targets, sources, (float)decay));
    return 0;
}

/*** Scales all gradients by one factor so that their joint 2-norm is at most max_norm. A norm that is not finite leaves
gradients that are not finite: nothing is hidden.
@function clip_grad_norm
@tparam {Tensor,...} params
@tparam number max_norm at least 0
@treturn number the norm before */
static int clip_grad_norm(lua_State *L)
{
    double norm = 0;
    lua_settop(L, 2);
    const lt_tensors params = list(L, 1, "params");
    const double max_norm = lt_arg_number(L, 2, "max_norm");
    if (!(max_norm >= 0))
        return lt_bad_argument(L, 2, "max_norm: expected a number of at least 0, got %f", max_norm);
    LT_TRY(L, lt_clip_grad_norm(params, max_norm, &norm));
    lua_pushnumber(L, norm);
    return 1;
}

/*** Clamps every number of every gradient to [-limit, limit].
@function clip_grad_value
@tparam {Tensor,...} params
@tparam number limit at least 0 */
static int clip_grad_value(lua_State *L)
{
    lua_settop(L, 2);
    const lt_tensors params = list(L, 1, "params");
    const double limit = lt_arg_number(L, 2, "limit");
    if (!(limit >= 0))
        return lt_bad_argument(L, 2, "limit: expected a number of at least 0, got %f", limit);
    LT_TRY(L, lt_clip_grad_value(params, (float)limit));
    return 0;
}

void lt_open_optim(lua_State *L)
{
    static const lt_function functions[] = {
        {"sgd_update", sgd_update, LT_IN_MODULE},
        {"adam_update", adam_update, LT_IN_MODULE},
        {"rmsprop_update", rmsprop_update, LT_IN_MODULE},
        {"lion_update", lion_update, LT_IN_MODULE},
        {"muon_update", muon_update, LT_IN_MODULE},
        {"ema_update", ema_update, LT_IN_MODULE},
        {"clip_grad_norm", clip_grad_norm, LT_IN_MODULE},
        {"clip_grad_value", clip_grad_value, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
