// The inner loops of tile.h for 64-bit ARM. Private to csrc/kernel.
//
// ARM multiplies a vector by one lane of another in a single instruction, so elements of A are read four at a time and
// need no broadcast: a step of a 6 x 4 tile is 24 multiply-adds and about 6 instructions of other kinds. Of 32
// registers 24 hold sums, 6 the rows of A, and vectors of B come one after the other. Loops over the tile are unrolled
// by hand: gcc 12 else keeps the sums in memory.
#ifndef LT_KERNEL_TILE_NEON_H
#define LT_KERNEL_TILE_NEON_H

#include <arm_neon.h>

// sum += column `lane` of the rows a times the nv vectors at b.
LT_INLINE void lt_neon_step(lt_vec (*sum)[LT_NV_MAX], const lt_vec *a, const float *b, const int lane, const int mr,
                            const int nv)
{
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) {
        const lt_vec bv = ((const lt_vec_u *)b)[j];
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++)
            sum[i][j] += a[i][lane] * bv;
    }
}

// A by row pointers, B packed [step][nv vectors]: the steps that go in fours. Returns their number.
LT_INLINE int64_t lt_neon_rows(const float *const *row, int64_t steps, const float *b, lt_vec (*sum)[LT_NV_MAX],
                               const int mr, const int nv)
{
    const int width = nv * LT_LANES;
    int64_t k = 0;
    for (; k + 4 <= steps; k += 4, b += 4 * width) {
        lt_vec a[LT_MR_MAX];
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++)
            a[i] = *(const lt_vec_u *)(row[i] + k);
        lt_neon_step(sum, a, b, 0, mr, nv);
        lt_neon_step(sum, a, b + width, 1, mr, nv);
        lt_neon_step(sum, a, b + 2 * width, 2, mr, nv);
        lt_neon_step(sum, a, b + 3 * width, 3, mr, nv);
    }
    return k;
}

// sum += the mr values at a times the nv vectors at b; mr is 6, 8 or 12.
LT_INLINE void lt_neon_outer(lt_vec (*sum)[LT_NV_MAX], const float *a, const float *b, const int mr, const int nv)
{
    lt_vec bv[LT_NV_MAX];
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++)
        bv[j] = ((const lt_vec_u *)b)[j];
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++) {
        const int first = lt_min_i64(i / 4 * 4, mr - 4); // of six values the last four are read as one vector too
        const lt_vec av = *(const lt_vec_u *)(a + first);
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            sum[i][j] += av[i - first] * bv[j];
    }
}

#endif
