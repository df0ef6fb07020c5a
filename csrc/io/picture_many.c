// Many pictures out of files. Each is read, decoded and brought to its size by one thread, right into its row; a thread
// holds one decoded picture at a time, so that memory does not grow with their number.
#include "io/picture_many.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/threads.h"

enum { BLANK = 4 }; // variance of bytes: a standard deviation of 2 of 255

// lt_hash, eight bytes at a time.
static uint64_t hash_of(const uint8_t *bytes, size_t n)
{
    uint64_t h = LT_HASH_START, word;
    for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32; // high bits would never reach low ones
    }
    return lt_hash(h, bytes, n);
}

// Has every channel a variance below BLANK? Deviations from the mean of the first pixels are no smaller than those from
// the mean of all, so that most pictures are known after a few rows.
static bool is_blank(const uint8_t *bytes, int64_t pixels, int64_t channels)
{
    enum { AT_ONCE = 256 };
    int64_t sum[4] = {0}, squares[4] = {0};
    for (int64_t first = 0; first < pixels; first += AT_ONCE) {
        const int64_t last = first + AT_ONCE < pixels ? first + AT_ONCE : pixels;
        for (int64_t i = first * channels; i < last * channels; i++) {
            const int64_t v = bytes[i], c = i % channels;
            sum[c] += v;
            squares[c] += v * v;
        }
        for (int64_t c = 0; c < channels; c++) // the sum of squared deviations, times `last`
            if (last * squares[c] - sum[c] * sum[c] >= BLANK * (pixels - 1) * last)
                return false;
    }
    return true;
}

static void load_one(const lt_pictures *p, int64_t i)
{
    lt_picture_found *found = &p->found[i];
    const int64_t channels = p->options->channels, size = p->height * p->width * channels;
    uint8_t *row = p->rows + i * size;
    found->height = found->width = 0;
    found->hash = 0;
    found->blank = found->no_memory = false;
    lt_tensor *whole = lt_picture_load(p->paths[i], p->options);
    if (whole && lt_fit_into(whole, p->fit, row, p->height, p->width) == LT_OK) {
        found->height = whole->shape[0];
        found->width = whole->shape[1];
        found->hash = hash_of(row, (size_t)size);
        found->blank = is_blank(row, p->height * p->width, channels);
    } else {
        snprintf(found->reason, sizeof found->reason, "%s", lt_error_message());
        found->no_memory = lt_error_is_memory();
    }
    lt_release(whole);
}

static void load_piece(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        load_one(context, i);
}

bool lt_pictures_load(lt_pictures *p, int64_t n)
{
    lt_parallel(n, 1, load_piece, p);
    bool enough = true;
    for (int64_t i = 0; i < n; i++)
        enough = enough && !p->found[i].no_memory;
    return enough;
}

void lt_pictures_load_rest(lt_pictures *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (p->found[i].no_memory)
            load_one(p, i);
}

int64_t lt_pictures_close_ranks(lt_pictures *p, int64_t n)
{
    const size_t size = (size_t)(p->height * p->width * p->options->channels);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (p->found[i].height == 0)
            continue;
        if (kept < i)
            memmove(p->rows + (size_t)kept * size, p->rows + (size_t)i * size, size);
        kept++;
    }
    return kept;
}
