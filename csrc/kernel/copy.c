// The loops of copy.h: windows run by run, with short cuts for runs that lie in one piece.
#include "kernel/copy.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/isa.h"

#define INLINE static inline __attribute__((always_inline))

typedef uint32_t four __attribute__((may_alias)); // the bytes of a float or an int32_t

// Runs are often as short as the channels of a picture: they go by without a call, and without loops that compilers
// would turn into one. What is left at the end is copied with some of what stands before it once more.
INLINE void copy_bytes(char *restrict to, const char *restrict from, int64_t n)
{
    int64_t i = 0;
    if (n > 1024) {
        memcpy(to, from, (size_t)n);
    } else if (n >= 16) {
        for (; i + 64 <= n; i += 64)
            memcpy(to + i, from + i, 64);
        if (i + 32 <= n) {
            memcpy(to + i, from + i, 32);
            i += 32;
        }
        if (i + 16 <= n)
            memcpy(to + i, from + i, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 4) {
        const int64_t half = n >= 8 ? 8 : 4;
        memcpy(to, from, 4);
        memcpy(to + half - 4, from + half - 4, 4);
        memcpy(to + n - half, from + n - half, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n > 0) {
        to[0] = from[0];
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
    }
}

static void fill(int64_t n, int64_t item, const void *value, void *y)
{
    if (item == 1) {
        memset(y, *(const uint8_t *)value, (size_t)n);
        return;
    }
    four v, *to = y;
    memcpy(&v, value, sizeof v);
    for (int64_t i = 0; i < n; i++)
        to[i] = v;
}

// n items, the window's `step` (not 0) apart. The loop goes by the window's pointer: a compiler that cannot count its
// turns beforehand makes no vectors of single items, which would cost more than they save.
INLINE void copy_apart(const bool put, int64_t n, int64_t step, int64_t item, char *window, char *packed)
{
    const int64_t apart = step * item;
    const char *end = window + n * apart;
    if (item == 4)
        for (; window != end; window += apart, packed += 4)
            memcpy(put ? window : packed, put ? packed : window, 4);
    else
        for (; window != end; window += apart, packed++)
            *(put ? window : packed) = *(put ? packed : window);
}

static void copy_backwards(int64_t n, const four *restrict from, four *restrict to) // from[0], from[-1], ..
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[-i];
}

INLINE void copy_run(const bool put, int64_t n, int64_t step, int64_t item, char *window, char *packed)
{
    if (step == 1)
        copy_bytes(put ? window : packed, put ? packed : window, n * item);
    else if (step == 0 && !put)
        fill(n, item, window, packed);
    else if (step == -1 && !put && item == 4)
        copy_backwards(n, (const four *)window, (four *)packed);
    else
        copy_apart(put, n, step, item, window, packed);
}

// How many items run `run` lies from the first one, and how many runs, from this one on, are equally far apart.
static int64_t place(const lt_window *w, int64_t run, int64_t *alike)
{
    int64_t at = 0;
    *alike = 1;
    for (int axis = w->ndim - 2; axis >= 0; axis--) {
        const int64_t k = run % w->size[axis];
        if (axis == w->ndim - 2)
            *alike = w->size[axis] - k;
        at += k * w->step[axis];
        run /= w->size[axis];
    }
    return at;
}

// Runs of a few floats, all `apart` bytes from each other: the copy of a constant size is an instruction or two.
INLINE void small_runs(const bool put, int64_t runs, const size_t bytes, char *window, int64_t apart, char *packed)
{
    for (; runs > 0; runs--, window += apart, packed += bytes)
        memcpy(put ? window : packed, put ? packed : window, bytes);
}

INLINE bool copied_small(const bool put, int64_t runs, int64_t bytes, char *window, int64_t apart, char *packed)
{
    switch (bytes) {
    case 8:
        small_runs(put, runs, 8, window, apart, packed);
        return true;
    case 16:
        small_runs(put, runs, 16, window, apart, packed);
        return true;
    case 32:
        small_runs(put, runs, 32, window, apart, packed);
        return true;
    default:
        return false;
    }
}

INLINE void walk(const bool put, const lt_window *w, int64_t begin, int64_t end, char *first, char *packed)
{
    const int last = w->ndim - 1;
    const int64_t n = w->size[last], step = w->step[last], item = w->item;
    const int64_t apart = last ? w->step[last - 1] * item : 0;
    packed += begin * n * item;
    for (int64_t run = begin; run < end;) {
        int64_t alike;
        char *window = first + place(w, run, &alike) * item;
        alike = alike < end - run ? alike : end - run;
        if (step == 1 && copied_small(put, alike, n * item, window, apart, packed)) {
            run += alike;
            packed += alike * n * item;
            continue;
        }
        for (; alike > 0; alike--, run++, window += apart, packed += n * item)
            copy_run(put, n, step, item, window, packed);
    }
}

static void take(const lt_window *w, int64_t begin, int64_t end, const void *window, void *packed)
{
    walk(false, w, begin, end, (char *)window, packed);
}

static void put(const lt_window *w, int64_t begin, int64_t end, void *window, const void *packed)
{
    walk(true, w, begin, end, window, (char *)packed);
}

static void repeat(int64_t rows, int64_t n, const float *x, float *y)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(y + r * n, x, (size_t)n * sizeof *x);
}

static void u8_to_i32(int64_t n, const uint8_t *restrict x, int32_t *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i];
}

static void i32_to_u8(int64_t n, const int32_t *restrict x, uint8_t *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)(x[i] < 0 ? 0 : x[i] > 255 ? 255 : x[i]);
}

const lt_copy_kernels LT_NAME(lt_copy) = {
    .take = take,
    .put = put,
    .fill = fill,
    .repeat = repeat,
    .u8_to_i32 = u8_to_i32,
    .i32_to_u8 = i32_to_u8,
};
