// Any bytes are a picture or an error; what was read can be written. The length chooses what is asked for.
#include "io/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    lt_png_options options = {.channels = (int)(n % 5), .max_pixels = 1 << 14, .background = 1.0};
    options.dtype = n / 5 % 2 ? LT_FLOAT32 : LT_UINT8;
    lt_tensor *t = lt_png_decode(data, n, &options);
    if (t) {
        lt_bytes again = {0};
        if (lt_png_encode(t, 1, &again) != LT_OK)
            __builtin_trap();
        lt_bytes_free(&again);
    }
    lt_release(t);
    return 0;
}
