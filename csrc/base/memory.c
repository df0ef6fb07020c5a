// Training allocates the same sizes step after step; handing memory back to the system and asking for it again costs
// page faults that are dearer than the arithmetic. So what is freed is kept: small blocks wait in lists by size class
// (8 classes a power of two: at most 12.5 % is wasted), large ones are ranges of heap.c. Both together may hold up to a
// quarter more than was ever in use at once.
#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/heap.h"

enum { ALIGN = 64, CLASSES = 8 * 48, LARGE = 128 << 10, SLACK = 16 << 20 };
#define LARGEST ((size_t)1 << 50) // more than any machine has, and within the size classes

// Under AddressSanitizer nothing is kept: a cached block would hide a use after free.
#if defined(__SANITIZE_ADDRESS__)
enum { KEEPS = false };
#else
enum { KEEPS = true };
#endif

typedef struct block {
    size_t bytes; // of the payload, rounded up to its class
    int class;
    bool large;         // a range of the heap
    struct block *next; // while cached
} block;

// Everything here and in heap.c is of all threads, and touched only by who holds the lock.
static struct {
    pthread_mutex_t lock;
    block *cached[CLASSES];
    lt_memory_stats stats;
    int64_t fail_at;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

// What this thread may still take, of `whole`; SIZE_MAX is no limit.
static _Thread_local struct {
    size_t left, whole;
} allowance = {SIZE_MAX, SIZE_MAX};

static void lock_pool(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void unlock_pool(void)
{
    pthread_mutex_unlock(&pool.lock);
}

// A process that forks while another thread allocates: the child would wait for a lock that nobody gives back.
__attribute__((constructor)) static void fork_between_allocations(void)
{
    pthread_atfork(lock_pool, unlock_pool, unlock_pool);
}

// The class of a size, and the size it is rounded up to.
static int class_of(size_t bytes, size_t *rounded)
{
    size_t units = (bytes + ALIGN - 1) / ALIGN; // payloads are whole cache lines
    if (units < 8) {
        *rounded = units * ALIGN;
        return (int)units;
    }
    int exponent = 63 - __builtin_clzll(units); // 2^exponent <= units
    size_t step = (size_t)1 << (exponent - 3);
    size_t eighths = (units + step - 1) / step; // 8 .. 16
    *rounded = eighths * step * ALIGN;
    return (exponent - 2) * 8 + (int)eighths - 8;
}

static void *payload(block *b)
{
    return (char *)b + ALIGN;
}

// Gives kept memory back to the system until at most `keep` bytes wait.
static void trim_locked(size_t keep)
{
    size_t small = pool.stats.cached;
    lt_heap_trim(keep > small ? keep - small : 0);
    size_t large = lt_heap_idle();
    for (int i = CLASSES - 1; i >= 0; i--)
        while (pool.cached[i] && pool.stats.cached + large > keep) {
            block *b = pool.cached[i];
            pool.cached[i] = b->next;
            pool.stats.cached -= b->bytes;
            free(b);
        }
}

static block *from_system(size_t rounded, bool large)
{
    block *b = large ? lt_heap_take(rounded + ALIGN, true) : aligned_alloc(ALIGN, rounded + ALIGN);
    if (b)
        b->large = large;
    return b;
}

// A block of memory that was not kept. What is kept is of other sizes; it may not make the whole grow beyond what was
// ever in use at once by more than a quarter.
static block *fresh_locked(size_t rounded, bool large)
{
    size_t allowed = pool.stats.peak / 4 * 5 + SLACK, used = pool.stats.live + rounded;
    trim_locked(allowed > used ? allowed - used : 0);
    block *b = from_system(rounded, large);
    if (!b) {
        trim_locked(0); // what we hoard may be what is missing
        b = from_system(rounded, large);
    }
    return b;
}

static block *take_locked(int class, size_t rounded)
{
    const bool large = KEEPS && rounded >= LARGE;
    block *b = large ? lt_heap_take(rounded + ALIGN, false) : pool.cached[class];
    if (b && !large) {
        pool.cached[class] = b->next;
        pool.stats.cached -= b->bytes;
        return b;
    }
    if (b)
        b->large = true;
    else
        b = fresh_locked(rounded, large);
    if (b) {
        b->bytes = rounded;
        b->class = class;
    }
    return b;
}

// Linux promises more memory than there is and kills whoever uses it. What cannot fit is refused while words can still
// be said.
static size_t physical_locked(void)
{
    static size_t bytes;
    if (bytes == 0) {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
        bytes = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : LARGEST;
    }
    return bytes;
}

void *lt_alloc(size_t bytes)
{
    if (bytes > LARGEST) {
        lt_fail_memory(bytes);
        return NULL;
    }
    size_t rounded;
    int class = class_of(bytes ? bytes : 1, &rounded);
    if (KEEPS && bytes >= LARGE)
        rounded = (bytes + ALIGN - 1) / ALIGN * ALIGN; // ranges are cut to length
    if (rounded > allowance.left) {
        lt_fail_memory(bytes);
        return NULL;
    }
    lock_pool();
    bool failed = pool.fail_at > 0 && --pool.fail_at == 0;
    failed = failed || pool.stats.live + rounded > physical_locked();
    block *b = failed ? NULL : take_locked(class, rounded);
    if (b) {
        pool.stats.live += rounded;
        pool.stats.count++;
        if (pool.stats.live > pool.stats.peak)
            pool.stats.peak = pool.stats.live;
    }
    unlock_pool();
    if (!b) {
        lt_fail_memory(bytes);
        return NULL;
    }
    if (allowance.whole != SIZE_MAX)
        allowance.left -= rounded;
    return payload(b);
}

void *lt_alloc_zeroed(size_t bytes)
{
    void *p = lt_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void lt_free(void *p)
{
    if (!p)
        return;
    block *b = (block *)((char *)p - ALIGN);
    if (allowance.whole != SIZE_MAX) // what was there before may be freed too: never more than the whole
        allowance.left = allowance.whole - allowance.left > b->bytes ? allowance.left + b->bytes : allowance.whole;
    lock_pool();
    pool.stats.live -= b->bytes;
    pool.stats.count--;
    if (b->large) {
        lt_heap_give(b);
    } else if (KEEPS) {
        b->next = pool.cached[b->class];
        pool.cached[b->class] = b;
        pool.stats.cached += b->bytes;
    } else {
        free(b);
    }
    unlock_pool();
}

int lt_mul_size(size_t a, size_t b, size_t *out)
{
    if (__builtin_mul_overflow(a, b, out))
        return lt_fail("size too large: %zu times %zu", a, b);
    return LT_OK;
}

lt_memory_stats lt_memory(void)
{
    lock_pool();
    lt_memory_stats stats = pool.stats;
    stats.cached += lt_heap_idle();
    unlock_pool();
    return stats;
}

void lt_memory_reset_peak(void)
{
    lock_pool();
    pool.stats.peak = pool.stats.live;
    unlock_pool();
}

void lt_memory_trim(void)
{
    lock_pool();
    trim_locked(0);
    unlock_pool();
}

size_t lt_memory_allow(size_t bytes)
{
    const size_t before = allowance.left;
    allowance.left = allowance.whole = bytes;
    return before;
}

void lt_memory_fail_at(int64_t n)
{
    lock_pool();
    pool.fail_at = n;
    unlock_pool();
}
