// Writing PNG with libpng: always 8 bits a channel, into memory, then to the file in one piece.
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "io/picture.h"

typedef struct {
    png_structp png;
    png_infop info;
    jmp_buf escape;
    char message[160];
    bool out_of_memory;
    const lt_tensor *t;
    int channels;
    uint8_t *row; // one rounded row; NULL when t is uint8
    lt_bytes *out;
} writer;

static void on_error(png_structp png, png_const_charp message)
{
    writer *w = png_get_error_ptr(png);
    snprintf(w->message, sizeof w->message, "%s", message);
    longjmp(w->escape, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    // Nothing that we ask of libpng can go half right.
}

static png_voidp allocate(png_structp png, png_alloc_size_t n)
{
    void *p = lt_alloc(n);
    if (!p)
        ((writer *)png_get_mem_ptr(png))->out_of_memory = true;
    return p;
}

static void release(png_structp png, png_voidp p)
{
    lt_free(p);
}

static void write_bytes(png_structp png, png_bytep data, size_t n)
{
    writer *w = png_get_io_ptr(png);
    if (lt_bytes_append(w->out, data, n) != LT_OK) {
        w->out_of_memory = true;
        longjmp(w->escape, 1);
    }
}

static void flush(png_structp png)
{
    // Memory needs no flushing.
}

// [-1,1] -> 0..255, rounded to nearest; what lies outside is clamped.
static void round_row(const float *in, int64_t n, uint8_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        float v = in[i] < -1.0f ? -1.0f : in[i] > 1.0f ? 1.0f : in[i];
        out[i] = (uint8_t)lrintf((v + 1.0f) * 127.5f);
    }
}

static void encode_rows(writer *w)
{
    static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGB_ALPHA};
    const int64_t height = w->t->shape[0], width = w->t->shape[1], stride = width * w->channels;
    w->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, w, on_error, on_warning, w, allocate, release);
    if (!w->png || !(w->info = png_create_info_struct(w->png))) {
        w->out_of_memory = true;
        longjmp(w->escape, 1);
    }
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(w->png, w, write_bytes, flush);
    png_set_IHDR(w->png, w->info, (png_uint_32)width, (png_uint_32)height, 8, colours[w->channels], PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (int64_t y = 0; y < height; y++) {
        if (w->row)
            round_row(lt_f32(w->t) + y * stride, stride, w->row);
        png_write_row(w->png, w->row ? w->row : lt_u8(w->t) + y * stride);
    }
    png_write_end(w->png, w->info);
}

static int guarded(writer *w)
{
    if (setjmp(w->escape) == 0) {
        encode_rows(w);
        return LT_OK;
    }
    return w->out_of_memory ? LT_FAIL : lt_fail("cannot encode PNG: %s", w->message);
}

static int check(const lt_tensor *t, int arg)
{
    const int64_t channels = t->ndim == 3 ? t->shape[2] : 1;
    if ((t->ndim != 2 && t->ndim != 3) || channels < 1 || channels > 4)
        return lt_fail_arg(arg, "picture: expected (h,w) or (h,w,1..4), got %s", lt_shape_text(t));
    if (t->shape[0] < 1 || t->shape[1] < 1 || t->shape[0] > PNG_UINT_31_MAX || t->shape[1] > PNG_UINT_31_MAX)
        return lt_fail_arg(arg, "picture: expected sides of 1 to 2^31-1 pixels, got %s", lt_shape_text(t));
    if (t->dtype == LT_INT32)
        return lt_fail_arg(arg, "picture: expected uint8 or float32, got int32");
    if (t->dtype == LT_FLOAT32)
        for (int64_t i = 0; i < t->size; i++)
            if (isnan(lt_f32(t)[i])) {
                const int64_t pixel = i / channels;
                return lt_fail_arg(arg, "picture: NaN in row %lld, column %lld", (long long)(pixel / t->shape[1] + 1),
                                   (long long)(pixel % t->shape[1] + 1));
            }
    return LT_OK;
}

int lt_png_encode(const lt_tensor *t, int arg, lt_bytes *out)
{
    if (check(t, arg) != LT_OK)
        return LT_FAIL;
    writer w = {.t = t, .channels = t->ndim == 3 ? (int)t->shape[2] : 1, .out = out};
    if (t->dtype == LT_FLOAT32 && !(w.row = lt_alloc((size_t)(t->shape[1] * w.channels))))
        return LT_FAIL;
    int status = guarded(&w);
    png_destroy_write_struct(&w.png, &w.info);
    lt_free(w.row);
    if (status != LT_OK)
        lt_bytes_free(out);
    return status;
}

int lt_png_save(const char *path, const lt_tensor *t, int arg)
{
    lt_bytes file = {0};
    if (lt_png_encode(t, arg, &file) != LT_OK)
        return LT_FAIL;
    int status = lt_file_save(path, file.data, file.size);
    lt_bytes_free(&file);
    return status;
}
