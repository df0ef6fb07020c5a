// Files: read whole or in parts, and replaced whole. What can be seen under a path is the old file or the new one,
// never half of one, whatever stops the program. Every message names the path and the system's reason.
#ifndef LT_IO_FILE_H
#define LT_IO_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

// Bytes that grow. Start with {0}, end with lt_bytes_free.
typedef struct {
    uint8_t *data;
    size_t size, capacity;
} lt_bytes;

int lt_bytes_append(lt_bytes *b, const void *data, size_t n);
void lt_bytes_free(lt_bytes *b);

// Opens a regular file for reading (never a folder, a pipe or a device: opening does not block).
// Returns a descriptor, or LT_FAIL.
int lt_file_open(const char *path, uint64_t *size);
int lt_file_read_at(int fd, const char *path, uint64_t offset, void *out, size_t n);
// The whole file; refused from its size when it has more than `max` bytes.
int lt_file_read(const char *path, uint64_t max, lt_bytes *out);

// Adds bytes at the end of a file, which is made if need be: all of them, or none and an error.
int lt_file_append(const char *path, const void *data, size_t n);
// What was written to a file is on the disk when this returns.
int lt_file_sync(const char *path);

// A file about to take the place of `path`: written under a temporary name in the same folder, fsynced, renamed,
// the folder fsynced. A link keeps pointing where it did; an existing file keeps its permissions. What a
// killed process left in the folder under such temporary names is removed; that of processes which run is not.
typedef struct {
    int fd;
    char path[PATH_MAX], temporary[PATH_MAX];
} lt_replacement;

int lt_replace_begin(lt_replacement *r, const char *path);
int lt_replace_write(lt_replacement *r, const void *data, size_t n);
int lt_replace_write_at(lt_replacement *r, uint64_t offset, const void *data, size_t n); // over what is there
int lt_replace_commit(lt_replacement *r); // on failure nothing is left behind
void lt_replace_abort(lt_replacement *r); // removes the temporary file; keeps the message of what failed

// All of the above for bytes in memory.
int lt_file_save(const char *path, const void *data, size_t n);

// Puts the path in front of the last message ("'a.png': bad CRC"); an allocation's failure stays as it is.
// Always returns LT_FAIL.
int lt_fail_in_file(const char *path);
// "cannot <verb> '<path>': <reason of errno>". Always returns LT_FAIL.
int lt_fail_errno(const char *verb, const char *path);

// `text` as it may be printed: control characters become '?', long text is cut. One of a few rotating buffers.
const char *lt_shown(const char *text, size_t n);

#endif
