// Winograd's transforms in one dimension, for tiles of `side` inputs, which have four outputs: side 6 is F(4,3), side 5
// is F(4,2). Private to csrc/kernel.
//
// Four outputs of 3 (or 2) taps are y = A^T ((G g) * (B^T d)): 6 (or 5) products in place of 12 (or 8). Toom-Cook: rows
// of A^T are the powers of the points; a row of G is (1, a, a^2) over the product of a's differences to the other
// finite points; a row of B^T is the polynomial that vanishes at every other point. Opposite points share their even
// and odd halves.
//
// Side 6: points 0, +-p, +-q, infinity with p = sqrt(1/2), q = sqrt(2): the rounding error is half that of the
// textbook's 1 and 2, about twice that of the direct sum.
// Side 5: points +-1/2, +-3/2, infinity. Root mean square of the error against float64, relative, 256 channels, 2x2
// taps, sums in float32: 1.0e-6, and .9e-6 of the weights' gradient; the direct sum .6e-6 and 1.1e-6; points 0, +-1, 2,
// infinity 1.7e-6 and 2.2e-6.
#ifndef LT_KERNEL_CONV_WINOGRAD_POINTS_H
#define LT_KERNEL_CONV_WINOGRAD_POINTS_H

#include "kernel/tile.h"

// ---- side 6 --------------------------------------------------------------------------------------------------------

#define LT_WINO_P 0.70710678118654752f
#define LT_WINO_Q 1.41421356237309505f

// v = B^T d
LT_INLINE void lt_wino_six_input(const lt_vec *d, lt_vec *v)
{
    const lt_vec even_p = d[4] - 2.0f * d[2], odd_p = d[3] - 2.0f * d[1];
    const lt_vec even_q = d[4] - 0.5f * d[2], odd_q = d[3] - 0.5f * d[1];
    const lt_vec first = d[0] + d[4], last = d[1] + d[5];
    v[0] = first - 2.5f * d[2];
    v[1] = even_p + LT_WINO_P * odd_p;
    v[2] = even_p - LT_WINO_P * odd_p;
    v[3] = even_q + LT_WINO_Q * odd_q;
    v[4] = even_q - LT_WINO_Q * odd_q;
    v[5] = last - 2.5f * d[3];
}

// y = A^T m
LT_INLINE void lt_wino_six_output(const lt_vec *m, lt_vec *y)
{
    const lt_vec even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
    const lt_vec odd = odd_p + 2.0f * odd_q, even = even_p + 4.0f * even_q;
    const lt_vec cubes = odd_p + 8.0f * odd_q, both = even_p + even_q;
    y[0] = m[0] + both;
    y[1] = LT_WINO_P * odd;
    y[2] = 0.5f * even;
    y[3] = m[5] + 0.5f * LT_WINO_P * cubes;
}

// u = G g
LT_INLINE void lt_wino_six_weight(const lt_vec *g, lt_vec *u)
{
    const lt_vec even_p = -2.0f / 3 * g[0] - 1.0f / 3 * g[2], odd_p = -2.0f / 3 * LT_WINO_P * g[1];
    const lt_vec even_q = 1.0f / 6 * g[0] + 1.0f / 3 * g[2], odd_q = 1.0f / 6 * LT_WINO_Q * g[1];
    u[0] = g[0];
    u[1] = even_p + odd_p;
    u[2] = even_p - odd_p;
    u[3] = even_q + odd_q;
    u[4] = even_q - odd_q;
    u[5] = g[2];
}

// v = A d: what the gradient of the outputs becomes
LT_INLINE void lt_wino_six_output_adjoint(const lt_vec *d, lt_vec *v)
{
    const lt_vec even_p = d[0] + 0.5f * d[2], odd_p = d[1] + 0.5f * d[3];
    const lt_vec even_q = d[0] + 2.0f * d[2], odd_q = d[1] + 2.0f * d[3];
    v[0] = d[0];
    v[1] = even_p + LT_WINO_P * odd_p;
    v[2] = even_p - LT_WINO_P * odd_p;
    v[3] = even_q + LT_WINO_Q * odd_q;
    v[4] = even_q - LT_WINO_Q * odd_q;
    v[5] = d[3];
}

