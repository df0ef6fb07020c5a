// What the files of convolution share. Private to csrc/kernel.
//
// Forward and input gradient are the same computation: every pixel of a destination grid sums, over taps, a row of
// source channels times a matrix. Forward has one grid, all output pixels. The input gradient with stride s has s*s
// grids ("phases"), the input pixels of one remainder each, for only those taps whose offset has that remainder
// meet an output pixel.
#ifndef LT_KERNEL_CONV_SHARED_H
#define LT_KERNEL_CONV_SHARED_H

#include "kernel/conv.h"
#include "kernel/isa.h"

// One tap of a phase: grid pixel (i,j) reads source pixel (i*source_step_h + dy, j*source_step_w + dx).
typedef struct {
    int32_t dy, dx;
    int32_t index; // ky*kw + kx
} lt_conv_tap;

// The taps of a forward convolution.
static inline void lt_conv_forward_taps(const lt_conv_shape *s, lt_conv_tap *tap)
{
    for (int64_t t = 0; t < s->kh * s->kw; t++)
        tap[t] = (lt_conv_tap){.dy = (int32_t)(t / s->kw * s->dilation_h - s->padding_h),
                               .dx = (int32_t)(t % s->kw * s->dilation_w - s->padding_w),
                               .index = (int32_t)t};
}

// Grid pixel (i,j) is destination pixel (first_y + i*step_h, first_x + j*step_w).
typedef struct {
    int64_t grid_h, grid_w;
    int64_t first_y, first_x;
    int64_t taps;
    const lt_conv_tap *tap;
} lt_conv_phase;

typedef struct {
    int64_t n, source_h, source_w, source_c, dest_h, dest_w, dest_c;
    int64_t groups, k, columns; // channels of a group: in the source, in the destination
    int64_t step_h, step_w, source_step_h, source_step_w;
    int64_t taps; // of the whole kernel
    // weight of source channel i, destination channel j, tap t, group g: i*weight_k + j*weight_n + t*weight_tap +
    // g*weight_group
    int64_t weight_k, weight_n, weight_tap, weight_group;
    const float *source, *weight;
    lt_conv_terms terms;
    float *dest;
    int64_t phases;
    const lt_conv_phase *phase;
} lt_conv_plan;

// Forward and input gradient as a plan, handed to what carries it out.
typedef int (*lt_conv_carrier)(const lt_conv_plan *p);
int LT_NAME(lt_conv_forward_by)(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms,
                                float *y, lt_conv_carrier carry);
int LT_NAME(lt_conv_input_gradient_by)(const lt_conv_shape *s, const float *dy, const float *weight,
                                       const lt_conv_terms *terms, float *dx, lt_conv_carrier carry);
// Adds shift and add to a result of n pictures: for routines that add the bias only, as all but Winograd's do.
void LT_NAME(lt_conv_more_terms)(const lt_conv_terms *terms, int64_t n, int64_t pixels, int64_t c, float *y);
// Blocks of destination pixels times packed weights.
int LT_NAME(lt_conv_wide)(const lt_conv_plan *p);
// Destination channels are few: one product for all taps at once, then sums of shifted columns.
int LT_NAME(lt_conv_narrow)(const lt_conv_plan *p);
// Whichever of the routines above suits, and all terms.
int LT_NAME(lt_conv_direct)(const lt_conv_plan *p);
// Fewer multiplications, by tiles of `side` inputs a side: see conv_winograd.h.
int LT_NAME(lt_conv_winograd)(const lt_conv_plan *p, int64_t side);
int LT_NAME(lt_conv_winograd_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight);
// Every channel on its own.
int LT_NAME(lt_conv_depthwise)(const lt_conv_plan *p);
int LT_NAME(lt_conv_depthwise_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight);
// Any convolution; and the way of those that neither of the two above suits.
int LT_NAME(lt_conv_weight_gradient)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight);
int LT_NAME(lt_conv_direct_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight);

#endif
