// Many small files: what takes time is opening them.
#include "io/file_many.h"

#include <stdio.h>

#include "base/threads.h"

typedef struct {
    const char *const *paths;
    uint64_t most;
    lt_file_found *found;
} job;

static void read_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t i = begin; i < end; i++) {
        lt_file_found *f = &j->found[i];
        if (f->bytes.data || (f->failed && !f->no_memory))
            continue;
        f->failed = lt_file_read(j->paths[i], j->most, &f->bytes) != LT_OK;
        f->no_memory = f->failed && lt_error_is_memory();
        if (f->failed)
            snprintf(f->reason, sizeof f->reason, "%s", lt_error_message());
    }
}

bool lt_files_read(const char *const *paths, int64_t n, uint64_t most, lt_file_found *found)
{
    job j = {paths, most, found};
    lt_parallel(n, 16, read_piece, &j);
    for (int64_t i = 0; i < n; i++)
        if (found[i].no_memory)
            return false;
    return true;
}
