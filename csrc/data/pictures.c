#include "data/pictures.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

typedef struct {
    const uint8_t *pictures, *flip;
    const int32_t *index;
    void *out;
    int64_t height, width, channels;
} batch;

static int check_batch(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip)
{
    if (lt_want_dtype(pictures, LT_UINT8, 1, "pictures") != LT_OK ||
        lt_want_ndim(pictures, 4, 1, "pictures") != LT_OK || lt_want_dtype(index, LT_INT32, 2, "index") != LT_OK ||
        lt_want_ndim(index, 1, 2, "index") != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < index->size; i++) {
        int32_t at = lt_i32(index)[i];
        if (at < 1 || at > pictures->shape[0])
            return lt_fail_arg(2, "index: expected 1 to %lld, got %d at place %lld", (long long)pictures->shape[0], at,
                               (long long)i + 1);
    }
    if (!flip)
        return LT_OK;
    if (lt_want_dtype(flip, LT_UINT8, 3, "flip") != LT_OK)
        return LT_FAIL;
    if (!lt_same_shape(flip, index))
        return lt_fail_arg(3, "flip: expected %s, got %s", lt_shape_text(index), lt_shape_text(flip));
    return LT_OK;
}

static batch batch_of(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip, lt_tensor *out)
{
    return (batch){lt_u8(pictures),    flip ? lt_u8(flip) : NULL, lt_i32(index),     out->data,
                   pictures->shape[1], pictures->shape[2],        pictures->shape[3]};
}

// A small batch is done before another thread has woken up: pieces of about 256 KB.
static int64_t pictures_a_piece(const lt_tensor *pictures)
{
    const int64_t *s = pictures->shape;
    return 1 + (1 << 18) / (s[1] * s[2] * s[3] + 1);
}

static void gather_piece(void *context, int64_t begin, int64_t end)
{
    const batch *b = context;
    float level[256];
    for (int v = 0; v < 256; v++)
        level[v] = (float)v / 127.5f - 1;
    int64_t row = b->width * b->channels, size = b->height * row;
    for (int64_t i = begin; i < end; i++) {
        const uint8_t *from = b->pictures + (b->index[i] - 1) * size;
        float *to = (float *)b->out + i * size;
        if (!b->flip || !b->flip[i]) {
            for (int64_t k = 0; k < size; k++)
                to[k] = level[from[k]];
            continue;
        }
        for (int64_t y = 0; y < b->height; y++, from += row, to += row)
            for (int64_t x = 0; x < b->width; x++)
                for (int64_t c = 0; c < b->channels; c++)
                    to[x * b->channels + c] = level[from[(b->width - 1 - x) * b->channels + c]];
    }
}

lt_tensor *lt_gather_pictures(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip)
{
    if (check_batch(pictures, index, flip) != LT_OK)
        return NULL;
    const int64_t *s = pictures->shape;
    lt_tensor *out = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){index->size, s[1], s[2], s[3]});
    if (!out)
        return NULL;
    batch b = batch_of(pictures, index, flip, out);
    lt_parallel(index->size, pictures_a_piece(pictures), gather_piece, &b);
    return out;
}

static void take_piece(void *context, int64_t begin, int64_t end)
{
    const batch *b = context;
    int64_t size = b->height * b->width * b->channels;
    for (int64_t i = begin; i < end; i++)
        memcpy((uint8_t *)b->out + i * size, b->pictures + (b->index[i] - 1) * size, (size_t)size);
}

lt_tensor *lt_take_pictures(const lt_tensor *pictures, const lt_tensor *index)
{
    if (check_batch(pictures, index, NULL) != LT_OK)
        return NULL;
    const int64_t *s = pictures->shape;
    lt_tensor *out = lt_tensor_new(LT_UINT8, 4, (int64_t[]){index->size, s[1], s[2], s[3]});
    if (!out)
        return NULL;
    batch b = batch_of(pictures, index, NULL, out);
    lt_parallel(index->size, pictures_a_piece(pictures), take_piece, &b);
    return out;
}

// One output place of one axis is a weighted sum of source places first .. first + count - 1.
typedef struct {
    int64_t first, count;
    float *weight;
} span;

// Place i of `out` covers from start + i * scale to start + (i + 1) * scale on an axis of `in` places.
static void set_span(span *s, int64_t i, double start, double scale, int64_t in)
{
    if (scale < 1) { // between the two nearest centres, held at the borders
        double at = start + ((double)i + 0.5) * scale - 0.5;
        at = at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
        s->first = (int64_t)at;
        s->count = s->first + 1 < in ? 2 : 1;
        s->weight[1] = (float)(at - (double)s->first);
        s->weight[0] = 1 - s->weight[1];
        return;
    }
    double from = start + (double)i * scale, to = from + scale;
    s->first = (int64_t)from < in - 1 ? (int64_t)from : in - 1;
    int64_t last = (int64_t)ceil(to) - 1;
    last = last < s->first ? s->first : last > in - 1 ? in - 1 : last;
    s->count = last - s->first + 1;
    double total = 0;
    for (int64_t k = 0; k < s->count; k++) {
        double low = (double)(s->first + k), high = low + 1;
        double part = (high < to ? high : to) - (low > from ? low : from);
        s->weight[k] = (float)(part > 0 ? part : 0);
        total += s->weight[k];
    }
    for (int64_t k = 0; k < s->count; k++)
        s->weight[k] = total > 0 ? (float)(s->weight[k] / total) : 1 / (float)s->count;
}

