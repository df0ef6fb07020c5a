// The weight gradient: dweight[o][tap][c] = sum over output pixels of dy[pixel][o] * x[pixel under tap][c].
//
// Pixels are cut into slices, each summed into a copy of dweight of its own, and the copies are added in order: how
// many there are depends on the sizes alone, so any number of threads gives the same bits. A slice is worked in
// chunks of up to 256 pixels, few enough that their rows of x and dy stay in the cache while every tap and every tile
// uses them. dy is packed in columns of the tile's height; x is read where it lies, through a pointer a pixel and tap.
// Where a group's channels are not whole vectors the taps are gathered side by side instead.
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernel/conv_rows.h"
#include "kernel/conv_winograd.h"

enum { CHUNK = LT_CONV_PIXELS, ITEMS = 16, COPIES_BYTES = 8 << 20, CHUNK_BYTES = 192 << 10 };

typedef struct {
    const lt_conv_shape *s;
    lt_conv_source x;
    const float *dy;
    float *dweight;
    float *copies; // slices - 1 further copies of dweight; the first slice sums into dweight itself
    char *scratch; // one area a thread: row pointers, packed dy, gathered x
    size_t area, pointers_bytes, packed_bytes;
    int64_t group, k, outs, taps; // channels of a group in x and in dy
    int64_t segments, length;     // pointers a pixel, and how many columns each stands for
    int64_t pixels, chunk, slices, shares;
    int nv, mr;
    bool gather;
} job;

// `count` rows of mr values, `from_ld` apart, side by side.
LT_INLINE void pack_whole(const float *from, int64_t from_ld, int64_t count, const int mr, float *to)
{
    for (int64_t i = 0; i < count; i++, from += from_ld, to += mr)
        for (int c = 0; c < mr; c++)
            to[c] = from[c];
}

// dy of tile columns [o, o + mr) -> [pixel][mr], zeros past the last.
static void pack(const job *j, int64_t first, int64_t count, int64_t o, float *to)
{
    const int64_t ld = j->s->cout;
    const float *from = j->dy + first * ld + j->group * j->outs + o;
    int64_t real = lt_min_i64(j->mr, j->outs - o);
    if (real == 6 && j->mr == 6)
        pack_whole(from, ld, count, 6, to);
    else if (real == 8 && j->mr == 8)
        pack_whole(from, ld, count, 8, to);
    else if (real == 12)
        pack_whole(from, ld, count, 12, to);
    else
        for (int64_t i = 0; i < count; i++, from += ld, to += j->mr) {
            for (int64_t c = 0; c < real; c++)
                to[c] = from[c];
            for (int64_t c = real; c < j->mr; c++)
                to[c] = 0;
        }
}

static void chunk_tiles(const job *j, const float **rows, const float *packed, int64_t count, int64_t o, float *sum,
                        float beta)
{
    int64_t row = j->taps * j->k;
    float *out[LT_MR_MAX];
    for (int64_t i = 0; i < j->mr; i++)
        out[i] = sum + lt_min_i64(o + i, j->outs - 1) * row;
    for (int64_t segment = 0; segment < j->segments; segment++)
        for (int64_t column = 0; column < j->length; column += j->nv * LT_LANES) {
            int64_t left = j->length - column;
            int nv = (int)lt_min_i64(j->nv, (left + LT_LANES - 1) / LT_LANES);
            lt_tile t = {.steps = count,
                         .rows = rows + segment * CHUNK,
                         .packed = packed,
                         .out = out,
                         .column = segment * j->length + column,
                         .m = lt_min_i64(j->mr, j->outs - o),
                         .columns = lt_min_i64(nv * LT_LANES, left),
                         .beta = beta};
            lt_tile_outer(&t, column, j->mr, nv);
        }
}

// One item: a slice of the pixels and a share of the output channels.
static void slice_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const lt_conv_shape *s = j->s;
    lt_conv_pixels pixels;
    char *area = j->scratch + (size_t)lt_thread_index() * j->area;
    const float **rows = (const float **)area;
    float *packed = (float *)(area + j->pointers_bytes), *room = (float *)(area + j->pointers_bytes + j->packed_bytes);
    int64_t chunks = (j->pixels + j->chunk - 1) / j->chunk, tiles = (j->outs + j->mr - 1) / j->mr;
    int64_t group_size = j->outs * j->taps * j->k;
    for (int64_t item = begin; item < end; item++) {
        int64_t slice = item / j->shares, share = item % j->shares;
        int64_t c = slice * chunks / j->slices, stop = (slice + 1) * chunks / j->slices;
        int64_t from = share * tiles / j->shares, to = (share + 1) * tiles / j->shares;
        float *sum = slice ? j->copies + (slice - 1) * group_size : j->dweight + j->group * group_size;
        for (int64_t start = c; c < stop; c++) {
            int64_t first = c * j->chunk, count = lt_min_i64(j->chunk, j->pixels - first);
            lt_conv_locate(&j->x, first, first + count, count, s->oh, s->ow, s->stride_h, s->stride_w, &pixels);
            if (j->gather)
                lt_conv_gather(&j->x, &pixels, room, lt_panel_room(j->length), rows);
            else
                lt_conv_point(&j->x, &pixels, rows, CHUNK);
            for (int64_t tile = from; tile < to; tile++) {
                pack(j, first, count, tile * j->mr, packed);
                chunk_tiles(j, rows, packed, count, tile * j->mr, sum, c > start);
            }
        }
    }
}

