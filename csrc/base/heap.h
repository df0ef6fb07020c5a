// Memory for large blocks: ranges of a few big mappings, cut from one another and joined again. Not locked: memory.c,
// its only user, holds a lock.
#ifndef LT_BASE_HEAP_H
#define LT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

// `bytes` of memory, 64-byte aligned, contents undefined. NULL when no free range fits and either `grow` is false or
// the system has no more.
void *lt_heap_take(size_t bytes, bool grow);
void lt_heap_give(void *memory);

size_t lt_heap_idle(void); // bytes of free ranges that still occupy memory
void lt_heap_trim(
    size_t keep); // lets the system have the pages of free ranges, the largest first, until `keep` are left

#endif
