// What the fuzz targets of pictures share.
#ifndef LT_PICTURE_FUZZ_H
#define LT_PICTURE_FUZZ_H

#include "io/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

// The length chooses what is asked for.
static inline lt_picture_options fuzzed_options(size_t n)
{
    return (lt_picture_options){.channels = (int)(n % 5),
                                .max_pixels = 1 << 14,
                                .background = {1, 1, 1},
                                .dtype = n / 5 % 2 ? LT_FLOAT32 : LT_UINT8};
}

// Any bytes are a picture or an error. A picture has numbers everywhere: what a library left out would be read here.
static inline int fuzz_decoder(lt_tensor *(*decode)(const void *, size_t, const lt_picture_options *),
                               const uint8_t *data, size_t n)
{
    const lt_picture_options options = fuzzed_options(n);
    lt_tensor *t = decode(data, n, &options);
    if (t && t->dtype == LT_FLOAT32)
        for (int64_t i = 0; i < t->size; i++)
            if (!(lt_f32(t)[i] >= -1.0f && lt_f32(t)[i] <= 1.0f))
                __builtin_trap();
    lt_release(t);
    return 0;
}

#endif
