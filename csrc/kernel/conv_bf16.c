// Convolution of inputs rounded to bfloat16, by vdpbf16ps: forward and input gradient as plans (see conv_shared.h).
//
// As in conv_wide.c a block is 96 pixels times the panels of the weights, through pointers to source rows, one a tap.
// The source is rounded once into a picture of pairs, half its size, because every tap reads it again. A 1x1
// convolution is a matrix product and goes there; few channels, on either side, are mostly memory and go to the float32
// kernels.
#include "kernel/conv.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/bf16.h"
#include "kernel/conv_bf16.h"
#include "kernel/conv_rows.h"
#include "kernel/conv_winograd.h"
#include "kernel/tile_bf16.h"

enum { BLOCK = 96, ITEMS = 16, CONVERT = 1 << 15 };

typedef struct {
    const lt_conv_plan *p;
    const lt_conv_phase *phase;
    int64_t group, steps;  // pairs of a group's channels
    float *source;         // pairs
    float *panels;         // packed weights: for each panel, [tap][step][vectors]
    const float **scratch; // row pointers for every tap, one area a thread
    int64_t area;
    const float *zeros;
    int64_t pixels, shares, panel_count;
} job;

static void convert_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    if (p->k == 2 * j->steps) // no gaps: one long row
        lt_pack_rows(p->source + begin * p->k, 0, 1, (end - begin) * p->k, j->source + begin * j->steps, 0);
    else
        lt_pack_rows(p->source + begin * p->k, p->k, end - begin, p->k, j->source + begin * j->steps, j->steps);
}

static void pack_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    const int64_t taps = j->phase->taps;
    const bool turned = p->weight_n != 1;
    for (int64_t item = begin; item < end; item++) {
        const int64_t column = item / taps * LT_NR_MAX, t = item % taps;
        const int64_t width = lt_panel_vectors(column, p->columns) * LT_LANES;
        const float *w = p->weight + j->phase->tap[t].index * p->weight_tap + j->group * p->weight_group;
        lt_pack_panel_pairs(w, turned ? p->weight_n : p->weight_k, turned, p->k, p->columns, column,
                            j->panels + taps * j->steps * column + t * j->steps * width);
    }
}

// Where the results of grid pixels [begin, end) go.
static void locate_results(const job *j, int64_t begin, int64_t end, float **out)
{
    const lt_conv_plan *p = j->p;
    const lt_conv_phase *f = j->phase;
    for (int64_t i = begin; i < end; i++) {
        const int64_t gx = i % f->grid_w, gy = i / f->grid_w % f->grid_h, n = i / (f->grid_w * f->grid_h);
        const int64_t y = f->first_y + gy * p->step_h, x = f->first_x + gx * p->step_w;
        out[i - begin] = p->dest + ((n * p->dest_h + y) * p->dest_w + x) * p->dest_c + j->group * p->columns;
    }
}

// One item: a block of pixels and a share of the panels.
static void block_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_plan *p = j->p;
    const float **rows = j->scratch + lt_thread_index() * j->area;
    const int64_t taps = j->phase->taps;
    lt_conv_pixels pixels;
    float *out[BLOCK];
    const lt_conv_source source = {.first = j->source + j->group * j->steps,
                                   .h = p->source_h,
                                   .w = p->source_w,
                                   .c = p->groups * j->steps,
                                   .k = j->steps,
                                   .taps = taps,
                                   .tap = j->phase->tap,
                                   .zeros = j->zeros};
    lt_pairs_begin();
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item / j->shares * BLOCK, share = item % j->shares;
        const int64_t count = lt_min_i64(BLOCK, j->pixels - first),
                      padded = (count + LT_PAIR_UNIT - 1) / LT_PAIR_UNIT * LT_PAIR_UNIT;
        lt_conv_locate(&source, first, first + count, padded, j->phase->grid_h, j->phase->grid_w, p->source_step_h,
                       p->source_step_w, &pixels);
        locate_results(j, first, first + count, out);
        lt_conv_point(&source, &pixels, rows, BLOCK);
        int64_t panel = share * j->panel_count / j->shares, stop = (share + 1) * j->panel_count / j->shares;
        for (; panel < stop; panel++) {
            const int64_t column = panel * LT_NR_MAX;
            const int nv = lt_panel_vectors(column, p->columns), mr = lt_pair_height(nv);
            lt_tile t = {.taps = taps,
                         .steps = j->steps,
                         .ld = BLOCK,
                         .packed = j->panels + taps * j->steps * column,
                         .column = column,
                         .columns = lt_min_i64(nv * LT_LANES, p->columns - column),
                         .bias = p->terms.bias ? p->terms.bias + j->group * p->columns + column : NULL};
            for (int64_t i = 0; i < count; i += mr) {
                t.rows = rows + i;
                t.out = out + i;
                t.m = lt_min_i64(mr, count - i);
                lt_tile_pairs(&t, nv);
            }
        }
    }
    lt_pairs_end();
}

