// Bytes in memory, read forwards, unpacked on the way when they are gzip (told by their first two bytes).
#ifndef LT_IO_UNPACK_H
#define LT_IO_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/error.h"

typedef struct {
    const uint8_t *next;
    size_t left; // packed bytes not read yet
    bool gzip, ended, out_of_memory;
    z_stream z;
} lt_unpack;

int lt_unpack_begin(lt_unpack *u, const void *bytes, size_t n);
int lt_unpack_read(lt_unpack *u, void *out, size_t n); // exactly n bytes, or LT_FAIL
int lt_unpack_end(lt_unpack *u);                       // fails unless everything was read and its checksum is right
void lt_unpack_free(lt_unpack *u);

// What is left cannot unpack to more bytes than this.
uint64_t lt_unpack_most(const lt_unpack *u);

#endif
