// The nodes that a backward goes through, and the backwards that are running: one may begin inside another, in a
// backward that a script wrote. Private to csrc/tensor.
#ifndef LT_TENSOR_WALK_H
#define LT_TENSOR_WALK_H

#include "tensor/tape.h"

typedef struct {
    lt_node *leaf;
    lt_tensor *sum;
    uint64_t mark;
    bool needed;
} lt_kept_leaf;

typedef struct lt_walk {
    lt_node **node; // reachable from the roots, newest first
    size_t count, room;
    uint64_t run;          // its number, which marks the nodes that it came to
    uint64_t since;        // older nodes do not belong to it
    uint64_t at;           // order of the node whose backward is running
    uint64_t began;        // nodes from here on were made by that backward, which a script wrote; 0: it is another
    struct lt_walk *outer; // the walk that it began in
    lt_kept_leaf *kept;    // scratch of the leaves that an outer walk is also at
    size_t kept_count, kept_room;
} lt_walk;

// Fills a walk with what `roots` were made of, no older than `since`. Leaves that are in a running walk too start
// afresh, until the walk is closed; an operation that is in one is refused. Close it after a failure too.
int lt_walk_open(lt_walk *w, size_t n, lt_node *const *roots, uint64_t since);
// Forgets all gradients on the way, gives leaves back to the outer walk, and frees the lists.
void lt_walk_close(lt_walk *w);

// Walks that are running: enter after opening, leave before closing.
void lt_walk_enter(lt_walk *w);
void lt_walk_leave(lt_walk *w);
lt_walk *lt_walk_running(void); // the innermost, or NULL

// Will a running walk still come to this node, so that gradients can be added to its sum?
bool lt_walk_expects(const lt_node *node);

#endif
