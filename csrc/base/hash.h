// A hash of bytes: to tell whether two things are the same, not against anybody who wants them to look so.
#ifndef LT_BASE_HASH_H
#define LT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define LT_HASH_START 0xcbf29ce484222325u

// FNV-1a, 64 bits (Fowler, Noll, Vo; RFC 9923): h <- (h xor byte) * prime, byte by byte.
static inline uint64_t lt_hash(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

#endif
