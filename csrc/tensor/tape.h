// The record that backward walks. A node says which operation made a tensor, from what, and what was saved for
// its gradient. Nodes point at the nodes of their inputs, never at the inputs themselves: memory that no gradient
// needs is free as soon as the script drops it.
#ifndef LT_TENSOR_TAPE_H
#define LT_TENSOR_TAPE_H

#include "tensor/tensor.h"

typedef struct lt_node lt_node;

// An operation as backward sees it. `backward` fills dx[i] for every input i that lt_wants(node, i), with a new
// reference each, and leaves the others NULL. It is written with operations (op/*.h), so that with create_graph it
// is recorded in turn. On failure it returns LT_FAIL; what it already put into dx is released by the caller.
typedef struct lt_op {
    const char *name;
    int (*backward)(lt_node *node, lt_tensor *dy, lt_tensor **dx);
} lt_op;

typedef struct {
    lt_tensor *tensor; // shares memory with what was saved, carries no node
    uint32_t version;
    int input;  // index of the input that this is (its gradient goes there), -1: the node's own output, -2: neither
    bool light; // not kept: the input's node computes it again when it is asked for
} lt_saved_slot;

struct lt_node {
    int refs;
    const lt_op *op;  // NULL: a leaf
    const char *name; // for messages: the operation's, unless it said otherwise
    uint64_t order;   // counts up; an operation's inputs always have a smaller one
    int inputs, saved_count;
    lt_node **input; // NULL entries want no gradient
    lt_saved_slot *saved;
    void *attributes;          // a copy of the operation's settings
    int64_t shape[LT_MAX_DIM]; // of the output
    int ndim;
    uint64_t first_era, last_era;           // of the custom backwards that it leads to, itself among them; 0: to none
    bool freed;                             // saved tensors were given back by an earlier backward
    void (*drop)(lt_node *node);            // gives back what attributes refer to, once; NULL: they refer to nothing
    const lt_tensor *tensor;                // leaves: the tensor that this is the place of, NULL when it is gone
    lt_tensor *grad;                        // leaves: what .grad of that tensor shows; NULL when it is gone
    lt_tensor *sum;                         // backward's scratch: gradient gathered so far
    lt_tensor *(*recompute)(lt_node *node); // see lt_recomputable; NULL: it is not
    int users;                              // light slots that this node's output belongs in
    lt_tensor *output;                      // the output, computed again, until its users have had it
    uint64_t mark;                          // backward's scratch: the run that visited it last
    bool needed;                            // backward's scratch: leads to something whose gradient is asked for
    lt_node *link;                          // release's scratch: the list of nodes to be freed
};

// A node that nothing refers to yet: one allocation holds it, its edges, its saved slots and its attributes.
lt_node *lt_node_new(const lt_op *op, int inputs, int saved, size_t attributes);
void lt_node_shape(lt_node *node, const lt_tensor *t);
// An edge: input i of a node, which may be NULL.
void lt_node_link(lt_node *node, int i, lt_node *input);
// Fills a saved slot; `input` as in lt_saved_slot.
int lt_node_save(lt_node *node, int i, lt_tensor *t, int input);
void lt_node_drop_saved(lt_node *node, int i); // empties it
void lt_node_drop_grad(lt_node *leaf);
uint64_t lt_node_order(void); // of the next node

// While tracing, nodes keep their edges and nothing else: what was used can be told, but not differentiated.
bool lt_trace_mode(void);
bool lt_trace_mode_set(bool on); // returns the old mode

// True when gradients are being recorded at all (lt_grad_mode) and any of the inputs has a node.
bool lt_recording(int n, lt_tensor *const *inputs);
bool lt_grad_mode(void);
bool lt_grad_mode_set(bool on); // returns the old mode

// If recording: gives `out` a node and returns out. saved[] may hold inputs, `out` itself, or other tensors; NULL
// entries stay NULL. attributes are copied. On failure releases out and returns NULL. If not recording, or out is
// NULL, it returns out as it is. Use the LT_RECORD macro.
lt_tensor *lt_record(lt_tensor *out, const lt_op *op, int n, lt_tensor *const *inputs, int nsaved,
                     lt_tensor *const *saved, const void *attributes, size_t size);

