// One picture brought to a size: cut or padded to its proportions, and resampled.
#include "data/fit.h"

#include <math.h>
#include <string.h>

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

// Places first .. first + count - 1 of the result show the source from `start` on, `scale` places each.
typedef struct {
    int64_t in, first, count;
    double start, scale;
} axis;

typedef struct {
    const uint8_t *from;
    uint8_t *to;              // the place of the first pixel
    int64_t channels, stride; // bytes of a row of the result
    bool alpha;               // the last channel is alpha, and not 255 everywhere
    axis down, across;
    span *spans;           // of `across`
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
        for (int64_t x = 0; x < f->across.in * c; x++)
            f->row[x] += weight * (float)line[x];
        return;
    }
    float *row = f->row;
    for (int64_t x = 0; x < f->across.in; x++, line += c, row += c) {
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

static void fit_row(const fit *f, int64_t y)
{
    span down = {0, 0, f->weight_y};
    set_span(&down, y, f->down.start, f->down.scale, f->down.in);
    const int64_t stride = f->across.in * f->channels;
    memset(f->row, 0, (size_t)stride * sizeof(float));
    for (int64_t k = 0; k < down.count; k++)
        add_line(f, f->from + (down.first + k) * stride, down.weight[k]);
    for (int64_t x = 0; x < f->across.count; x++)
        put_pixel(f, &f->spans[x], f->to + y * f->stride + x * f->channels);
}

static int64_t taps_of(const axis *a)
{
    return (int64_t)ceil(a->scale) + 2;
}

// Scratch: the weights of all columns and of one row, and a row of sums.
static int resample(fit *f)
{
    const int64_t width = f->across.count, taps_x = taps_of(&f->across), row = f->across.in * f->channels;
    size_t floats;
    if (lt_mul_size((size_t)taps_x, (size_t)width, &floats) != LT_OK)
        return LT_FAIL;
    floats += (size_t)(row + taps_of(&f->down));
    float *scratch = lt_alloc(floats * sizeof(float));
    f->spans = scratch ? lt_alloc((size_t)width * sizeof(span)) : NULL;
    if (!f->spans) {
        lt_free(scratch);
        return LT_FAIL;
    }
    f->row = scratch;
    f->weight_y = scratch + row;
    float *weight_x = f->weight_y + taps_of(&f->down);
    for (int64_t x = 0; x < width; x++) {
        f->spans[x].weight = weight_x + x * taps_x;
        set_span(&f->spans[x], x, f->across.start, f->across.scale, f->across.in);
    }
    for (int64_t y = 0; y < f->down.count; y++)
        fit_row(f, y);
    lt_free(f->spans);
    lt_free(scratch);
    return LT_OK;
}

// The picture is of the right size: what resample would do, where nothing is averaged.
static void copy_rows(const fit *f)
{
    const int64_t c = f->channels, row = f->across.in * c;
    for (int64_t y = 0; y < f->down.count; y++) {
        uint8_t *to = f->to + y * f->stride;
        memcpy(to, f->from + y * row, (size_t)row);
        for (int64_t x = c - 1; f->alpha && x < row; x += c)
            if (to[x] == 0)
                memset(to + x - (c - 1), 0, (size_t)c);
    }
}

// A colour in [-1,1] as a byte.
static uint8_t byte_of(double v)
{
    return (uint8_t)lrintf(((float)v + 1.0f) / 2.0f * 255.0f);
}

// The grey that a colour is (Rec. 601).
static double grey_of(const double colour[3])
{
    return colour[1] + 0.299 * (colour[0] - colour[1]) + 0.114 * (colour[2] - colour[1]);
}

static void fill(const lt_fit_options *options, int64_t channels, uint8_t *out, int64_t pixels)
{
    uint8_t colour[3];
    for (int k = 0; k < 3; k++)
        colour[k] = byte_of(channels == 3 ? options->background[k] : grey_of(options->background));
    if (channels == 2 || channels == 4)
        memset(out, 0, (size_t)(pixels * channels));
    else
        for (int64_t i = 0; i < pixels * channels; i++)
            out[i] = colour[channels == 3 ? i % 3 : 0];
}

// Source places a place of the result: the smaller of both axes, so that the frame is filled.
static void crop(axis *down, axis *across, int64_t height, int64_t width)
{
    const double scale = fmin((double)down->in / (double)height, (double)across->in / (double)width);
    *down = (axis){down->in, 0, height, ((double)down->in - scale * (double)height) / 2, scale};
    *across = (axis){across->in, 0, width, ((double)across->in - scale * (double)width) / 2, scale};
}

static axis within(int64_t in, int64_t out, double scale)
{
    int64_t count = llround((double)in / scale);
    count = count < 1 ? 1 : count > out ? out : count;
    return (axis){in, (out - count) / 2, count, 0, (double)in / (double)count};
}

// The larger of both, so that all fits in, to whole places.
static void pad(axis *down, axis *across, int64_t height, int64_t width)
{
    const double scale = fmax((double)down->in / (double)height, (double)across->in / (double)width);
    *down = within(down->in, height, scale);
    *across = within(across->in, width, scale);
}

int lt_fit_into(const lt_tensor *picture, const lt_fit_options *options, uint8_t *out, int64_t height, int64_t width)
{
    const int64_t c = picture->shape[2];
    fit f = {.from = lt_u8(picture), .channels = c, .stride = width * c, .alpha = has_alpha(picture)};
    f.down.in = picture->shape[0];
    f.across.in = picture->shape[1];
    if (options->way == LT_FIT_PAD) {
        pad(&f.down, &f.across, height, width);
        if (f.down.count < height || f.across.count < width)
            fill(options, c, out, height * width);
    } else
        crop(&f.down, &f.across, height, width);
    f.to = out + f.down.first * f.stride + f.across.first * c;
    if (f.down.count != f.down.in || f.across.count != f.across.in)
        return resample(&f);
    copy_rows(&f);
    return LT_OK;
}

lt_tensor *lt_fit_picture(const lt_tensor *picture, const lt_fit_options *options, int64_t height, int64_t width)
{
    if (lt_want_dtype(picture, LT_UINT8, 1, "picture") != LT_OK || lt_want_ndim(picture, 3, 1, "picture") != LT_OK)
        return NULL;
    if (picture->size == 0) {
        lt_fail_arg(1, "picture: expected (h,w,c) of at least one pixel, got %s", lt_shape_text(picture));
        return NULL;
    }
    lt_tensor *out = lt_tensor_new(LT_UINT8, 3, (int64_t[]){height, width, picture->shape[2]});
    if (out && lt_fit_into(picture, options, lt_u8(out), height, width) != LT_OK) {
        lt_release(out);
        return NULL;
    }
    return out;
}
