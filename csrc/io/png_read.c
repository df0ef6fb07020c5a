// Reading PNG with libpng. libpng reports errors by longjmp: each step that calls it runs inside `guarded`, keeps all
// it owns in `reader`, and has nothing in local variables that would be lost.
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "io/picture.h"

typedef struct {
    const uint8_t *next; // of the file
    size_t left, size;
    png_structp png;
    png_infop info;
    jmp_buf escape;
    char message[160];
    bool out_of_memory;
    int64_t width, height;
    int stored_bits;     // a pixel in the file
    int channels, depth; // after libpng's expansion: 1..4 channels of 8 or 16 bits
    int passes;          // 7 when interlaced
    size_t row_bytes;
    uint8_t *raw;   // expanded rows: all of them when interlaced, else one; NULL when rows go straight to `out`
    lt_tensor *out; // (h,w,c)
    const lt_picture_options *options;
} reader;

static void on_error(png_structp png, png_const_charp message)
{
    reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", message);
    longjmp(r->escape, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    // What libpng only warns of does not change the pixels.
}

static png_voidp allocate(png_structp png, png_alloc_size_t n)
{
    void *p = lt_alloc(n);
    if (!p)
        ((reader *)png_get_mem_ptr(png))->out_of_memory = true;
    return p;
}

static void release(png_structp png, png_voidp p)
{
    lt_free(p);
}

static void read_bytes(png_structp png, png_bytep out, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->left)
        png_error(png, "the file ends too early");
    memcpy(out, r->next, n);
    r->next += n;
    r->left -= n;
}

// Runs a step; a longjmp of libpng ends here.
static int guarded(reader *r, void (*step)(reader *))
{
    if (setjmp(r->escape) == 0) {
        step(r);
        return LT_OK;
    }
    if (r->out_of_memory) // lt_alloc has said how much
        return LT_FAIL;
    return lt_fail("not a sound PNG file: %s", lt_shown(r->message, strlen(r->message)));
}

static void step_header(reader *r)
{
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, allocate, release);
    if (!r->png || !(r->info = png_create_info_struct(r->png))) {
        r->out_of_memory = true;
        longjmp(r->escape, 1);
    }
    png_structp png = r->png;
    png_set_read_fn(png, r, read_bytes);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT); // a flipped bit anywhere is an error
#ifdef PNG_IGNORE_ADLER32                                            // some distributions build libpng without it
    png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);          // 5 % faster; those CRCs cover the same bytes
#endif
    // Chunks that do not change stored pixels are skipped: less to parse, no colour profiles to unpack.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); // max_pixels is the limit
    png_read_info(png, r->info);
    r->width = png_get_image_width(png, r->info);
    r->height = png_get_image_height(png, r->info);
    r->stored_bits = png_get_channels(png, r->info) * png_get_bit_depth(png, r->info);
}

// libpng takes memory for a row or two here.
static void step_start(reader *r)
{
    png_structp png = r->png;
    png_set_expand(png); // palette -> rgb, 1 2 4 bits -> 8, tRNS -> alpha
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    png_set_swap(png); // 16-bit values in native order
#endif
    r->passes = png_set_interlace_handling(png);
    png_read_update_info(png, r->info);
    r->channels = png_get_channels(png, r->info);
    r->depth = png_get_bit_depth(png, r->info);
    r->row_bytes = png_get_rowbytes(png, r->info);
}

static void step_rows(reader *r)
{
    const int to = (int)r->out->shape[2];
    const size_t out_stride = (size_t)(r->width * to) * lt_dtype_size(r->out->dtype);
    uint8_t *out = r->out->data;
    for (int pass = 0; pass < r->passes; pass++)
        for (int64_t y = 0; y < r->height; y++) {
            uint8_t *row = !r->raw          ? out + (size_t)y * out_stride
                           : r->passes == 1 ? r->raw
                                            : r->raw + (size_t)y * r->row_bytes;
            png_read_row(r->png, row, NULL);
            if (r->raw && pass == r->passes - 1)
                lt_picture_convert_row(row, r->depth, r->channels, r->width, r->options, to,
                                       out + (size_t)y * out_stride);
        }
    png_read_end(r->png, NULL);
}

// Everything that can be known from the header, before memory is taken for the picture.
static int check_header(const reader *r)
{
    if (lt_picture_check_size(r->height, r->width, r->options) != LT_OK)
        return LT_FAIL;
    // Deflate packs at most 1032 bytes into one, so a picture cannot be larger than this.
    if (r->width * r->height / 8 * r->stored_bits / 1032 > (int64_t)r->size)
        return lt_fail("not a sound PNG file: %zu bytes cannot hold %lldx%lld pixels", r->size, (long long)r->width,
                       (long long)r->height);
    return LT_OK;
}

static int decode(reader *r)
{
    if (guarded(r, step_header) != LT_OK || check_header(r) != LT_OK || guarded(r, step_start) != LT_OK)
        return LT_FAIL;
    const int64_t to = r->options->channels ? r->options->channels : r->channels;
    const lt_dtype dtype = r->options->dtype;
    if (!(r->out = lt_tensor_new(dtype, 3, (int64_t[]){r->height, r->width, to})))
        return LT_FAIL;
    if (dtype != LT_UINT8 || r->depth != 8 || to != r->channels) {
        size_t bytes;
        if (lt_mul_size(r->row_bytes, r->passes > 1 ? (size_t)r->height : 1, &bytes) != LT_OK ||
            !(r->raw = lt_alloc(bytes)))
            return LT_FAIL;
    }
    return guarded(r, step_rows);
}

lt_tensor *lt_png_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    reader r = {.next = bytes, .left = n, .size = n, .options = options};
    if (decode(&r) != LT_OK) {
        lt_release(r.out);
        r.out = NULL;
    }
    png_destroy_read_struct(&r.png, &r.info, NULL);
    lt_free(r.raw);
    return r.out;
}
