// Any bytes are a picture or an error; what was read can be written. Checksums are put right first, or no input would
// get past them.
#include <string.h>
#include <zlib.h>

#include "picture_fuzz.h"

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void repair(uint8_t *p, size_t n)
{
    for (size_t at = 8; n >= 12 && at <= n - 12; at += 12 + (size_t)read32(p + at)) {
        const size_t length = read32(p + at);
        if (length > n - 12 - at)
            return;
        const uint32_t crc = (uint32_t)crc32(0, p + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++)
            p[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const lt_picture_options options = fuzzed_options(n);
    uint8_t *bytes = lt_alloc(n);
    if (!bytes)
        return 0;
    if (n)
        memcpy(bytes, data, n);
    repair(bytes, n);
    lt_tensor *t = lt_png_decode(bytes, n, &options);
    if (t) {
        lt_bytes again = {0};
        if (lt_png_encode(t, 1, &again) != LT_OK && !lt_error_is_memory())
            __builtin_trap();
        lt_bytes_free(&again);
    }
    lt_release(t);
    lt_free(bytes);
    return 0;
}
