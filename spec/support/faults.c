// Preloaded into a child process: the FAULT_AT-th call that changes a file goes wrong.
//   FAULT=kill   the process is gone, as after kill -9; of a write, half has happened
//   FAULT=error  the call fails: disk full, input/output error
//   FAULT=short  every write takes only half of what it was given, and every other call is interrupted first
// Calls that are counted: open to create, write, fsync, rename. Standard output and what stdio does are not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

static int asked(const char *fault)
{
    const char *value = getenv("FAULT");
    return value && strcmp(value, fault) == 0;
}

// Is this the call? A kill does not return.
static int now(int reason)
{
    const char *at = getenv("FAULT_AT");
    if (!at || ++calls != atoi(at))
        return 0;
    if (asked("kill"))
        kill(getpid(), SIGKILL);
    errno = reason;
    return 1;
}

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list va;
    va_start(va, flags);
    mode_t mode = flags & O_CREAT ? va_arg(va, mode_t) : 0;
    va_end(va);
    if (!real)
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return (flags & O_CREAT) && now(EACCES) ? -1 : real(path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t n)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (fd <= 2)
        return real(fd, data, n);
    if (asked("short") && calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (asked("short"))
        return real(fd, data, n / 2 + n % 2);
    const char *at = getenv("FAULT_AT");
    if (at && asked("kill") && calls + 1 == atoi(at))
        real(fd, data, n / 2);
    return now(ENOSPC) ? -1 : real(fd, data, n);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return now(EIO) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    if (!real)
        real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    return now(EXDEV) ? -1 : real(from, to);
}