static int wide(const lt_conv_plan *p)
{
    job j = {.p = p, .steps = lt_pairs(p->k), .panel_count = (p->columns + LT_NR_MAX - 1) / LT_NR_MAX};
    const int64_t rows = p->n * p->source_h * p->source_w * p->groups;
    int64_t most = 1;
    for (int64_t f = 0; f < p->phases; f++)
        most = lt_max_i64(most, p->phase[f].taps);
    j.area = most * BLOCK;
    float *zeros = lt_alloc_zeroed((size_t)j.steps * sizeof(float));
    j.zeros = zeros;
    j.source = lt_alloc((size_t)(rows * j.steps) * sizeof(float));
    j.panels = lt_alloc((size_t)(most * j.steps * lt_panel_room(p->columns)) * sizeof(float));
    j.scratch = lt_alloc((size_t)(j.area * lt_threads()) * sizeof *j.scratch);
    const bool fine = zeros && j.source && j.panels && j.scratch;
    if (fine)
        lt_parallel(rows, 1 + CONVERT / p->k, convert_piece, &j);
    for (int64_t g = 0; fine && g < p->groups; g++)
        for (int64_t f = 0; f < p->phases; f++) {
            j.group = g;
            j.phase = &p->phase[f];
            j.pixels = p->n * j.phase->grid_h * j.phase->grid_w;
            const int64_t blocks = (j.pixels + BLOCK - 1) / BLOCK;
            j.shares = blocks < ITEMS ? lt_min_i64(j.panel_count, ITEMS) : 1;
            lt_parallel(j.panel_count * j.phase->taps, 1 + 32768 / (p->k * LT_NR_MAX), pack_piece, &j);
            lt_parallel(blocks * j.shares, lt_grain(BLOCK * j.phase->taps * p->k * p->columns / j.shares / 2),
                        block_piece, &j);
        }
    lt_free(zeros);
    lt_free(j.source);
    lt_free(j.panels);
    lt_free((void *)j.scratch);
    if (fine)
        LT_BELOW(lt_conv_more_terms)(&p->terms, p->n, p->dest_h * p->dest_w, p->dest_c, p->dest);
    return fine ? LT_OK : LT_FAIL;
}

// Enough channels on both sides for tiles of pairs to pay, and no faster way? AMX is faster than Winograd's.
static bool is_wide(const lt_conv_shape *s, bool winograd)
{
    return s->cin / s->groups >= 8 && s->cout / s->groups >= 8 && !(winograd && !LT_PAIRS_BEAT_WINOGRAD);
}

static int forward(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms, float *y)
{
    if (!is_wide(s, lt_wino_takes(s)))
        return lt_without_pairs()->conv->forward(s, x, weight, terms, y);
    if (lt_conv_is_product(s)) {
        const lt_gemm_args p = {.trans_b = true,
                                .m = s->n * s->h * s->w,
                                .n = s->cout,
                                .k = s->cin,
                                .alpha = 1,
                                .a = x,
                                .lda = s->cin,
                                .b = weight,
                                .ldb = s->cin,
                                .c = y,
                                .ldc = s->cout,
                                .bias = terms->bias};
        const int status = LT_NAME(lt_gemm).run(&p);
        if (status == LT_OK)
            LT_BELOW(lt_conv_more_terms)(terms, s->n, s->h * s->w, s->cout, y);
        return status;
    }
    return LT_BELOW(lt_conv_forward_by)(s, x, weight, terms, y, wide);
}

static int input_gradient(const lt_conv_shape *s, const float *dy, const float *weight, const lt_conv_terms *terms,
                          float *dx)
{
    if (!is_wide(s, lt_wino_takes_back(s)))
        return lt_without_pairs()->conv->input_gradient(s, dy, weight, terms, dx);
    if (lt_conv_is_product(s)) {
        const lt_gemm_args p = {.m = s->n * s->h * s->w,
                                .n = s->cin,
                                .k = s->cout,
                                .alpha = 1,
                                .a = dy,
                                .lda = s->cout,
                                .b = weight,
                                .ldb = s->cin,
                                .c = dx,
                                .ldc = s->cin,
                                .bias = terms->bias};
        const int status = LT_NAME(lt_gemm).run(&p);
        if (status == LT_OK)
            LT_BELOW(lt_conv_more_terms)(terms, s->n, s->h * s->w, s->cin, dx);
        return status;
    }
    return LT_BELOW(lt_conv_input_gradient_by)(s, dy, weight, terms, dx, wide);
}

static int weight_gradient(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    if (!is_wide(s, lt_wino_takes(s)))
        return lt_without_pairs()->conv->weight_gradient(s, x, dy, dweight);
    if (lt_conv_is_product(s)) {
        const lt_gemm_args p = {.trans_a = true,
                                .m = s->cout,
                                .n = s->cin,
                                .k = s->n * s->h * s->w,
                                .alpha = 1,
                                .a = dy,
                                .lda = s->cout,
                                .b = x,
                                .ldb = s->cin,
                                .c = dweight,
                                .ldc = s->cin};
        return LT_NAME(lt_gemm).run(&p);
    }
    return LT_NAME(lt_conv_weight_gradient)(s, x, dy, dweight);
}

const lt_conv_kernels LT_NAME(lt_conv) = {
    .forward = forward, .input_gradient = input_gradient, .weight_gradient = weight_gradient};
