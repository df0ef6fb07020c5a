// Memory that ends, at every allocation in turn, in the libraries too: a target gets each file that is named, again and
// again; the first time the first allocation fails, then the second, until there are no more. What it says is then that
// there is not enough memory, or what it says otherwise, where a library could do without; and all is given back.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#ifdef __GLIBC__
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void __libc_free(void *p);

static bool watched;   // is this the target's allocation?
static long left = -1; // allocations until one fails; below 0: none will
static long live;

static bool fails(void)
{
    return watched && left >= 0 && left-- == 0;
}

static void *counted(void *p)
{
    live += watched && p;
    return p;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *p, size_t bytes)
{
    if (fails())
        return NULL;
    void *moved = __libc_realloc(p, bytes);
    return p ? moved : counted(moved);
}

void free(void *p)
{
    live -= watched && p;
    __libc_free(p);
}

// What the target says when allocation k fails, from 0; with k = -1 none does.
static const char *run(const uint8_t *bytes, size_t n, long k)
{
    lt_error_clear();
    live = 0;
    left = k;
    watched = true;
    LLVMFuzzerTestOneInput(bytes, n);
    watched = false;
    return lt_error_message();
}

static bool starve(const char *path, const uint8_t *bytes, size_t n)
{
    char usual[1024];
    run(bytes, n, -1); // what is kept for ever is made now
    snprintf(usual, sizeof usual, "%s", run(bytes, n, -1));
    for (long k = 0; k == 0 || left < 0; k++) {
        const char *said = run(bytes, n, k);
        if (live != 0 || (!lt_error_is_memory() && strcmp(said, usual) != 0)) {
            fprintf(stderr, "%s: without allocation %ld: '%s', %ld not given back; else '%s'\n", path, k, said, live,
                    usual);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    return each_file(argc, argv, starve);
}
#else
int main(void)
{
    puts("only glibc lets a program count its allocations");
    return 0;
}
#endif
