// Reading JPEG with libjpeg. It reports errors by a function that must not return: each step that calls it runs inside
// `guarded`, keeps all it owns in `reader`, and has nothing in local variables that would be lost.
#ifdef LT_HAVE_jpeg
#include <setjmp.h>
#include <stdio.h> // jpeglib.h needs it
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "io/picture.h"

// What encoders write has 20 scans at most; each costs a walk over the whole picture, however few bytes it has.
enum { MOST_SCANS = 100 };

typedef struct {
    struct jpeg_decompress_struct jpeg; // its client_data is the reader
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
    bool unsupported; // a JPEG, but of a kind that is not read
    bool out_of_memory;
    size_t size;  // of the file
    uint8_t *raw; // one row as libjpeg gives it; NULL until the header has been read
    lt_rows rows;
    const lt_picture_options *options;
} reader;

static void leave(reader *r, const char *message)
{
    snprintf(r->message, sizeof r->message, "%s", message);
    longjmp(r->escape, 1);
}

static void on_error(j_common_ptr jpeg)
{
    reader *r = jpeg->client_data;
    const int code = jpeg->err->msg_code;
    r->out_of_memory = code == JERR_OUT_OF_MEMORY;
    r->unsupported = code == JERR_BAD_PRECISION || code == JERR_ARITH_NOTIMPL || code == JERR_SOF_UNSUPPORTED;
    jpeg->err->format_message(jpeg, r->message);
    longjmp(r->escape, 1);
}

// Levels from 0 on are traces; -1 is a warning. Most warn of damage. These are oddities that change no pixel; bytes
// that belong to nothing are one of them where they stand before the pixels: some programs get the length of a marker
// wrong.
static void on_message(j_common_ptr jpeg, int level)
{
    const reader *r = jpeg->client_data;
    const int code = jpeg->err->msg_code;
    const bool odd = code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM || code == JWRN_NOT_SEQUENTIAL ||
                     (code == JWRN_EXTRANEOUS_DATA && !r->raw);
    if (level < 0 && !odd)
        on_error(jpeg);
}

static void start_source(j_decompress_ptr jpeg)
{
    // All bytes are there from the start.
}

static boolean at_end(j_decompress_ptr jpeg)
{
    leave(jpeg->client_data, "the file ends too early");
    return FALSE;
}

static void skip(j_decompress_ptr jpeg, long n)
{
    if (n <= 0)
        return;
    if ((unsigned long)n > jpeg->src->bytes_in_buffer)
        at_end(jpeg);
    jpeg->src->next_input_byte += n;
    jpeg->src->bytes_in_buffer -= (size_t)n;
}

static void end_source(j_decompress_ptr jpeg)
{
    // What follows the picture is not looked at.
}

static void on_progress(j_common_ptr jpeg)
{
    if (((j_decompress_ptr)jpeg)->input_scan_number > MOST_SCANS)
        leave(jpeg->client_data, "it has more than 100 scans");
}

// Runs a step; an error of libjpeg ends here.
static int guarded(reader *r, void (*step)(reader *))
{
    if (setjmp(r->escape) == 0) {
        step(r);
        return LT_OK;
    }
    if (r->out_of_memory)
        return lt_fail_memory((size_t)r->jpeg.image_width * r->jpeg.image_height);
    return lt_fail("%s: %s", r->unsupported ? "a kind of JPEG that is not read" : "not a sound JPEG file",
                   lt_shown(r->message, strlen(r->message)));
}

static void step_header(reader *r)
{
    jpeg_create_decompress(&r->jpeg); // forgets all but err and client_data
    r->jpeg.src = &r->source;
    r->jpeg.progress = &r->progress;
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xFFFF); // EXIF
    jpeg_read_header(&r->jpeg, TRUE);
}