// g = G^T u
LT_INLINE void lt_wino_six_weight_adjoint(const lt_vec *u, lt_vec *g)
{
    const lt_vec even_p = -2.0f / 3 * (u[1] + u[2]), odd_p = -2.0f / 3 * LT_WINO_P * (u[1] - u[2]);
    const lt_vec even_q = 1.0f / 6 * (u[3] + u[4]), odd_q = 1.0f / 6 * LT_WINO_Q * (u[3] - u[4]);
    const lt_vec both = even_p + even_q;
    g[0] = u[0] + both;
    g[1] = odd_p + odd_q;
    const lt_vec squares = 0.5f * even_p + 2.0f * even_q;
    g[2] = squares + u[5];
}

#undef LT_WINO_P
#undef LT_WINO_Q

// ---- side 5 --------------------------------------------------------------------------------------------------------

LT_INLINE void lt_wino_five_input(const lt_vec *d, lt_vec *v)
{
    const lt_vec odd_p = d[3] - 2.25f * d[1], even_p = d[2] - 2.25f * d[0];
    const lt_vec odd_q = d[3] - 0.25f * d[1], even_q = d[2] - 0.25f * d[0];
    const lt_vec last = d[4] + 0.5625f * d[0];
    v[0] = odd_p + 0.5f * even_p;
    v[1] = odd_p - 0.5f * even_p;
    v[2] = odd_q + 1.5f * even_q;
    v[3] = odd_q - 1.5f * even_q;
    v[4] = last - 2.5f * d[2];
}

LT_INLINE void lt_wino_five_output(const lt_vec *m, lt_vec *y)
{
    const lt_vec even_p = m[0] + m[1], odd_p = m[0] - m[1], even_q = m[2] + m[3], odd_q = m[2] - m[3];
    const lt_vec odd = odd_p + 3.0f * odd_q, even = even_p + 9.0f * even_q, cubes = odd_p + 27.0f * odd_q;
    y[0] = even_p + even_q;
    y[1] = 0.5f * odd;
    y[2] = 0.25f * even;
    y[3] = m[4] + 0.125f * cubes;
}

LT_INLINE void lt_wino_five_weight(const lt_vec *g, lt_vec *u)
{
    const lt_vec half = 0.5f * g[0], sixth = 1.0f / 6 * g[0];
    u[0] = -0.25f * g[1] - half;
    u[1] = half - 0.25f * g[1];
    u[2] = sixth + 0.25f * g[1];
    u[3] = 0.25f * g[1] - sixth;
    u[4] = g[1];
}

LT_INLINE void lt_wino_five_output_adjoint(const lt_vec *d, lt_vec *v)
{
    const lt_vec even_p = d[0] + 0.25f * d[2], odd_p = d[1] + 0.25f * d[3];
    const lt_vec even_q = d[0] + 2.25f * d[2], odd_q = d[1] + 2.25f * d[3];
    v[0] = even_p + 0.5f * odd_p;
    v[1] = even_p - 0.5f * odd_p;
    v[2] = even_q + 1.5f * odd_q;
    v[3] = even_q - 1.5f * odd_q;
    v[4] = d[3];
}

LT_INLINE void lt_wino_five_weight_adjoint(const lt_vec *u, lt_vec *g)
{
    const lt_vec sixths = u[2] - u[3], quarters = (u[2] + u[3]) - (u[0] + u[1]);
    g[0] = 0.5f * (u[1] - u[0]) + 1.0f / 6 * sixths;
    g[1] = u[4] + 0.25f * quarters;
}

// ---- either --------------------------------------------------------------------------------------------------------

#define LT_WINO_EITHER(name)                                                                                           \
    LT_INLINE void lt_wino_##name(const lt_vec *from, lt_vec *to, const int side)                                      \
    {                                                                                                                  \
        if (side == 6)                                                                                                 \
            lt_wino_six_##name(from, to);                                                                              \
        else                                                                                                           \
            lt_wino_five_##name(from, to);                                                                             \
    }
LT_WINO_EITHER(input)          // v = B^T d, `side` values of each
LT_WINO_EITHER(output)         // y = A^T m, side values to 4
LT_WINO_EITHER(weight)         // u = G g, side - 3 values to side
LT_WINO_EITHER(output_adjoint) // v = A dy, 4 values to side
LT_WINO_EITHER(weight_adjoint) // g = G^T u, side values to side - 3
#undef LT_WINO_EITHER

#endif
