#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local struct {
    char message[1024];
    int arg, memory;
} last;

static int record(int arg, int memory, const char *format, va_list va)
{
    vsnprintf(last.message, sizeof last.message, format, va);
    last.arg = arg;
    last.memory = memory;
    return LT_FAIL;
}

int lt_fail(const char *format, ...)
{
    va_list va;
    va_start(va, format);
    record(0, 0, format, va);
    va_end(va);
    return LT_FAIL;
}

int lt_fail_arg(int arg, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    record(arg, 0, format, va);
    va_end(va);
    return LT_FAIL;
}

int lt_fail_memory(size_t bytes)
{
    lt_fail("not enough memory: %zu bytes needed", bytes);
    last.memory = 1;
    return LT_FAIL;
}

const char *lt_error_message(void)
{
    return last.message;
}

int lt_error_arg(void)
{
    return last.arg;
}

int lt_error_is_memory(void)
{
    return last.memory;
}

void lt_error_clear(void)
{
    last.message[0] = 0;
    last.arg = last.memory = 0;
}