// Everything that can be known from the header, before memory is taken for the picture.
static int check_header(const reader *r)
{
    const struct jpeg_decompress_struct *jpeg = &r->jpeg;
    const int64_t width = jpeg->image_width, height = jpeg->image_height;
    if (lt_picture_check_size(height, width, r->options) != LT_OK)
        return LT_FAIL;
    if (jpeg->data_precision != 8)
        return lt_fail("a kind of JPEG that is not read: %d bits a channel", jpeg->data_precision);
    if (jpeg->num_components == 2 || jpeg->num_components > 4)
        return lt_fail("a kind of JPEG that is not read: %d channels", jpeg->num_components);
    // A block of 8x8 values takes at least one bit of Huffman's code. A component has every 4th column or row at least,
    // and one of them has every column, one every row: that makes 8 blocks for 32x32 pixels. Arithmetic coding has no
    // such limit.
    if (!jpeg->arith_code && width * height / 1024 > (int64_t)r->size)
        return lt_fail("not a sound JPEG file: %zu bytes cannot hold %lldx%lld pixels", r->size, (long long)width,
                       (long long)height);
    return LT_OK;
}

static int orientation(const reader *r)
{
    static const char head[6] = "Exif\0"; // and a second zero byte
    for (const struct jpeg_marker_struct *m = r->jpeg.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= sizeof head && !memcmp(m->data, head, sizeof head))
            return lt_exif_orientation(m->data + sizeof head, m->data_length - sizeof head);
    return 1;
}

// A * b / 255, rounded, as Pillow has it.
static int scaled(int a, int b)
{
    const int v = a * b + 128;
    return ((v >> 8) + v) >> 8;
}

// Every program that writes CMYK in a JPEG writes it as Adobe does: 255 is no ink. What is left of white after ink
// and black: channel = black - (255 - ink) black / 255.
static void cmyk_to_rgb(uint8_t *row, int64_t w)
{
    for (int64_t x = 0; x < w; x++) {
        const uint8_t *in = row + 4 * x;
        const int black = in[3];
        for (int c = 0; c < 3; c++)
            row[3 * x + c] = (uint8_t)(black - scaled(255 - in[c], black));
    }
}

static void step_rows(reader *r)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    jpeg_start_decompress(jpeg); // reads all scans of a progressive file
    while (jpeg->output_scanline < jpeg->output_height) {
        const int64_t y = jpeg->output_scanline;
        jpeg_read_scanlines(jpeg, &r->raw, 1);
        if (jpeg->out_color_space == JCS_CMYK)
            cmyk_to_rgb(r->raw, r->rows.width);
        lt_rows_put(&r->rows, y, r->raw);
    }
    jpeg_finish_decompress(jpeg); // reads up to the mark of the end
}

static int decode(reader *r)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (guarded(r, step_header) != LT_OK || check_header(r) != LT_OK)
        return LT_FAIL;
    const int stored = jpeg->num_components;
    jpeg->out_color_space = stored == 1 ? JCS_GRAYSCALE : stored == 3 ? JCS_RGB : JCS_CMYK;
    const int64_t width = jpeg->image_width, height = jpeg->image_height;
    if (lt_rows_begin(&r->rows, height, width, stored == 1 ? 1 : 3, orientation(r), r->options) != LT_OK ||
        !(r->raw = lt_alloc((size_t)(width * stored))))
        return LT_FAIL;
    return guarded(r, step_rows);
}

lt_tensor *lt_jpeg_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    reader r = {
        .source = {.next_input_byte = bytes,
                   .bytes_in_buffer = n,
                   .init_source = start_source,
                   .fill_input_buffer = at_end,
                   .skip_input_data = skip,
                   .resync_to_restart = jpeg_resync_to_restart,
                   .term_source = end_source},
        .progress = {.progress_monitor = on_progress},
        .size = n,
        .options = options,
    };
    r.jpeg.err = jpeg_std_error(&r.errors);
    r.jpeg.client_data = &r;
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    if (decode(&r) != LT_OK) {
        lt_release(r.rows.out);
        r.rows.out = NULL;
    }
    jpeg_destroy_decompress(&r.jpeg);
    lt_rows_free(&r.rows);
    lt_free(r.raw);
    return r.rows.out;
}
#endif
