// From what a file holds to what was asked for, one row at a time.
#include <math.h>
#include <string.h>

#include "io/picture.h"

// Bytes as numbers in [-1,1], both ends exact. Looked up, because a division a byte costs as much as an eighth of
// decoding.
#define ONE(i)     ((i) / 127.5f - 1.0f)
#define FOUR(i)    ONE(i), ONE(i + 1), ONE(i + 2), ONE(i + 3)
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)
#define QUARTER(i) SIXTEEN(i), SIXTEEN(i + 16), SIXTEEN(i + 32), SIXTEEN(i + 48)
static const float numbers[256] = {QUARTER(0), QUARTER(64), QUARTER(128), QUARTER(192)};

// The common case: nothing but the type changes.
static void same_channels(const void *in, int depth, int64_t n, lt_dtype dtype, void *out)
{
    const uint8_t *bytes = in;
    const uint16_t *words = in;
    if (dtype == LT_UINT8 && depth == 8)
        memcpy(out, in, (size_t)n);
    else if (dtype == LT_UINT8)
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)out)[i] = (uint8_t)((words[i] * 255u + 32767u) / 65535u);
    else if (depth == 8)
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = numbers[bytes[i]];
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = (float)words[i] / 32767.5f - 1.0f;
}

// Three equal channels stay as they are.
static float grey(const float p[3])
{
    return p[1] + 0.299f * (p[0] - p[1]) + 0.114f * (p[2] - p[1]);
}

void lt_picture_convert_row(const void *in, int depth, int from, int64_t w, const lt_picture_options *options, int to,
                            void *out)
{
    if (from == to) {
        same_channels(in, depth, w * to, options->dtype, out);
        return;
    }
    const uint8_t *in8 = in;
    const uint16_t *in16 = in;
    const int colours_in = from < 3 ? 1 : 3, colours_out = to < 3 ? 1 : 3;
    const bool alpha_in = from % 2 == 0, alpha_out = to % 2 == 0;
    const float scale = depth == 8 ? 255.0f : 65535.0f;
    float background[3];
    for (int c = 0; c < 3; c++)
        background[c] = ((float)options->background[c] + 1.0f) / 2.0f;
    if (colours_out == 1)
        background[0] = grey(background);
    for (int64_t x = 0; x < w; x++) {
        float p[4]; // in [0,1]
        for (int c = 0; c < from; c++)
            p[c] = (float)(depth == 8 ? in8[x * from + c] : in16[x * from + c]) / scale;
        float alpha = alpha_in ? p[colours_in] : 1.0f;
        if (colours_out < colours_in)
            p[0] = grey(p);
        for (int c = colours_in; c < colours_out; c++)
            p[c] = p[0];
        if (alpha_out)
            p[colours_out] = alpha;
        else if (alpha_in)
            for (int c = 0; c < colours_out; c++)
                p[c] = alpha * p[c] + (1.0f - alpha) * background[c];
        for (int c = 0; c < to; c++)
            if (options->dtype == LT_UINT8)
                ((uint8_t *)out)[x * to + c] = (uint8_t)lrintf(p[c] * 255.0f);
            else
                ((float *)out)[x * to + c] = 2.0f * p[c] - 1.0f;
    }
}
