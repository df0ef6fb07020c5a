// Many small files, by all threads.
#ifndef LT_IO_FILE_MANY_H
#define LT_IO_FILE_MANY_H

#include <stdbool.h>

#include "io/file.h"

// A file that was read, or why it was not.
typedef struct {
    lt_bytes bytes; // to be freed
    bool failed, no_memory;
    char reason[512];
} lt_file_found;

// Reads n whole files of at most `most` bytes each. `found` begins with zeros. False where there was not memory enough;
// called once more it reads what is left.
bool lt_files_read(const char *const *paths, int64_t n, uint64_t most, lt_file_found *found);

#endif
