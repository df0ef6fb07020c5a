// Stored rows into a picture that is upright.
#include <string.h>

#include "io/picture.h"

int lt_picture_check_size(int64_t height, int64_t width, const lt_picture_options *options)
{
    if (height * width <= options->max_pixels) // sides are below 2^31
        return LT_OK;
    return lt_fail("a picture of %lldx%lld pixels is larger than max_pixels = %lld", (long long)width,
                   (long long)height, (long long)options->max_pixels);
}

// EXIF's orientations, by where row 1 and column 1 of what is stored belong:
//   1 top, left   2 top, right   3 bottom, right   4 bottom, left
//   5 left, top   6 right, top   7 right, bottom   8 left, bottom
// From 5 on rows become columns: the upright picture is as wide as the stored one is high.
static void turn(lt_rows *rows, int64_t height, int64_t width, int orientation)
{
    const bool swapped = orientation >= 5;
    const bool rows_back = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool columns_back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    rows->down = swapped ? 1 : width;
    rows->across = swapped ? height : 1;
    rows->start = (rows_back ? (height - 1) * rows->down : 0) + (columns_back ? (width - 1) * rows->across : 0);
    rows->down = rows_back ? -rows->down : rows->down;
    rows->across = columns_back ? -rows->across : rows->across;
}

int lt_rows_begin(lt_rows *rows, int64_t height, int64_t width, int from, int orientation,
                  const lt_picture_options *options)
{
    const int64_t to = options->channels ? options->channels : from;
    const int64_t sides[2] = {orientation >= 5 ? width : height, orientation >= 5 ? height : width};
    rows->width = width;
    rows->from = from;
    rows->options = options;
    turn(rows, height, width, orientation);
    if (!(rows->out = lt_tensor_new(options->dtype, 3, (int64_t[]){sides[0], sides[1], to})))
        return LT_FAIL;
    if (orientation != 1 && !(rows->line = lt_alloc((size_t)(width * to) * lt_dtype_size(options->dtype))))
        return LT_FAIL;
    return LT_OK;
}

void lt_rows_put(lt_rows *rows, int64_t y, const uint8_t *stored)
{
    const int to = (int)rows->out->shape[2];
    const size_t pixel = (size_t)to * lt_dtype_size(rows->out->dtype);
    const int64_t first = rows->start + y * rows->down;
    uint8_t *out = (uint8_t *)rows->out->data;
    if (!rows->line) {
        lt_picture_convert_row(stored, 8, rows->from, rows->width, rows->options, to, out + (size_t)first * pixel);
        return;
    }
    lt_picture_convert_row(stored, 8, rows->from, rows->width, rows->options, to, rows->line);
    for (int64_t x = 0; x < rows->width; x++)
        memcpy(out + (size_t)(first + x * rows->across) * pixel, rows->line + (size_t)x * pixel, pixel);
}

void lt_rows_free(lt_rows *rows)
{
    lt_free(rows->line);
    rows->line = NULL;
}
