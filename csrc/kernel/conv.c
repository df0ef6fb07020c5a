// Forward and input gradient: both become a plan (see conv_shared.h), which one of three routines carries out.
#include "kernel/conv.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_winograd.h"

// So many taps, and so far from the first to the last, down and across.
static bool spans(const lt_conv_phase *f, int64_t taps, int64_t span)
{
    if (f->taps != taps)
        return false;
    const int64_t down = f->tap[taps - 1].dy - f->tap[0].dy, across = f->tap[taps - 1].dx - f->tap[0].dx;
    return down * down == span * span && across * across == span * span;
}

// 3x3 taps without gaps, stride 1. The only phase of a gradient has fewer of the taps where a stride is larger than the
// picture.
static bool is_3x3(const lt_conv_plan *p)
{
    return p->phases == 1 && p->taps == 9 && p->source_step_h == 1 && p->source_step_w == 1 && spans(p->phase, 9, 2);
}

// 4x4 taps without gaps, stride 2: forward, or the four phases of a gradient.
static bool is_4x4_strided(const lt_conv_plan *p)
{
    const lt_conv_phase *f = p->phase;
    if (p->taps != 16 || p->phases == 1)
        return p->taps == 16 && p->source_step_h == 2 && p->source_step_w == 2 && spans(f, 16, 3);
    return p->phases == 4 && p->step_h == 2 && p->step_w == 2 && spans(&f[0], 4, 1) && spans(&f[1], 4, 1) &&
           spans(&f[2], 4, 1) && spans(&f[3], 4, 1);
}

// The side of the tiles of Winograd's way (see conv_winograd.h) where it suits a plan; else 0.
static int64_t winograd_side(const lt_conv_plan *p)
{
    if (is_3x3(p) && lt_wino_pays(p->n, p->dest_h, p->dest_w, p->groups, p->k, p->columns))
        return 6;
    const lt_conv_phase *f = p->phase;
    return is_4x4_strided(p) && lt_wino_pays_strided(p->n, f->grid_h, f->grid_w, p->groups, p->k, p->columns) ? 5 : 0;
}

typedef struct {
    lt_conv_terms terms;
    int64_t pixels, c; // of a picture, of a pixel
    float *y;
} terms_job;

static void terms_piece(void *context, int64_t begin, int64_t end)
{
    const terms_job *j = context;
    const int64_t c = j->c;
    for (int64_t i = begin; i < end; i++) {
        const float *shift = j->terms.shift ? j->terms.shift + i / j->pixels * c : NULL;
        const float *add = j->terms.add ? j->terms.add + i * c : NULL;
        float *y = j->y + i * c;
        for (int64_t k = 0; shift && k < c; k++)
            y[k] += shift[k];
        for (int64_t k = 0; add && k < c; k++)
            y[k] += add[k];
    }
}

void LT_NAME(lt_conv_more_terms)(const lt_conv_terms *terms, int64_t n, int64_t pixels, int64_t c, float *y)
{
    terms_job j = {*terms, pixels, c, y};
    if (terms->shift || terms->add)
        lt_parallel(n * pixels, 1 + 16384 / c, terms_piece, &j);
}

int LT_NAME(lt_conv_direct)(const lt_conv_plan *p)
{
    int status;
    if (p->groups > 1 && p->k == 1 && p->columns == 1) {
        status = LT_NAME(lt_conv_depthwise)(p);
    } else {
        // The product of all taps wastes nothing that a tile would not waste more of; groups repeat it, so few of them.
        bool narrow = p->taps > 1 && p->columns < LT_LANES && p->columns * p->taps <= 2 * LT_NR_MAX && p->k >= 8 &&
                      p->source_step_h * p->source_step_w == 1;
        status = narrow ? LT_NAME(lt_conv_narrow)(p) : LT_NAME(lt_conv_wide)(p);
    }
    if (status == LT_OK)
        LT_NAME(lt_conv_more_terms)(&p->terms, p->n, p->dest_h * p->dest_w, p->dest_c, p->dest);
    return status;
}

static int carry_out(const lt_conv_plan *p)
{
    const int64_t side = winograd_side(p);
    return side ? LT_NAME(lt_conv_winograd)(p, side) : LT_NAME(lt_conv_direct)(p);
}

