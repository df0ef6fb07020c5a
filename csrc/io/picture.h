// Pictures in files: PNG, and JPEG, WebP and GIF where the build found their libraries. Decoding gives (h,w,c) values
// as they are stored, without colour management; every kind of picture (palette, 1 to 16 bits, grey, alpha, interlaced,
// progressive) ends up in the same few layouts:
//   c = 1 grey, 2 grey + alpha, 3 red green blue, 4 red green blue + alpha (not premultiplied);
//   uint8: 0..255 (16 bits are rounded); float32: [-1,1], with all that 16 bits hold.
#ifndef LT_IO_PICTURE_H
#define LT_IO_PICTURE_H

#include <stdbool.h>

#include "io/file.h"
#include "tensor/tensor.h"

#define LT_PICTURE_MAX_PIXELS ((int64_t)1 << 26)

typedef struct {
    int channels;         // 1..4; 0: as many as the file has (palettes count as colour, transparency as alpha)
    lt_dtype dtype;       // LT_UINT8 or LT_FLOAT32
    int64_t max_pixels;   // larger pictures are refused from their header
    double background[3]; // red, green, blue in [-1,1]: what transparent pixels lie on when alpha is dropped
} lt_picture_options;

// Any format, known by its first bytes.
lt_tensor *lt_picture_decode(const void *bytes, size_t n, const lt_picture_options *options);
lt_tensor *lt_picture_load(const char *path, const lt_picture_options *options);
// Names of the formats that this build reads, ended by NULL.
const char *const *lt_picture_formats(void);

lt_tensor *lt_png_decode(const void *bytes, size_t n, const lt_picture_options *options);
lt_tensor *lt_png_load(const char *path, const lt_picture_options *options);
// Each is there where its library is: LT_HAVE_jpeg, LT_HAVE_webp, LT_HAVE_gif. Of what moves, the first frame.
lt_tensor *lt_jpeg_decode(const void *bytes, size_t n, const lt_picture_options *options);
lt_tensor *lt_webp_decode(const void *bytes, size_t n, const lt_picture_options *options);
lt_tensor *lt_gif_decode(const void *bytes, size_t n, const lt_picture_options *options);

// (h,w) or (h,w,1..4), uint8 or float32 in [-1,1]: rounded to 8 bits, clamped; NaN is refused. t is argument `arg`.
int lt_png_encode(const lt_tensor *t, int arg, lt_bytes *out);
int lt_png_save(const char *path, const lt_tensor *t, int arg);

// ---- what the readers share ------------------------------------------------------------------------------------

// Refuses more than max_pixels.
int lt_picture_check_size(int64_t height, int64_t width, const lt_picture_options *options);

// One row of w pixels from `from` channels of 8 or 16 bits (native byte order) to what the options ask.
// Grey becomes three equal channels; colour becomes grey with the weights of Rec. 601 (0.299, 0.587, 0.114).
void lt_picture_convert_row(const void *in, int depth, int from, int64_t w, const lt_picture_options *options, int to,
                            void *out);

// A picture in the making, from rows of 8 bits a channel as they are stored: converted, and turned upright where EXIF
// says that the camera was not. Start with {0}, end with lt_rows_free, which leaves `out` to the caller.
typedef struct {
    lt_tensor *out; // (h,w,c), upright
    int64_t width;  // of stored rows
    int from;       // stored channels
    const lt_picture_options *options;
    int64_t start, across, down; // stored pixel (y,x) is pixel start + y down + x across of `out`
    uint8_t *line;               // a converted row on its way; NULL when rows lie in `out` as they are stored
} lt_rows;

int lt_rows_begin(lt_rows *rows, int64_t height, int64_t width, int from, int orientation,
                  const lt_picture_options *options);
void lt_rows_put(lt_rows *rows, int64_t y, const uint8_t *stored);
void lt_rows_free(lt_rows *rows);

// EXIF's orientation, 1 to 8, from its TIFF structure; 1, as it is, where there is none that makes sense.
int lt_exif_orientation(const uint8_t *tiff, size_t n);

#endif
