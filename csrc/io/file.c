#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"

int lt_bytes_append(lt_bytes *b, const void *data, size_t n)
{
    if (n > b->capacity - b->size) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity - b->size < n) {
            if (capacity > SIZE_MAX / 2)
                return lt_fail_memory(SIZE_MAX);
            capacity *= 2;
        }
        uint8_t *grown = lt_alloc(capacity);
        if (!grown)
            return LT_FAIL;
        if (b->size)
            memcpy(grown, b->data, b->size);
        lt_free(b->data);
        b->data = grown;
        b->capacity = capacity;
    }
    if (n)
        memcpy(b->data + b->size, data, n);
    b->size += n;
    return LT_OK;
}

void lt_bytes_free(lt_bytes *b)
{
    lt_free(b->data);
    *b = (lt_bytes){0};
}

int lt_fail_errno(const char *verb, const char *path)
{
    char reason[128]; // strerror's own text may be of another thread by the time that it is read
    const int number = errno;
    if (strerror_r(number, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", number);
    return lt_fail("cannot %s '%s': %s", verb, lt_shown(path, strlen(path)), reason);
}

static int want_regular(const struct stat *s, const char *verb, const char *path)
{
    if (S_ISREG(s->st_mode))
        return LT_OK;
    return lt_fail("cannot %s '%s': %s", verb, lt_shown(path, strlen(path)),
                   S_ISDIR(s->st_mode) ? "it is a directory" : "it is not a regular file");
}

// ---- reading -------------------------------------------------------------------------------------------------

int lt_file_open(const char *path, uint64_t *size)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // without O_NONBLOCK a pipe would wait for a writer
    if (fd < 0)
        return lt_fail_errno("open", path);
    if (fstat(fd, &s) != 0)
        lt_fail_errno("open", path);
    else if (want_regular(&s, "open", path) == LT_OK) {
        *size = (uint64_t)s.st_size;
        return fd;
    }
    close(fd);
    return LT_FAIL;
}

int lt_file_read_at(int fd, const char *path, uint64_t offset, void *out, size_t n)
{
    for (uint8_t *p = out; n > 0;) {
        ssize_t got = pread(fd, p, n < (1u << 30) ? n : 1u << 30, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lt_fail_errno("read", path);
        if (got == 0)
            return lt_fail("cannot read '%s': it became shorter while it was read", lt_shown(path, strlen(path)));
        p += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return LT_OK;
}

int lt_file_read(const char *path, uint64_t max, lt_bytes *out)
{
    uint64_t size;
    int fd = lt_file_open(path, &size), status = LT_FAIL;
    if (fd < 0)
        return LT_FAIL;
    if (size > max || size > SIZE_MAX)
        lt_fail("cannot read '%s': %llu bytes are more than the limit of %llu", lt_shown(path, strlen(path)),
                (unsigned long long)size, (unsigned long long)max);
    else if ((out->data = lt_alloc(size)) != NULL) {
        out->size = out->capacity = size;
        status = lt_file_read_at(fd, path, 0, out->data, size);
        if (status != LT_OK)
            lt_bytes_free(out);
    }
    close(fd);
    return status;
}

// ---- writing -------------------------------------------------------------------------------------------------

// One write, where the limit of a file's size is an error like any other (EFBIG). The system also sends SIGXFSZ to the
// thread that wrote, and by default that ends the process. So this thread holds the signal back for the time of the
// write and takes it out of the queue; what the process does about it, and what other threads see, stays as it is.
static ssize_t write_some(int fd, const void *data, size_t n)
{
    sigset_t limit, before, waiting;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    if (pthread_sigmask(SIG_BLOCK, &limit, &before) != 0)
        return -1;
    const ssize_t put = write(fd, data, n);
    const int reason = errno;
    if (put < 0 && reason == EFBIG && !sigismember(&before, SIGXFSZ) && sigpending(&waiting) == 0 &&
        sigismember(&waiting, SIGXFSZ)) {
        int taken;
        sigwait(&limit, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return put;
}

// All of the bytes, or -1 and errno.
static int write_all(int fd, const void *data, size_t n)
{
    for (const uint8_t *p = data; n > 0;) {
        const ssize_t put = write_some(fd, p, n < (1u << 30) ? n : 1u << 30);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -1;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int sync_retrying(int fd)
{
    int status;
    do
        status = fsync(fd);
    while (status != 0 && errno == EINTR);
    return status;
}

int lt_file_append(const char *path, const void *data, size_t n)
{
    struct stat s;
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0)
        return lt_fail_errno("write", path);
    int status = fstat(fd, &s) == 0 ? LT_OK : lt_fail_errno("write", path);
    if (status == LT_OK)
        status = want_regular(&s, "write", path);
    if (status == LT_OK && write_all(fd, data, n) != 0) {
        status = lt_fail_errno("write", path);
        if (ftruncate(fd, s.st_size) != 0) // half of the bytes stay where not even this works
            status = LT_FAIL;
    }
    if (close(fd) != 0 && status == LT_OK)
        status = lt_fail_errno("write", path);
    return status;
}

int lt_file_sync(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return lt_fail_errno("write", path);
    const int status = sync_retrying(fd) == 0 ? LT_OK : lt_fail_errno("write", path);
    close(fd);
    return status;
}

// ---- replacing -----------------------------------------------------------------------------------------------

// Temporary names are <name>.tmp-<host>-<process>-<count>, where host is a hash of the machine's name: who finds one
// can tell whether its process still runs here.
static unsigned host_number(void)
{
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    const uint64_t h = lt_hash(LT_HASH_START, name, strlen(name));
    return (unsigned)(h ^ h >> 32);
}

static int open_temporary(lt_replacement *r)
{
    static atomic_uint count; // of all threads: no two files of this process have one name
    for (int attempt = 0; attempt < 100; attempt++) {
        int length = snprintf(r->temporary, sizeof r->temporary, "%s.tmp-%08x-%ld-%u", r->path, host_number(),
                              (long)getpid(), atomic_fetch_add(&count, 1));
        if (length < 0 || (size_t)length >= sizeof r->temporary) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(r->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

// The folder of a path, "." or "/" included; cut where it is longer than a path may be.
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const int length = slash ? (int)(slash - path) : 0;
    snprintf(folder, PATH_MAX, "%.*s", slash ? (length ? length : 1) : 1, slash ? path : ".");
}

// Is this the name of a temporary file of this machine whose process is gone?
static bool is_stale(const char *name)
{
    unsigned host, count;
    long process;
    int length = 0;
    const char *mark = NULL;
    for (const char *p = strstr(name, ".tmp-"); p; p = strstr(p + 1, ".tmp-"))
        mark = p;
    if (!mark || sscanf(mark, ".tmp-%8x-%ld-%u%n", &host, &process, &count, &length) != 3 || mark[length] != '\0')
        return false;
    return host == host_number() && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

// Removes what processes left in a folder that were killed while they replaced a file in it.
static void remove_stale(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (is_stale(entry->d_name))
            unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
}

// Once for each folder, as long as files go into the same one: a folder of pictures may have a hundred thousand names.
static void tidy(const char *path)
{
    static _Thread_local char last[PATH_MAX];
    char folder[PATH_MAX];
    folder_of(path, folder);
    if (strcmp(folder, last) == 0)
        return;
    remove_stale(folder);
    strcpy(last, folder);
}

int lt_replace_begin(lt_replacement *r, const char *path)
{
    struct stat s;
    r->fd = -1;
    if (!realpath(path, r->path)) { // a new file, or an error that opening will tell
        if (strlen(path) >= sizeof r->path) {
            errno = ENAMETOOLONG;
            return lt_fail_errno("write", path);
        }
        strcpy(r->path, path);
    }
    bool exists = stat(r->path, &s) == 0;
    if (exists && want_regular(&s, "write", path) != LT_OK)
        return LT_FAIL;
    if (exists && access(r->path, W_OK) != 0) // rename would not care, the owner of a read-only file does
        return lt_fail_errno("write", path);
    tidy(r->path);
    if ((r->fd = open_temporary(r)) < 0)
        return lt_fail_errno("write", path);
    if (exists && fchmod(r->fd, s.st_mode & 0777) != 0) {
        lt_fail_errno("write", path);
        lt_replace_abort(r);
        return LT_FAIL;
    }
    return LT_OK;
}

int lt_replace_write(lt_replacement *r, const void *data, size_t n)
{
    return write_all(r->fd, data, n) == 0 ? LT_OK : lt_fail_errno("write", r->path);
}

int lt_replace_write_at(lt_replacement *r, uint64_t offset, const void *data, size_t n)
{
    if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
        return lt_fail_errno("write", r->path);
    return lt_replace_write(r, data, n);
}

void lt_replace_abort(lt_replacement *r)
{
    if (r->fd < 0)
        return;
    close(r->fd);
    unlink(r->temporary);
    r->fd = -1;
}

// The new name is durable only when its folder is. Some file systems cannot sync a folder: nothing more can be done.
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) // a folder that may be written but not read
        return LT_OK;
    int status = sync_retrying(fd), reason = errno;
    close(fd);
    errno = reason;
    return status == 0 || reason == EINVAL || reason == ENOTSUP || reason == EBADF ? LT_OK : LT_FAIL;
}

int lt_replace_commit(lt_replacement *r)
{
    int status = sync_retrying(r->fd);
    if (status == 0) {
        status = close(r->fd); // some file systems only tell here that the disk is full
        if (status == 0)
            status = rename(r->temporary, r->path);
        if (status != 0) {
            lt_fail_errno("write", r->path);
            unlink(r->temporary);
        }
        r->fd = -1;
    } else {
        lt_fail_errno("write", r->path);
        lt_replace_abort(r);
    }
    if (status != 0)
        return LT_FAIL;
    return sync_folder(r->path) == LT_OK ? LT_OK : lt_fail_errno("sync the folder of", r->path);
}

int lt_file_save(const char *path, const void *data, size_t n)
{
    lt_replacement r;
    if (lt_replace_begin(&r, path) != LT_OK)
        return LT_FAIL;
    if (lt_replace_write(&r, data, n) == LT_OK)
        return lt_replace_commit(&r);
    lt_replace_abort(&r);
    return LT_FAIL;
}

// ---- messages ------------------------------------------------------------------------------------------------

int lt_fail_in_file(const char *path)
{
    char message[512];
    if (lt_error_is_memory())
        return LT_FAIL;
    snprintf(message, sizeof message, "%s", lt_error_message());
    return lt_fail("'%s': %s", lt_shown(path, strlen(path)), message);
}

const char *lt_shown(const char *text, size_t n)
{
    enum { LONGEST = 200 };
    static _Thread_local char buffers[4][LONGEST + 4];
    static _Thread_local unsigned turn;
    char *out = buffers[turn++ % 4];
    size_t length = n > LONGEST ? LONGEST : n;
    while (length < n && length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--; // do not cut inside a UTF-8 sequence
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    strcpy(out + length, length < n ? "..." : "");
    return out;
}
