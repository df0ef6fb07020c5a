// Linear algebra.
#include "op/linalg.h"

#include "lua/check.h"
#include "op/frechet.h"

/*** Logarithm of the absolute determinant, and its sign (torch.slogdet the other way round). Differentiable.
@function logdet
@tparam Tensor a (n,n)
@treturn Tensor scalar; -inf for a singular matrix
@treturn number sign: -1, 0 or 1 */
static int logdet(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a");
    float sign = 0;
    LT_PUSH(L, lt_logabsdet(a, &sign));
    lua_pushnumber(L, (lua_Number)sign);
    return 2;
}

/*** The inverse of a matrix. Differentiable.
@function inverse
@tparam Tensor a (n,n), not singular
@treturn Tensor (n,n) */
static int inverse(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a");
    LT_PUSH(L, lt_inverse(a));
    return 1;
}

/*** x with a x = b. Differentiable.
@function solve
@tparam Tensor a (n,n), not singular
@tparam Tensor b (n) or (n,m)
@treturn Tensor b's shape */
static int solve(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), *b = lt_arg_tensor(L, 2, "b");
    LT_PUSH(L, lt_solve(a, b));
    return 1;
}

// Boxes first, then the numbers into them.
static void boxes(lua_State *L, int n, lt_tensor ***out)
{
    for (int i = 0; i < n; i++)
        out[i] = lt_box(L);
}

/*** a = p l u: a permutation matrix, a lower triangle with ones on its diagonal, an upper triangle. No gradient.
@function lu
@tparam Tensor a (n,n)
@treturn Tensor p
@treturn Tensor l
@treturn Tensor u */
static int lu(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), **out[3], *p, *l, *u;
    boxes(L, 3, out);
    LT_TRY(L, lt_lu(a, &p, &l, &u));
    *out[0] = p;
    *out[1] = l;
    *out[2] = u;
    return 3;
}

/*** Eigenvalues of a symmetric matrix, ascending, and eigenvectors as columns. No gradient.
@function eigh
@tparam Tensor a (n,n); its lower triangle is taken
@treturn Tensor values (n)
@treturn Tensor vectors (n,n) */
static int eigh(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), **out[2], *values, *vectors;
    boxes(L, 2, out);
    LT_TRY(L, lt_eigh(a, &values, &vectors));
    *out[0] = values;
    *out[1] = vectors;
    return 2;
}

/*** a = q r with orthonormal columns in q and an upper triangle r. No gradient.
@function qr
@tparam Tensor a (m,n)
@treturn Tensor q (m,k), k = min(m,n)
@treturn Tensor r (k,n) */
static int qr(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), **out[2], *q, *r;
    boxes(L, 2, out);
    LT_TRY(L, lt_qr(a, &q, &r));
    *out[0] = q;
    *out[1] = r;
    return 2;
}

/*** The Frechet distance of two sets of vectors, each taken for a Gaussian of mean m and covariance S (with n - 1 in
its denominator): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), computed in double. Of features of pictures it is what
Heusel et al. 2017 (arXiv 1706.08500) call FID. Few vectors make it too large: compare sets of the same size. No
gradient.
@function frechet
@tparam Tensor a (n,d), n at least 2
@tparam Tensor b (m,d)
@treturn number 0 or more */
static int frechet(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), *b = lt_arg_tensor(L, 2, "b");
    double distance = 0;
    LT_TRY(L, lt_frechet(a, b, &distance));
    lua_pushnumber(L, (lua_Number)distance);
    return 1;
}

void lt_open_linalg(lua_State *L)
{
    static const lt_function functions[] = {
        {"logdet", logdet, LT_IN_BOTH},     {"inverse", inverse, LT_IN_BOTH},
        {"solve", solve, LT_IN_BOTH},       {"lu", lu, LT_IN_BOTH},
        {"eigh", eigh, LT_IN_BOTH},         {"qr", qr, LT_IN_BOTH},
        {"frechet", frechet, LT_IN_MODULE}, {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
