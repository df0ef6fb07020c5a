// Losses. Each is an elementwise (or, for cross entropy, rowwise) number, then reduced. Means and sums are taken in
// double.
#ifndef LT_OP_LOSS_H
#define LT_OP_LOSS_H

#include "tensor/tape.h"

typedef enum { LT_MEAN, LT_SUM, LT_NO_REDUCTION } lt_reduction;

// x and y of one shape.
lt_tensor *lt_mse_loss(lt_tensor *x, lt_tensor *y, lt_reduction reduction);                // (x - y)^2
lt_tensor *lt_l1_loss(lt_tensor *x, lt_tensor *y, lt_reduction reduction);                 // |x - y|
lt_tensor *lt_huber_loss(lt_tensor *x, lt_tensor *y, float delta, lt_reduction reduction); // d^2 / 2, linear past delta
lt_tensor *lt_bce_with_logits(lt_tensor *logits, lt_tensor *target, lt_reduction reduction); // softplus(x) - x t

// logits(..., classes); target: int32 (...) from 1, or float (..., classes), a distribution a row. -sum t log softmax.
lt_tensor *lt_cross_entropy(lt_tensor *logits, lt_tensor *target, lt_reduction reduction);

// Negative log-likelihood of x under N(mean, exp(logvar)): (logvar + (x - mean)^2 exp(-logvar) + log 2 pi) / 2;
// broadcasts.
lt_tensor *lt_gaussian_nll(lt_tensor *x, lt_tensor *mean, lt_tensor *logvar, lt_reduction reduction);
// KL(N(mu, exp(logvar)) || N(0, 1)) = (mu^2 + exp(logvar) - 1 - logvar) / 2; broadcasts.
lt_tensor *lt_kl_normal(lt_tensor *mu, lt_tensor *logvar, lt_reduction reduction);

#endif
