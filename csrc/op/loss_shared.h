// What the files of losses share. Private to csrc/op.
#ifndef LT_OP_LOSS_SHARED_H
#define LT_OP_LOSS_SHARED_H

#include "op/compose.h"
#include "op/loss.h"

// A recorded reduction of a tensor of losses; takes the reference, NULL stays NULL.
static inline lt_tensor *lt_reduce_loss(lt_tensor *each, lt_reduction reduction)
{
    if (!each || reduction == LT_NO_REDUCTION)
        return each;
    lt_tensor *out = reduction == LT_MEAN ? lt_mean(each, 0, NULL, false) : lt_sum(each, 0, NULL, false);
    lt_release(each);
    return out;
}

// Where mu and logvar are of different shapes.
lt_tensor *lt_kl_normal_broadcast(lt_tensor *mu, lt_tensor *logvar, lt_reduction reduction);

#endif
