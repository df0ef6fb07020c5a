// Every buffer of laterna comes from here: 64-byte aligned, counted, and kept for reuse when freed.
#ifndef LT_BASE_MEMORY_H
#define LT_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *lt_alloc(size_t bytes);        // NULL after lt_fail_memory; contents undefined; 0 bytes is fine
void *lt_alloc_zeroed(size_t bytes); // the same, filled with zeros
void lt_free(void *p);               // NULL is fine

// size_t products that cannot wrap: *out = a * b, or LT_FAIL with a message.
int lt_mul_size(size_t a, size_t b, size_t *out);

typedef struct {
    size_t live;   // bytes in use by somebody
    size_t cached; // bytes freed but kept for the next allocation
    size_t peak;   // the largest `live` since the last reset
    size_t count;  // blocks in use
} lt_memory_stats;

lt_memory_stats lt_memory(void);
void lt_memory_reset_peak(void);
void lt_memory_trim(void); // give cached blocks back to the system

// From now on this thread may have so many bytes more in use than now; what would pass that fails like any allocation.
// SIZE_MAX: no limit. Returns what was left of the limit before, to be set again. For building what a file describes,
// which may ask for more than there is.
size_t lt_memory_allow(size_t bytes);

// For the specs: the n-th allocation from now fails (1 = the next); 0 turns it off.
void lt_memory_fail_at(int64_t n);

#endif
