// Which format a file has, by its first bytes, and who reads it.
#include "io/picture.h"

#include <string.h>

#ifdef LT_HAVE_jpeg
#define JPEG lt_jpeg_decode
#else
#define JPEG NULL
#endif
#ifdef LT_HAVE_webp
#define WEBP lt_webp_decode
#else
#define WEBP NULL
#endif
#ifdef LT_HAVE_gif
#define GIF lt_gif_decode
#else
#define GIF NULL
#endif

typedef lt_tensor *decoder(const void *bytes, size_t n, const lt_picture_options *options);

typedef struct {
    const char *name;
    const char *first; // bytes at `at`
    int length, at;
    decoder *decode;               // NULL: not in this build
    const char *library, *package; // NULL: laterna never reads it
} format;

static const format formats[] = {
    {"PNG", "\x89PNG", 4, 0, lt_png_decode, "libpng", "libpng-dev"},
    {"JPEG", "\xFF\xD8\xFF", 3, 0, JPEG, "libjpeg", "libjpeg-dev"},
    {"WebP", "WEBP", 4, 8, WEBP, "libwebp", "libwebp-dev"},
    {"GIF", "GIF8", 4, 0, GIF, "giflib", "libgif-dev"},
    {"BMP", "BM", 2, 0, NULL, NULL, NULL},
    {"TIFF", "II*\0", 4, 0, NULL, NULL, NULL},
    {"TIFF", "MM\0*", 4, 0, NULL, NULL, NULL},
    {"AVIF", "ftypavif", 8, 4, NULL, NULL, NULL},
    {"HEIC", "ftyphei", 7, 4, NULL, NULL, NULL},
    {"JPEG XL", "\xFF\x0A", 2, 0, NULL, NULL, NULL},
    {"SVG", "<svg", 4, 0, NULL, NULL, NULL},
    {"PSD", "8BPS", 4, 0, NULL, NULL, NULL},
};

enum { FORMATS = sizeof formats / sizeof *formats };

static const format *format_of(const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < FORMATS; i++) {
        const format *f = &formats[i];
        if (n >= (size_t)(f->at + f->length) && !memcmp(bytes + f->at, f->first, (size_t)f->length))
            return f;
    }
    return NULL;
}

static int refuse(const format *f, size_t n)
{
    if (n == 0)
        return lt_fail("not a picture: it is empty");
    if (!f)
        return lt_fail("not a picture of a format that laterna knows (PNG, JPEG, WebP, GIF)");
    if (!f->package)
        return lt_fail("%s is not read: laterna reads PNG, JPEG, WebP and GIF", f->name);
    return lt_fail(
        "a %s file, which this build of laterna does not read: install %s (Debian: %s) and build laterna again",
        f->name, f->library, f->package);
}

lt_tensor *lt_picture_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    const format *f = format_of(bytes, n);
    if (f && f->decode)
        return f->decode(bytes, n, options);
    refuse(f, n);
    return NULL;
}

// No sound file of so many pixels is larger: at most 8 bytes a pixel, as much again for what is not pixels, and `more`.
static lt_tensor *load(const char *path, uint64_t more, decoder *decode, const lt_picture_options *options)
{
    lt_bytes file = {0};
    uint64_t max = options->max_pixels < INT64_MAX / 16 ? (uint64_t)options->max_pixels * 16 + more : INT64_MAX;
    if (lt_file_read(path, max, &file) != LT_OK)
        return NULL;
    lt_tensor *t = decode(file.data, file.size, options);
    lt_bytes_free(&file);
    if (!t)
        lt_fail_in_file(path);
    return t;
}

lt_tensor *lt_png_load(const char *path, const lt_picture_options *options)
{
    return load(path, 1 << 20, lt_png_decode, options);
}

// 64 MB for what else a camera puts there: previews, a short film.
lt_tensor *lt_picture_load(const char *path, const lt_picture_options *options)
{
    return load(path, 1 << 26, lt_picture_decode, options);
}

const char *const *lt_picture_formats(void)
{
    static const char *const names[] = {"png",
#ifdef LT_HAVE_jpeg
                                        "jpeg",
#endif
#ifdef LT_HAVE_webp
                                        "webp",
#endif
#ifdef LT_HAVE_gif
                                        "gif",
#endif
                                        NULL};
    return names;
}
