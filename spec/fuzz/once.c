// Where there is no libFuzzer: a target gets each file that is named, whole and cut at every place.
#include <stdlib.h>

#include "files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

// What a sanitizer is to watch has the size that it is said to have.
static void give(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    for (size_t i = 0; i < n; i++)
        copy[i] = bytes[i];
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static bool cut(const char *path, const uint8_t *bytes, size_t n)
{
    for (size_t length = 0; length <= n; length++)
        give(bytes, length);
    return true;
}

int main(int argc, char **argv)
{
    return each_file(argc, argv, cut);
}
