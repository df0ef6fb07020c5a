#include "data/pictures.h"

#include <string.h>

#include "base/threads.h"

typedef struct {
    const uint8_t *pictures, *flip;
    const int32_t *index;
    void *out;
    int64_t height, width, channels;
} batch;

static int check_batch(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip)
{
    if (lt_want_dtype(pictures, LT_UINT8, 1, "pictures") != LT_OK ||
        lt_want_ndim(pictures, 4, 1, "pictures") != LT_OK || lt_want_dtype(index, LT_INT32, 2, "index") != LT_OK ||
        lt_want_ndim(index, 1, 2, "index") != LT_OK)
        return LT_FAIL;
    for (int64_t i = 0; i < index->size; i++) {
        int32_t at = lt_i32(index)[i];
        if (at < 1 || at > pictures->shape[0])
            return lt_fail_arg(2, "index: expected 1 to %lld, got %d at place %lld", (long long)pictures->shape[0], at,
                               (long long)i + 1);
    }
    if (!flip)
        return LT_OK;
    if (lt_want_dtype(flip, LT_UINT8, 3, "flip") != LT_OK)
        return LT_FAIL;
    if (!lt_same_shape(flip, index))
        return lt_fail_arg(3, "flip: expected %s, got %s", lt_shape_text(index), lt_shape_text(flip));
    return LT_OK;
}

static batch batch_of(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip, lt_tensor *out)
{
    return (batch){lt_u8(pictures),    flip ? lt_u8(flip) : NULL, lt_i32(index),     out->data,
                   pictures->shape[1], pictures->shape[2],        pictures->shape[3]};
}

// A small batch is done before another thread has woken up: pieces of about 256 KB.
static int64_t pictures_a_piece(const lt_tensor *pictures)
{
    const int64_t *s = pictures->shape;
    return 1 + (1 << 18) / (s[1] * s[2] * s[3] + 1);
}

static void gather_piece(void *context, int64_t begin, int64_t end)
{
    const batch *b = context;
    float level[256];
    for (int v = 0; v < 256; v++)
        level[v] = (float)v / 127.5f - 1;
    int64_t row = b->width * b->channels, size = b->height * row;
    for (int64_t i = begin; i < end; i++) {
        const uint8_t *from = b->pictures + (b->index[i] - 1) * size;
        float *to = (float *)b->out + i * size;
        if (!b->flip || !b->flip[i]) {
            for (int64_t k = 0; k < size; k++)
                to[k] = level[from[k]];
            continue;
        }
        for (int64_t y = 0; y < b->height; y++, from += row, to += row)
            for (int64_t x = 0; x < b->width; x++)
                for (int64_t c = 0; c < b->channels; c++)
                    to[x * b->channels + c] = level[from[(b->width - 1 - x) * b->channels + c]];
    }
}

lt_tensor *lt_gather_pictures(const lt_tensor *pictures, const lt_tensor *index, const lt_tensor *flip)
{
    if (check_batch(pictures, index, flip) != LT_OK)
        return NULL;
    const int64_t *s = pictures->shape;
    lt_tensor *out = lt_tensor_new(LT_FLOAT32, 4, (int64_t[]){index->size, s[1], s[2], s[3]});
    if (!out)
        return NULL;
    batch b = batch_of(pictures, index, flip, out);
    lt_parallel(index->size, pictures_a_piece(pictures), gather_piece, &b);
    return out;
}

static void take_piece(void *context, int64_t begin, int64_t end)
{
    const batch *b = context;
    int64_t size = b->height * b->width * b->channels;
    for (int64_t i = begin; i < end; i++)
        memcpy((uint8_t *)b->out + i * size, b->pictures + (b->index[i] - 1) * size, (size_t)size);
}

lt_tensor *lt_take_pictures(const lt_tensor *pictures, const lt_tensor *index)
{
    if (check_batch(pictures, index, NULL) != LT_OK)
        return NULL;
    const int64_t *s = pictures->shape;
    lt_tensor *out = lt_tensor_new(LT_UINT8, 4, (int64_t[]){index->size, s[1], s[2], s[3]});
    if (!out)
        return NULL;
    batch b = batch_of(pictures, index, NULL, out);
    lt_parallel(index->size, pictures_a_piece(pictures), take_piece, &b);
    return out;
}