typedef struct {
    const uint8_t *from;
    uint8_t *to;
    int64_t in_height, in_width, channels, width;
    bool alpha; // the last channel is alpha, and not 255 everywhere
    double top, scale;
    float *weight_y, *row; // scratch: one span's weights, one source row's worth of sums
} fit;

// Is any pixel less than opaque? Two channels are grey and alpha, four are colour and alpha.
static bool has_alpha(const lt_tensor *picture)
{
    const int64_t channels = picture->shape[2];
    const uint8_t *bytes = lt_u8(picture);
    for (int64_t i = channels - 1; (channels == 2 || channels == 4) && i < picture->size; i += channels)
        if (bytes[i] != 255)
            return true;
    return false;
}

// Adds a line of the source to the sums. A colour counts by its alpha: what nobody sees lends its colour to nothing.
static void add_line(const fit *f, const uint8_t *line, float weight)
{
    const int64_t c = f->channels, colours = c - 1;
    if (!f->alpha) {
        for (int64_t x = 0; x < f->in_width * c; x++)
            f->row[x] += weight * (float)line[x];
        return;
    }
    float *row = f->row;
    for (int64_t x = 0; x < f->in_width; x++, line += c, row += c) {
        const float cover = weight * (float)line[colours];
        for (int64_t k = 0; k < colours; k++)
            row[k] += cover * (float)line[k];
        row[colours] += cover;
    }
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
}

// One pixel from the sums of the rows. With alpha these are sum w a v and sum w a; a pixel whose alpha comes out as 0
// is 0 in every channel.
static void put_pixel(const fit *f, const span *across, uint8_t *out)
{
    const int64_t c = f->channels;
    float cover = 1;
    for (int64_t k = c - 1; k >= 0; k--) { // alpha first
        const float *at = f->row + across->first * c + k;
        float sum = 0;
        for (int64_t i = 0; i < across->count; i++)
            sum += across->weight[i] * at[i * c];
        if (f->alpha && k == c - 1) {
            cover = sum;
            out[k] = to_byte(sum);
        } else {
            out[k] = f->alpha && out[c - 1] == 0 ? 0 : to_byte(sum / cover);
        }
    }
}

static void fit_row(const fit *f, int64_t y, const span *across)
{
    span down = {0, 0, f->weight_y};
    set_span(&down, y, f->top, f->scale, f->in_height);
    int64_t stride = f->in_width * f->channels;
    memset(f->row, 0, (size_t)stride * sizeof(float));
    for (int64_t k = 0; k < down.count; k++)
        add_line(f, f->from + (down.first + k) * stride, down.weight[k]);
    for (int64_t x = 0; x < f->width; x++)
        put_pixel(f, &across[x], f->to + (y * f->width + x) * f->channels);
}

lt_tensor *lt_fit_picture(const lt_tensor *picture, int64_t height, int64_t width)
{
    if (lt_want_dtype(picture, LT_UINT8, 1, "picture") != LT_OK || lt_want_ndim(picture, 3, 1, "picture") != LT_OK)
        return NULL;
    int64_t in_height = picture->shape[0], in_width = picture->shape[1], channels = picture->shape[2];
    if (picture->size == 0) {
        lt_fail_arg(1, "picture: expected (h,w,c) of at least one pixel, got %s", lt_shape_text(picture));
        return NULL;
    }
    const int64_t most = 1 << 15;
    if (height < 1 || height > most || width < 1 || width > most) {
        lt_fail_arg(2, "size: expected 1 to %lld, got (%lld,%lld)", (long long)most, (long long)height,
                    (long long)width);
        return NULL;
    }
    // Source places an output place: the smaller of both axes, so that the wanted frame is filled.
    double scale = fmin((double)in_height / (double)height, (double)in_width / (double)width);
    int64_t taps = (int64_t)ceil(scale) + 2;
    size_t floats;
    if (lt_mul_size((size_t)taps, (size_t)width + 1, &floats) != LT_OK)
        return NULL;
    floats += (size_t)(in_width * channels);
    lt_tensor *out = lt_tensor_new(LT_UINT8, 3, (int64_t[]){height, width, channels});
    float *scratch = out ? lt_alloc(floats * sizeof(float)) : NULL;
    span *across = scratch ? lt_alloc((size_t)width * sizeof(span)) : NULL;
    if (!across) {
        lt_free(scratch);
        lt_release(out);
        return NULL;
    }
    fit f = {.from = lt_u8(picture), .to = lt_u8(out), .in_width = in_width, .channels = channels, .width = width};
    f.in_height = in_height;
    f.alpha = has_alpha(picture);
    f.scale = scale;
    f.top = ((double)in_height - scale * (double)height) / 2;
    double left = ((double)in_width - scale * (double)width) / 2;
    f.row = scratch;
    f.weight_y = scratch + in_width * channels;
    float *weight_x = f.weight_y + taps;
    for (int64_t x = 0; x < width; x++) {
        across[x].weight = weight_x + x * taps;
        set_span(&across[x], x, left, scale, in_width);
    }
    for (int64_t y = 0; y < height; y++)
        fit_row(&f, y, across);
    lt_free(across);
    lt_free(scratch);
    return out;
}
