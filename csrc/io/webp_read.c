// Reading WebP with libwebp: lossy and lossless, with alpha or without; of one that moves, the first frame.
#ifdef LT_HAVE_webp
#include <string.h>

#include <webp/decode.h>

#include "io/picture.h"

static int fail(VP8StatusCode status, const WebPBitstreamFeatures *features)
{
    static const char *const reasons[] = {
        [VP8_STATUS_INVALID_PARAM] = "a value that makes no sense",
        [VP8_STATUS_BITSTREAM_ERROR] = "damaged",
        [VP8_STATUS_UNSUPPORTED_FEATURE] = "a feature that libwebp does not know",
        [VP8_STATUS_SUSPENDED] = "the file ends too early",
        [VP8_STATUS_NOT_ENOUGH_DATA] = "the file ends too early",
    };
    if (status == VP8_STATUS_OUT_OF_MEMORY)
        return lt_fail_memory((size_t)features->width * (size_t)features->height * 4);
    const bool known = (size_t)status < sizeof reasons / sizeof *reasons && reasons[status];
    return lt_fail("not a sound WebP file: %s", known ? reasons[status] : "damaged");
}

static uint32_t little32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// A chunk of the container, and its size: after a head of 12 bytes, chunks of a name, a size and so many bytes, to
// which one is added where the size is odd. NULL where there is none that is whole.
static const uint8_t *find_chunk(const uint8_t *bytes, size_t n, const char *name, size_t *size)
{
    for (size_t at = 12; at <= n && n - at >= 8; at += 8 + *size + *size % 2) {
        *size = little32(bytes + at + 4);
        if (*size > n - at - 8)
            return NULL;
        if (!memcmp(bytes + at, name, 4))
            return bytes + at + 8;
    }
    return NULL;
}

static int orientation(const uint8_t *bytes, size_t n)
{
    size_t size;
    const uint8_t *data = find_chunk(bytes, n, "EXIF", &size);
    if (!data)
        return 1;
    const size_t head = size >= 6 && !memcmp(data, "Exif\0", 6) ? 6 : 0; // some programs write it as in a JPEG
    return lt_exif_orientation(data + head, size - head);
}

// What libwebp decodes, and where it lies on the canvas: the whole of a still picture, or the first frame.
typedef struct {
    const uint8_t *data;
    size_t size;
    int64_t left, top, width, height;
} frame;

static int check_frame(const frame *f, const WebPBitstreamFeatures *canvas)
{
    WebPBitstreamFeatures own = {0};
    const VP8StatusCode status = WebPGetFeatures(f->data, f->size, &own);
    if (status != VP8_STATUS_OK)
        return fail(status, &own);
    if (own.has_animation || own.width != f->width || own.height != f->height || f->left + f->width > canvas->width ||
        f->top + f->height > canvas->height)
        return lt_fail("not a sound WebP file: a frame of another size than its place");
    return LT_OK;
}

// A frame is a chunk ANMF: left / 2, top / 2, width - 1, height - 1, 3 bytes each, time and flags, 4 bytes; its
// picture.
static int find_frame(const uint8_t *bytes, size_t n, const WebPBitstreamFeatures *canvas, frame *f)
{
    enum { HEAD = 16 };
    size_t size;
    *f = (frame){.data = bytes, .size = n, .width = canvas->width, .height = canvas->height};
    if (!canvas->has_animation)
        return LT_OK;
    const uint8_t *p = find_chunk(bytes, n, "ANMF", &size);
    if (n < 8 || little32(bytes + 4) > n - 8)
        return fail(VP8_STATUS_NOT_ENOUGH_DATA, canvas);
    if (!p || size < HEAD)
        return lt_fail("not a sound WebP file: no frame");
    f->data = p + HEAD;
    f->size = size - HEAD;
    f->left = 2 * (int64_t)(little32(p) & 0xFFFFFF);
    f->top = 2 * (int64_t)(little32(p + 3) & 0xFFFFFF);
    f->width = (little32(p + 6) & 0xFFFFFF) + 1;
    f->height = (little32(p + 9) & 0xFFFFFF) + 1;
    return check_frame(f, canvas);
}

typedef struct {
    WebPBitstreamFeatures canvas;
    frame frame;
    uint8_t *raw; // the frame's pixels; NULL when they lie in the tensor at once
    uint8_t *row; // of the canvas; NULL when the frame covers it
    lt_rows rows;
} reader;

static bool covers(const reader *r)
{
    return r->frame.width == r->canvas.width && r->frame.height == r->canvas.height;
}

// The frame as 3 or 4 bytes a pixel.
static int decode_frame(const reader *r, uint8_t *out)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return lt_fail("libwebp is of another version than the headers that laterna was built with");
    const size_t stride = (size_t)r->frame.width * (size_t)r->rows.from;
    config.output.colorspace = r->rows.from == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out;
    config.output.u.RGBA.stride = (int)stride; // sides are below 2^14
    config.output.u.RGBA.size = stride * (size_t)r->frame.height;
    const VP8StatusCode status = WebPDecode(r->frame.data, r->frame.size, &config);
    WebPFreeDecBuffer(&config.output);
    return status == VP8_STATUS_OK ? LT_OK : fail(status, &r->canvas);
}

// Around a frame the canvas is transparent.
static void put_rows(reader *r)
{
    const frame *f = &r->frame;
    const size_t stride = (size_t)f->width * (size_t)r->rows.from;
    for (int64_t y = 0; y < r->canvas.height; y++) {
        const bool inside = y >= f->top && y < f->top + f->height;
        const uint8_t *stored = inside ? r->raw + (size_t)(y - f->top) * stride : NULL;
        if (r->row) {
            memset(r->row, 0, (size_t)r->canvas.width * 4);
            if (inside)
                memcpy(r->row + f->left * 4, stored, stride);
            stored = r->row;
        }
        lt_rows_put(&r->rows, y, stored);
    }
}

static int decode(reader *r, const uint8_t *bytes, size_t n, const lt_picture_options *options)
{
    const VP8StatusCode status = WebPGetFeatures(bytes, n, &r->canvas);
    if (status != VP8_STATUS_OK)
        return fail(status, &r->canvas);
    if (lt_picture_check_size(r->canvas.height, r->canvas.width, options) != LT_OK ||
        find_frame(bytes, n, &r->canvas, &r->frame) != LT_OK)
        return LT_FAIL;
    const int channels = r->canvas.has_alpha || !covers(r) ? 4 : 3;
    if (lt_rows_begin(&r->rows, r->canvas.height, r->canvas.width, channels, orientation(bytes, n), options) != LT_OK)
        return LT_FAIL;
    const lt_tensor *out = r->rows.out;
    if (covers(r) && !r->rows.line && out->dtype == LT_UINT8 && out->shape[2] == channels)
        return decode_frame(r, (uint8_t *)out->data);
    if (!(r->raw = lt_alloc((size_t)(r->frame.width * r->frame.height * channels))) ||
        (!covers(r) && !(r->row = lt_alloc((size_t)r->canvas.width * 4))) || decode_frame(r, r->raw) != LT_OK)
        return LT_FAIL;
    put_rows(r);
    return LT_OK;
}

lt_tensor *lt_webp_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    reader r = {0};
    if (decode(&r, bytes, n, options) != LT_OK) {
        lt_release(r.rows.out);
        r.rows.out = NULL;
    }
    lt_rows_free(&r.rows);
    lt_free(r.raw);
    lt_free(r.row);
    return r.rows.out;
}
#endif
