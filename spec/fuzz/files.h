// What the programs that take seeds share.
#ifndef LT_FUZZ_FILES_H
#define LT_FUZZ_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// Calls take(path, bytes, n) with each file that is named, as far as its first 4096 bytes. The status of the program: 0
// where there is a file, all could be read, and take was content with each.
static inline int each_file(int argc, char **argv, bool (*take)(const char *path, const uint8_t *bytes, size_t n))
{
    static uint8_t bytes[4096];
    bool good = argc > 1;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        const size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        good = take(argv[i], bytes, n) && good;
    }
    return good ? 0 : 1;
}

#endif
