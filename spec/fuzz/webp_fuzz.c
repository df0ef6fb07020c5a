// Any bytes are a picture or an error. The length chooses what is asked for.
#include <string.h>

#include "io/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    lt_picture_options options = {.channels = (int)(n % 5), .max_pixels = 1 << 14, .background = 1.0};
    options.dtype = n / 5 % 2 ? LT_FLOAT32 : LT_UINT8;
    lt_tensor *t = lt_webp_decode(data, n, &options);
    // A picture has numbers everywhere: what libwebp left out would be read here.
    if (t && t->dtype == LT_FLOAT32)
        for (int64_t i = 0; i < t->size; i++)
            if (!(lt_f32(t)[i] >= -1.0f && lt_f32(t)[i] <= 1.0f))
                __builtin_trap();
    lt_release(t);
    return 0;
}
