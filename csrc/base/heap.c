// A page that comes fresh from the system is filled with zeros first, at a fraction of the speed at which kernels
// write, and lists of freed blocks by size keep pages that other sizes then ask the system for. So ranges here have no
// fixed size: a request takes the smallest free range that fits, cut to length, and a freed range joins its free
// neighbours. After a step or two of training nothing comes from the system any more.
//
// Mappings grow downwards and ranges are cut from the upper end, so what was never touched lies below what was, and is
// used last. Free ranges wait in bins, eight to a power of two. Mappings stay; trimming gives back their pages, not
// their addresses. Ranges start anywhere (a multiple of 64 bytes), not on pages: arrays that all begin at the same
// place of a page compete for the same lines of the cache.
#include "base/heap.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

enum { HEADER = 64, BINS = 8 * 52, HUGE_PAGE = 2 << 20, MAPPING = 64 << 20, LEAST = 64 << 10 };

typedef struct range {
    size_t size;                  // header included
    struct range *before, *after; // neighbours in memory; NULL at the ends of what is mapped in one piece
    struct range *next, *prev;    // in the bin, while free
    size_t clean;                 // while free: so many bytes from its start on have no pages in memory
    bool free;
} range;

// Of all threads; memory.c calls with its lock held.
static struct {
    range *bin[BINS];
    range *lowest; // the mapping at the lowest address begins with this range
    size_t idle;
} heap;

static int bin_of(size_t size) // size >= HEADER
{
    int exponent = 63 - __builtin_clzll(size);
    return (exponent - 6) * 8 + (int)((size >> (exponent - 3)) & 7);
}

static void unlink_free(range *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        heap.bin[bin_of(r->size)] = r->next;
    if (r->next)
        r->next->prev = r->prev;
    heap.idle -= r->size - r->clean;
    r->free = false;
}

static void link_free(range *r)
{
    range **first = &heap.bin[bin_of(r->size)];
    r->free = true;
    r->prev = NULL;
    r->next = *first;
    if (*first)
        (*first)->prev = r;
    *first = r;
    heap.idle += r->size - r->clean;
}

// The range behind r becomes part of it.
static void join_after(range *r)
{
    range *a = r->after;
    r->clean = r->clean == r->size ? r->size + a->clean : r->clean;
    r->size += a->size;
    r->after = a->after;
    if (r->after)
        r->after->before = r;
}

// A free range that is in no bin: joined with its free neighbours, and put into one.
static void settle(range *r)
{
    if (r->after && r->after->free) {
        unlink_free(r->after);
        join_after(r);
    }
    if (r->before && r->before->free) {
        range *b = r->before;
        unlink_free(b);
        join_after(b);
        r = b;
    }
    link_free(r);
}

// The last `size` bytes of r, which is in no bin; the rest is free. All of r where the rest would be of no use.
static range *cut(range *r, size_t size)
{
    if (r->size - size < LEAST)
        return r;
    r->size -= size;
    range *end = (range *)((char *)r + r->size);
    *end = (range){.size = size, .before = r, .after = r->after};
    if (end->after)
        end->after->before = end;
    r->after = end;
    r->clean = r->clean < r->size ? r->clean : r->size;
    link_free(r);
    return end;
}

// Bytes of r that would have to come from the system if `size` were cut from it.
static size_t fresh(const range *r, size_t size)
{
    const size_t touched = r->size - r->clean;
    return size > touched ? size - touched : 0;
}

// The smallest range that fits, of those that need the fewest fresh pages.
static range *best_fit(size_t size)
{
    range *best = NULL;
    for (int i = bin_of(size); i < BINS && !(best && fresh(best, size) == 0); i++)
        for (range *r = heap.bin[i]; r; r = r->next) {
            if (r->size < size)
                continue;
            const size_t now = fresh(r, size), least = best ? fresh(best, size) : now;
            if (!best || now < least || (now == least && r->size < best->size))
                best = r;
        }
    return best;
}

// `bytes`, whole huge pages, aligned to them; at `wish` if that place is free. NULL when there is none.
static char *map_at(char *wish, size_t bytes)
{
    const int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = mmap(wish, bytes, protection, flags, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t off = (uintptr_t)p % HUGE_PAGE;
    if (off != 0) { // map more, and give the ends back
        munmap(p, bytes);
        p = mmap(NULL, bytes + HUGE_PAGE, protection, flags, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        off = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
        if (off)
            munmap(p, off);
        munmap(p + off + bytes, HUGE_PAGE - off);
        p += off;
    }
#ifdef MADV_HUGEPAGE
    madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
}

static bool map_more(size_t size)
{
    size_t least = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE, bytes = least > MAPPING ? least : MAPPING;
    char *p = NULL;
    for (;; bytes = least) {
        p = map_at(heap.lowest ? (char *)heap.lowest - bytes : NULL, bytes);
        if (p || bytes == least)
            break;
    }
    if (!p)
        return false;
    range *r = (range *)p;
    *r = (range){.size = bytes, .clean = bytes};
    if (p + bytes == (char *)heap.lowest) { // next to the last one: ranges may span both
        r->after = heap.lowest;
        heap.lowest->before = r;
    }
    if (!heap.lowest || r < heap.lowest)
        heap.lowest = r;
    settle(r);
    return true;
}

void *lt_heap_take(size_t bytes, bool grow)
{
    size_t size = (bytes + HEADER + 63) / 64 * 64;
    range *r = best_fit(size);
    if (!r && grow && map_more(size))
        r = best_fit(size);
    if (!r)
        return NULL;
    unlink_free(r);
    return (char *)cut(r, size) + HEADER;
}

void lt_heap_give(void *memory)
{
    range *r = (range *)((char *)memory - HEADER);
    r->clean = 0;
    settle(r);
}

size_t lt_heap_idle(void)
{
    return heap.idle;
}

void lt_heap_trim(size_t keep)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = BINS - 1; i >= 0; i--)
        for (range *r = heap.bin[i]; r && heap.idle > keep; r = r->next) {
            uintptr_t from = ((uintptr_t)r + HEADER + page - 1) / page * page,
                      to = ((uintptr_t)r + r->size) / page * page;
            if (r->clean == r->size || to <= from)
                continue;
#ifdef __linux__
            madvise((void *)from, to - from, MADV_DONTNEED);
#else
            madvise((void *)from, to - from, MADV_FREE);
#endif
            heap.idle -= r->size - r->clean;
            r->clean = r->size;
        }
}
