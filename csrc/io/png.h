// PNG pictures. Decoding gives (h,w,c) values as they are stored, without colour management; every kind of PNG
// (palette, 1 to 16 bits, grey, alpha, interlaced) ends up in the same few layouts:
//   c = 1 grey, 2 grey + alpha, 3 red green blue, 4 red green blue + alpha (not premultiplied);
//   uint8: 0..255 (16 bits are rounded); float32: [-1,1], with all that 16 bits hold.
#ifndef LT_IO_PNG_H
#define LT_IO_PNG_H

#include "io/file.h"
#include "tensor/tensor.h"

#define LT_PNG_MAX_PIXELS ((int64_t)1 << 26)

typedef struct {
    int channels;       // 1..4; 0: as many as the file has (palettes count as colour, transparency as alpha)
    lt_dtype dtype;     // LT_UINT8 or LT_FLOAT32
    int64_t max_pixels; // larger pictures are refused from their header
    double background;  // in [-1,1]: the grey that transparent pixels lie on when alpha is dropped
} lt_png_options;

lt_tensor *lt_png_decode(const void *bytes, size_t n, const lt_png_options *options);
lt_tensor *lt_png_load(const char *path, const lt_png_options *options);

// (h,w) or (h,w,1..4), uint8 or float32 in [-1,1]: rounded to 8 bits, clamped; NaN is refused. t is argument `arg`.
int lt_png_encode(const lt_tensor *t, int arg, lt_bytes *out);
int lt_png_save(const char *path, const lt_tensor *t, int arg);

// One row of w pixels from `from` channels of 8 or 16 bits (native byte order) to what the options ask.
// Grey becomes three equal channels; colour becomes grey with the weights of Rec. 601 (0.299, 0.587, 0.114).
void lt_png_convert_row(const void *in, int depth, int from, int64_t w, const lt_png_options *options, int to,
                        void *out);

#endif
