// Where there is no libFuzzer: a target gets each file that is named, whole and cut at every place.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 4096 };

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

int main(int argc, char **argv)
{
    static uint8_t bytes[MOST];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        const size_t n = fread(bytes, 1, MOST, file);
        fclose(file);
        for (size_t length = 0; length <= n; length++)
            give(bytes, length);
    }
    return argc > 1 ? 0 : 1;
}
