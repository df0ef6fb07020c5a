// Nodes whose backward somebody above this floor wrote. Any number of outputs: each has a node of its own, which hands
// its gradient to the one that all of them share, and that one calls.
#ifndef LT_TENSOR_CUSTOM_H
#define LT_TENSOR_CUSTOM_H

#include "tensor/tape.h"

typedef struct lt_custom {
    const char *name; // for messages; stays where it is
    // The gradients of all outputs, zeros where there is none -> dx[i], as in lt_op.
    int (*backward)(struct lt_custom *self, lt_node *node, int n, lt_tensor *const *dy, lt_tensor **dx);
    void (*drop)(struct lt_custom *self); // nobody will call any more; may run at any time
    uint64_t era;                         // from 1; all that is computed from it knows this number, see lt_node
} lt_custom;

// Memory for one, the first member of `size` bytes; NULL after lt_fail_memory. It belongs to the caller, who frees it
// some time after `drop`.
lt_custom *lt_custom_new(size_t size);
void lt_custom_free(lt_custom *custom);

// Makes out[i], which have no node yet, the outputs of one node whose inputs are those of input[]. saved[] are checked
// for edits and counted as an operation's. After a failure nothing has changed, and `custom` was not dropped.
int lt_custom_record(lt_custom *custom, int inputs, lt_tensor *const *input, int saved_count, lt_tensor *const *saved,
                     int outputs, lt_tensor *const *out);

// The same where the inputs are all nodes older than `since` that t[0..outputs) were made of.
int lt_custom_record_region(lt_custom *custom, uint64_t since, int saved_count, lt_tensor *const *saved, int outputs,
                            lt_tensor *const *t, lt_tensor *const *out);

// Only inside the backward of a node: sends dy[0..n) back through what made y[0..n) since that backward began. What
// comes out at the other end is added to the gradients of the running backward; new leaves get theirs in .grad.
int lt_backward_inside(int n, lt_tensor *const *y, lt_tensor *const *dy);

#endif
