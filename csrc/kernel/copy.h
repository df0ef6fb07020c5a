// Values moved to another place or another type, not computed with. Single-threaded: the operations cut the work with
// lt_parallel. Arrays of one call do not overlap.
#ifndef LT_KERNEL_COPY_H
#define LT_KERNEL_COPY_H

#include <stdint.h>

enum { LT_WINDOW_AXES = 8 };

// Places of an array that are walked with steps: place (i, j, ..) is i * step[0] + j * step[1] + .. items from the
// first one. Steps may be 0 (the same item again) or negative. A run is all places of the last axis; runs are counted
// in order from 0.
typedef struct {
    int ndim; // at least 1
    int64_t size[LT_WINDOW_AXES], step[LT_WINDOW_AXES];
    int64_t item; // bytes of an item: 1 or 4
} lt_window;

typedef struct {
    // Runs begin .. end - 1 of a window, and the array in which all runs lie one after another: take reads the window,
    // put writes into it, and no step of its window is 0. Both arrays are named by their first item, that of run 0.
    void (*take)(const lt_window *w, int64_t begin, int64_t end, const void *window, void *packed);
    void (*put)(const lt_window *w, int64_t begin, int64_t end, void *window, const void *packed);

    void (*fill)(int64_t n, int64_t item, const void *value, void *y); // n times one item
    void (*repeat)(int64_t rows, int64_t n, const float *x, float *y); // y(rows, n), each row x(n)
    void (*u8_to_i32)(int64_t n, const uint8_t *x, int32_t *y);
    void (*i32_to_u8)(int64_t n, const int32_t *x, uint8_t *y); // clamped
} lt_copy_kernels;

extern const lt_copy_kernels lt_copy_portable, lt_copy_avx2, lt_copy_avx512;

#endif
