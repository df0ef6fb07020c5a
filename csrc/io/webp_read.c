// Reading still WebP pictures with libwebp: lossy and lossless, with alpha or without.
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

// From the chunk "EXIF" of the container: after its head of 12 bytes, chunks of a name, a size and so many bytes, to
// which one is added where the size is odd.
static int orientation(const uint8_t *bytes, size_t n)
{
    for (size_t at = 12; at <= n && n - at >= 8;) {
        const size_t size = little32(bytes + at + 4), left = n - at - 8;
        const uint8_t *data = bytes + at + 8;
        if (size > left)
            return 1;
        if (!memcmp(bytes + at, "EXIF", 4)) {
            const size_t head = size >= 6 && !memcmp(data, "Exif\0", 6) ? 6 : 0; // some programs write it as in a JPEG
            return lt_exif_orientation(data + head, size - head);
        }
        at += 8 + size + size % 2;
    }
    return 1;
}

// Rows lie in the tensor as they are stored: nothing to convert.
static bool straight(const lt_rows *rows)
{
    return !rows->line && rows->out->dtype == LT_UINT8 && rows->out->shape[2] == rows->from;
}

static int decode(const uint8_t *bytes, size_t n, const WebPBitstreamFeatures *features, lt_rows *rows, uint8_t **raw)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return lt_fail("libwebp is of another version than the headers that laterna was built with");
    const size_t row = (size_t)rows->width * (size_t)rows->from, height = (size_t)features->height;
    if (!straight(rows) && !(*raw = lt_alloc(row * height)))
        return LT_FAIL;
    config.output.colorspace = rows->from == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = *raw ? *raw : (uint8_t *)rows->out->data;
    config.output.u.RGBA.stride = (int)row; // sides are below 2^14
    config.output.u.RGBA.size = row * height;
    const VP8StatusCode status = WebPDecode(bytes, n, &config);
    WebPFreeDecBuffer(&config.output);
    if (status != VP8_STATUS_OK)
        return fail(status, features);
    for (size_t y = 0; *raw && y < height; y++)
        lt_rows_put(rows, (int64_t)y, *raw + y * row);
    return LT_OK;
}

lt_tensor *lt_webp_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    WebPBitstreamFeatures features = {0};
    lt_rows rows = {0};
    uint8_t *raw = NULL;
    const VP8StatusCode status = WebPGetFeatures(bytes, n, &features);
    if (status != VP8_STATUS_OK) {
        fail(status, &features);
        return NULL;
    }
    if (features.has_animation) {
        lt_fail("an animated WebP, which is not read: of WebP only still pictures are");
        return NULL;
    }
    if (lt_picture_check_size(features.height, features.width, options) != LT_OK)
        return NULL;
    if (lt_rows_begin(&rows, features.height, features.width, features.has_alpha ? 4 : 3, orientation(bytes, n),
                      options) != LT_OK ||
        decode(bytes, n, &features, &rows, &raw) != LT_OK) {
        lt_release(rows.out);
        rows.out = NULL;
    }
    lt_rows_free(&rows);
    lt_free(raw);
    return rows.out;
}
#endif
