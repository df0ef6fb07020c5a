// WebP by the library that decodes it.
#include "picture_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_decoder(lt_webp_decode, data, n);
}