static void add_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t size = j->outs * j->taps * j->k;
    float *sum = j->dweight + j->group * size;
    for (int64_t slice = 1; slice < j->slices; slice++) {
        const float *copy = j->copies + (slice - 1) * size;
        for (int64_t i = begin; i < end; i++)
            sum[i] += copy[i];
    }
}

static void cut(job *j)
{
    j->gather = j->k % LT_LANES != 0;
    j->segments = j->gather ? 1 : j->taps;
    j->length = j->gather ? j->taps * j->k : j->k;
    int64_t vectors = lt_panel_room(j->length) / LT_LANES;
    j->nv = (int)lt_min_i64(vectors, LT_NV_MAX);
    j->mr = lt_outer_height(j->nv, j->outs);
    int64_t a_pixel = lt_panel_room(j->length) * (int64_t)sizeof(float);
    j->chunk = lt_max_i64(j->gather ? 16 : 64, lt_min_i64(CHUNK, CHUNK_BYTES / a_pixel));
    int64_t chunks = (j->pixels + j->chunk - 1) / j->chunk, tiles = (j->outs + j->mr - 1) / j->mr;
    int64_t bytes = j->outs * j->taps * j->k * (int64_t)sizeof(float);
    j->slices = lt_max_i64(1, lt_min_i64(lt_min_i64(ITEMS, chunks), COPIES_BYTES / bytes));
    j->shares = lt_min_i64(tiles, (ITEMS + j->slices - 1) / j->slices);
    j->pointers_bytes = (size_t)(j->segments * CHUNK) * sizeof(float *);
    j->packed_bytes = (size_t)(j->chunk * LT_MR_MAX) * sizeof(float);
    j->area = j->pointers_bytes + j->packed_bytes;
    if (j->gather)
        j->area += (size_t)(j->chunk * lt_panel_room(j->length)) * sizeof(float);
    j->area = (j->area + 63) / 64 * 64;
}

int LT_NAME(lt_conv_direct_weight)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    job j = {.s = s,
             .dy = dy,
             .dweight = dweight,
             .k = s->cin / s->groups,
             .outs = s->cout / s->groups,
             .taps = s->kh * s->kw,
             .pixels = s->n * s->oh * s->ow};
    int64_t size = j.outs * j.taps * j.k;
    cut(&j);
    float *zeros = lt_alloc_zeroed((size_t)lt_panel_room(j.k) * sizeof(float));
    lt_conv_tap *tap = lt_alloc((size_t)j.taps * sizeof *tap);
    j.copies = lt_alloc((size_t)((j.slices - 1) * size) * sizeof(float));
    j.scratch = lt_alloc(j.area * (size_t)lt_threads());
    bool fine = zeros && tap && j.copies && j.scratch;
    if (fine)
        lt_conv_forward_taps(s, tap);
    for (j.group = 0; fine && j.group < s->groups; j.group++) {
        j.x = (lt_conv_source){.first = x + j.group * j.k,
                               .h = s->h,
                               .w = s->w,
                               .c = s->cin,
                               .k = j.k,
                               .taps = j.taps,
                               .tap = tap,
                               .zeros = zeros};
        lt_parallel(j.slices * j.shares, lt_grain(j.pixels * size / (j.slices * j.shares)), slice_piece, &j);
        if (j.slices > 1)
            lt_parallel(size, 16384, add_piece, &j);
    }
    lt_free(zeros);
    lt_free(tap);
    lt_free(j.copies);
    lt_free(j.scratch);
    return fine ? LT_OK : LT_FAIL;
}

int LT_NAME(lt_conv_weight_gradient)(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    const int64_t size = s->cout * s->kh * s->kw * (s->cin / s->groups);
    if (size == 0 || s->n * s->oh * s->ow == 0) {
        memset(dweight, 0, (size_t)size * sizeof(float));
        return LT_OK;
    }
    if (s->groups > 1 && s->cin == s->groups && s->cout == s->groups)
        return LT_NAME(lt_conv_depthwise_weight)(s, x, dy, dweight);
    return lt_wino_takes(s) || lt_wino_takes_strided(s) ? LT_NAME(lt_conv_winograd_weight)(s, x, dy, dweight)
                                                        : LT_NAME(lt_conv_direct_weight)(s, x, dy, dweight);
}
