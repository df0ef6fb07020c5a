// What the parsers need from the floors below when they are fuzzed alone: memory that a sanitizer can watch to the
// byte (no rounding up, no reuse), and tensors without a tape.
#include <stdlib.h>

#include "tensor/tape.h"

void *lt_alloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        lt_fail_memory(bytes);
    return p;
}

void *lt_alloc_zeroed(size_t bytes)
{
    void *p = calloc(bytes ? bytes : 1, 1);
    if (!p)
        lt_fail_memory(bytes);
    return p;
}

void lt_free(void *p)
{
    free(p);
}

int lt_mul_size(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? lt_fail("size too large: %zu times %zu", a, b) : LT_OK;
}

void lt_node_release(lt_node *node)
{
    // No tensor here has a node.
}

void lt_leave_tape(lt_tensor *t)
{
    // Nor a gradient.
}