int LT_NAME(lt_conv_forward_by)(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms,
                                float *y, lt_conv_carrier carry)
{
    int64_t taps = s->kh * s->kw, k = s->cin / s->groups, columns = s->cout / s->groups;
    if (s->n * s->oh * s->ow * s->cout == 0)
        return LT_OK;
    lt_conv_tap *tap = lt_alloc((size_t)taps * sizeof *tap);
    if (!tap)
        return LT_FAIL;
    lt_conv_forward_taps(s, tap);
    lt_conv_phase phase = {.grid_h = s->oh, .grid_w = s->ow, .taps = taps, .tap = tap};
    lt_conv_plan p = {.n = s->n,
                      .source_h = s->h,
                      .source_w = s->w,
                      .source_c = s->cin,
                      .dest_h = s->oh,
                      .dest_w = s->ow,
                      .dest_c = s->cout,
                      .groups = s->groups,
                      .k = k,
                      .columns = columns,
                      .step_h = 1,
                      .step_w = 1,
                      .source_step_h = s->stride_h,
                      .source_step_w = s->stride_w,
                      .taps = taps,
                      .weight_k = 1,
                      .weight_n = taps * k,
                      .weight_tap = k,
                      .weight_group = columns * taps * k,
                      .source = x,
                      .weight = weight,
                      .terms = *terms,
                      .dest = y,
                      .phases = 1,
                      .phase = &phase};
    int status = carry(&p);
    lt_free(tap);
    return status;
}

// Taps that input pixels of remainder (ry,rx) meet: those where (r + padding - k*dilation) divides by the stride.
static int64_t taps_of_phase(const lt_conv_shape *s, int64_t ry, int64_t rx, lt_conv_tap *tap)
{
    int64_t n = 0;
    for (int64_t ky = 0; ky < s->kh; ky++)
        for (int64_t kx = 0; kx < s->kw; kx++) {
            int64_t dy = ry + s->padding_h - ky * s->dilation_h, dx = rx + s->padding_w - kx * s->dilation_w;
            if (dy % s->stride_h == 0 && dx % s->stride_w == 0)
                tap[n++] = (lt_conv_tap){.dy = (int32_t)(dy / s->stride_h),
                                         .dx = (int32_t)(dx / s->stride_w),
                                         .index = (int32_t)(ky * s->kw + kx)};
        }
    return n;
}

int LT_NAME(lt_conv_input_gradient_by)(const lt_conv_shape *s, const float *dy, const float *weight,
                                       const lt_conv_terms *terms, float *dx, lt_conv_carrier carry)
{
    int64_t taps = s->kh * s->kw, columns = s->cin / s->groups, k = s->cout / s->groups;
    if (s->n * s->h * s->w * s->cin == 0)
        return LT_OK;
    int64_t across = lt_min_i64(s->stride_w, s->w), phases = lt_min_i64(s->stride_h, s->h) * across;
    lt_conv_phase *phase = lt_alloc((size_t)phases * sizeof *phase);
    lt_conv_tap *tap = lt_alloc((size_t)taps * sizeof *tap); // every tap is of one phase at most
    int status = LT_FAIL;
    if (phase && tap) {
        int64_t used = 0;
        for (int64_t f = 0; f < phases; f++) {
            int64_t ry = f / across, rx = f % across, n = taps_of_phase(s, ry, rx, tap + used);
            phase[f] = (lt_conv_phase){.grid_h = (s->h - ry + s->stride_h - 1) / s->stride_h,
                                       .grid_w = (s->w - rx + s->stride_w - 1) / s->stride_w,
                                       .first_y = ry,
                                       .first_x = rx,
                                       .taps = n,
                                       .tap = tap + used};
            used += n;
        }
        lt_conv_plan p = {.n = s->n,
                          .source_h = s->oh,
                          .source_w = s->ow,
                          .source_c = s->cout,
                          .dest_h = s->h,
                          .dest_w = s->w,
                          .dest_c = s->cin,
                          .groups = s->groups,
                          .k = k,
                          .columns = columns,
                          .step_h = s->stride_h,
                          .step_w = s->stride_w,
                          .source_step_h = 1,
                          .source_step_w = 1,
                          .taps = taps,
                          .weight_k = taps * columns,
                          .weight_n = 1,
                          .weight_tap = columns,
                          .weight_group = k * taps * columns,
                          .source = dy,
                          .weight = weight,
                          .terms = *terms,
                          .dest = dx,
                          .phases = phases,
                          .phase = phase};
        status = carry(&p);
    }
    lt_free(phase);
    lt_free(tap);
    return status;
}

static int forward(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms, float *y)
{
    return LT_NAME(lt_conv_forward_by)(s, x, weight, terms, y, carry_out);
}

static int input_gradient(const lt_conv_shape *s, const float *dy, const float *weight, const lt_conv_terms *terms,
                          float *dx)
{
    return LT_NAME(lt_conv_input_gradient_by)(s, dy, weight, terms, dx, carry_out);
}

const lt_conv_kernels LT_NAME(lt_conv) = {
    .forward = forward, .input_gradient = input_gradient, .weight_gradient = LT_NAME(lt_conv_weight_gradient)};
