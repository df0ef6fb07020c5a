// Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before they are added.
#ifndef LT_OPTIM_MUON_H
#define LT_OPTIM_MUON_H

#include "optim/update.h"

typedef struct {
    float lr, momentum, weight_decay, eps;
    bool nesterov;
    int steps; // of Newton and Schulz
} lt_muon;

// m = momentum m + (1 - momentum) g; u = nesterov ? momentum m + (1 - momentum) g : m;
// p = (1 - lr weight_decay) p - lr 0.2 sqrt(max(rows, columns)) orthogonal(u),
// where a parameter of more than two axes is a matrix of shape[0] rows. Every parameter has two axes or more.
int lt_muon_update(lt_tensors params, lt_tensors momenta, lt_muon settings);

#endif