#define LT_LIST(...)                                                                                                   \
    (int)(sizeof((lt_tensor *[]){__VA_ARGS__}) / sizeof(lt_tensor *)), (lt_tensor *[])                                 \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define LT_NONE 0, NULL
// lt_record(out, &op_mul, LT_LIST(a, b), LT_LIST(a, b), &attr, sizeof attr)

bool lt_wants(const lt_node *node, int i); // does input i need a gradient? No, if there is none
// What has been gathered so far of input i's gradient, or NULL: a kernel that can add it to its own dx[i] saves a pass
// over both. The caller owns it then, and dx[i] must contain it. Always NULL where gradients of gradients are recorded.
lt_tensor *lt_take_sum(lt_node *node, int i);
// May an operation's backward, which was given dy, write its dx into it? Not where anybody else holds dy.
static inline bool lt_is_spare(const lt_tensor *dy)
{
    return dy->refs == 1 && dy->storage->refs == 1 && !lt_grad_mode();
}
// The i-th saved tensor, borrowed from the node until backward of this node returns; with its place on the tape
// when gradients of gradients are recorded. (An edited one never gets here: backward checks versions first.) NULL where
// nothing was saved; of a light slot also after a failure.
lt_tensor *lt_saved(lt_node *node, int i);

// `out` has just been recorded, and `recompute` gives it once more, bit for bit, from what its node saved; it is to
// cost little beside the products that take it. NULL and what has no node are fine.
void lt_recomputable(lt_tensor *out, lt_tensor *(*recompute)(lt_node *node));
// Gives back what the node of `out`, which has just been recorded, saved in slot i, if that is an input whose own node
// can compute it again for little beside the `work` multiply-adds that the gradients spend on each of its elements.
// NULL and what has no node are fine. Results are the same bits either way.
void lt_save_lightly(lt_tensor *out, int i, int64_t work);

// For backward: were saved tensors, or what light slots are computed from, edited in place? LT_FAIL says which.
int lt_check_saved(const lt_node *node);
// Gives back what is left of light slots after a node's backward and, unless `keep`, what the node saved. A node whose
// output others still need computes it once more before that.
int lt_leave_saved(lt_node *node, bool keep);

lt_node *lt_node_retain(lt_node *node);
void lt_node_release(lt_node *node); // iterative: a chain of a million nodes needs no stack

// Gives back t's place on the tape. With a leaf's tensor goes its gradient, which nobody else can ask for: a gradient
// with a place of its own (create_graph) leads back to the leaf, and the two would hold each other for ever.
void lt_leave_tape(lt_tensor *t);

int lt_requires_grad(lt_tensor *t, bool on); // makes a leaf; refuses on the result of an operation and on integers
bool lt_is_leaf(const lt_tensor *t);

// A piece of memory that is held for the backward of a tensor, and the operation that saved it first.
typedef struct {
    const lt_storage *storage;
    uint64_t order; // of the operation's node
    const char *name;
} lt_saved_memory;
// Every piece once, in no order; *list is the caller's to free.
int lt_list_saved(lt_tensor *y, lt_saved_memory **list, size_t *count);

// Gradients of the scalar `y` (or of any shape, given dy) into .grad of every leaf it depends on.
int lt_backward(lt_tensor *y, lt_tensor *dy, bool retain_graph, bool create_graph);
// Gradients of y with respect to x[0..n): out[i] is a new reference, or NULL where y does not depend on x[i].
int lt_grad(lt_tensor *y, lt_tensor *dy, int n, lt_tensor *const *x, lt_tensor **out, bool retain_graph,
            bool create_graph);

// For operations that write in place: refused while the tensor has a place on the tape and gradients are on.
int lt_may_edit(const lt_tensor *t, int arg);

#endif
