// Any bytes, packed or not, are a tensor or an error.
#include "io/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    lt_release(lt_idx_decode(data, n));
    return 0;
}
