// Errors are values here: a function that can fail returns LT_FAIL (or NULL) and leaves one message
// for the caller's thread. Only csrc/lua/ turns that message into a Lua error.
#ifndef LT_BASE_ERROR_H
#define LT_BASE_ERROR_H

#include <stddef.h>

enum { LT_OK = 0, LT_FAIL = -1 };

#if defined(__GNUC__)
#define LT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define LT_PRINTF(f, a)
#endif

// Record a message; always returns LT_FAIL, so `return lt_fail("...")` reads well.
int lt_fail(const char *format, ...) LT_PRINTF(1, 2);

// The same for a bad argument: `arg` is its 1-based position in the function's documented signature
// (a method's self is argument 1). The binding adds "bad argument #n to 'f'".
int lt_fail_arg(int arg, const char *format, ...) LT_PRINTF(2, 3);

// An allocation of `bytes` failed. The binding collects garbage and tries once more.
int lt_fail_memory(size_t bytes);

const char *lt_error_message(void);
int lt_error_arg(void);       // 0: not about an argument
int lt_error_is_memory(void); // true after lt_fail_memory
void lt_error_clear(void);

#endif
