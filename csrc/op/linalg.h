// Square matrices through LAPACK: determinants, solving, inverses (with gradients); eigenvalues and QR (without).
#ifndef LT_OP_LINALG_H
#define LT_OP_LINALG_H

#include "tensor/tape.h"

// log |det A| of A (n,n); *sign (may be NULL) gets -1, 0 or 1. A singular matrix gives -inf.
lt_tensor *lt_logabsdet(lt_tensor *a, float *sign);
lt_tensor *lt_inverse(lt_tensor *a);                                  // an error when A is singular
lt_tensor *lt_solve(lt_tensor *a, lt_tensor *b);                      // x with A x = b; b is (n) or (n,m)
int lt_lu(lt_tensor *a, lt_tensor **p, lt_tensor **l, lt_tensor **u); // A = P L U, no gradient
int lt_eigh(lt_tensor *a, lt_tensor **values, lt_tensor **vectors);   // ascending; columns; no gradient
int lt_qr(lt_tensor *a, lt_tensor **q, lt_tensor **r);                // A (m,n) = Q (m,k) R (k,n), k = min(m,n)

#endif
