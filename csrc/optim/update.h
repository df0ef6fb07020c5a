// Optimizer steps over a list of parameters: checked as a whole before the first number is touched, then done in one
// parallel pass over all of them. Parameters without a gradient are skipped. Arguments of messages: 1 the parameters,
// 2 and 3 the state.
#ifndef LT_OPTIM_UPDATE_H
#define LT_OPTIM_UPDATE_H

#include "kernel/update.h"
#include "tensor/tape.h"

typedef struct {
    int n;
    lt_tensor *const *tensor; // NULL: no such list
} lt_tensors;

int lt_sgd_update(lt_tensors params, lt_tensors momenta, lt_sgd settings);
int lt_adam_update(lt_tensors params, lt_tensors exp_avg, lt_tensors exp_avg_sq, lt_adam settings);
int lt_rmsprop_update(lt_tensors params, lt_tensors square_avg, lt_tensors momenta, lt_rmsprop settings);
int lt_lion_update(lt_tensors params, lt_tensors exp_avg, lt_lion settings);
int lt_ema_update(lt_tensors targets, lt_tensors sources, float decay); // shapes in pairs

// What every update checks before it writes: the types and shapes of all lists, and that no memory is written twice.
// Lists may be absent; names are for messages.
int lt_check_update(lt_tensors params, lt_tensors a, const char *a_name, lt_tensors b, const char *b_name);

int lt_check_param(const lt_tensor *p, int i); // one of them, item i from 0

lt_tensor *lt_gradient_of(const lt_tensor *p); // NULL: backward has not reached it

// All gradients times min(1, max_norm / (norm + 1e-6)); *norm is their joint 2-norm before.
int lt_clip_grad_norm(lt_tensors params, double max_norm, double *norm);
int lt_clip_grad_value(lt_tensors params, float limit); // each number into [-limit, limit]

#endif
