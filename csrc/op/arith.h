// Arithmetic element by element: functions of one tensor, and of two with broadcasting. All are recorded.
#ifndef LT_OP_ARITH_H
#define LT_OP_ARITH_H

#include "kernel/kernel.h"
#include "tensor/tape.h"

// y = f(x) for a function of kernel/pointwise.h; p0 and p1 are its settings. First and second derivatives.
lt_tensor *lt_unary(const lt_unary_kernel *f, lt_tensor *x, float p0, float p1);
// dy * f'(x), itself recorded; s is what f saves: x, or y where it says so. One more derivative.
lt_tensor *lt_unary_gradient(const lt_unary_kernel *f, lt_tensor *s, lt_tensor *dy, float p0, float p1);

static inline const lt_unary_kernel *lt_leaky_kernel(float slope)
{
    return slope < 0 ? &lt_k.pointwise->falling_relu : &lt_k.pointwise->leaky_relu;
}
static inline lt_tensor *lt_exp(lt_tensor *x)
{
    return lt_unary(&lt_k.pointwise->exp, x, 0, 0);
}
static inline lt_tensor *lt_square(lt_tensor *x)
{
    return lt_unary(&lt_k.pointwise->square, x, 0, 0);
}

lt_tensor *lt_neg(lt_tensor *x);
lt_tensor *lt_add_scalar(lt_tensor *x, float v);
lt_tensor *lt_mul_scalar(lt_tensor *x, float v);

// Broadcasting as everywhere: shapes are aligned at the last axis, and a size of 1 stretches.
lt_tensor *lt_add(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_sub(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_mul(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_div(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_pow(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_maximum(lt_tensor *a, lt_tensor *b); // where equal, the gradient is halved, as in PyTorch
lt_tensor *lt_minimum(lt_tensor *a, lt_tensor *b);

// 1 where it holds, 0 elsewhere; no gradient.
lt_tensor *lt_eq(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_ne(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_lt(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_le(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_gt(lt_tensor *a, lt_tensor *b);
lt_tensor *lt_ge(lt_tensor *a, lt_tensor *b);

// condition != 0 ? a : b, all three broadcast; no gradient for the condition.
lt_tensor *lt_where(lt_tensor *condition, lt_tensor *a, lt_tensor *b);

// x + a * b, all three broadcast.
lt_tensor *lt_addcmul(lt_tensor *x, lt_tensor *a, lt_tensor *b);

// In place, not recorded: t += alpha * u (u broadcasts to t), t *= u.
int lt_add_in_place(lt_tensor *t, lt_tensor *u, float alpha);
int lt_mul_in_place(lt_tensor *t, lt_tensor *u);

#endif
