// Any header is understood or refused; one that is understood covers its data exactly.
#include <string.h>

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    lt_st_header h;
    uint64_t length, covered = 0;
    if (n < 8 || (memcpy(&length, data, 8), length > n - 8))
        return 0;
    char *json = lt_alloc(length);
    if (!json)
        return 0;
    memcpy(json, data + 8, length);
    if (lt_st_header_parse(&h, json, length, n - 8 - length) == LT_OK) {
        for (size_t i = 0; i < h.count; i++)
            covered += h.entries[i].end - h.entries[i].begin;
        if (covered != n - 8 - length)
            __builtin_trap();
    }
    lt_st_header_free(&h);
    return 0;
}
