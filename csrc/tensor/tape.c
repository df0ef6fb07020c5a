// Nodes: how they are made, what they keep, how they are given back. The walk itself is in backward.c.
#include "tensor/tape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

static _Thread_local bool trace_mode;
// One count for all threads: a Lua state that goes on in another thread must not meet smaller numbers there. What
// other threads take in between leaves gaps, which nobody minds.
static _Atomic uint64_t next_order = 1;

bool lt_grad_mode(void)
{
    return lt_settings_now()->recording;
}

bool lt_grad_mode_set(bool on)
{
    lt_settings *now = lt_settings_now();
    bool old = now->recording;
    now->recording = on;
    return old;
}

bool lt_trace_mode(void)
{
    return trace_mode;
}

bool lt_trace_mode_set(bool on)
{
    bool old = trace_mode;
    trace_mode = on;
    return old;
}

uint64_t lt_node_order(void)
{
    return atomic_load_explicit(&next_order, memory_order_relaxed);
}

bool lt_recording(int n, lt_tensor *const *inputs)
{
    if (lt_grad_mode())
        for (int i = 0; i < n; i++)
            if (inputs[i] && inputs[i]->node)
                return true;
    return false;
}

static size_t round_up(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

lt_node *lt_node_new(const lt_op *op, int inputs, int saved, size_t attributes)
{
    size_t at_input = round_up(sizeof(lt_node)), at_saved = at_input + round_up((size_t)inputs * sizeof(lt_node *)),
           at_attributes = at_saved + round_up((size_t)saved * sizeof(lt_saved_slot)),
           total = at_attributes + attributes;
    lt_node *node = malloc(total);
    if (!node) {
        lt_fail_memory(total);
        return NULL;
    }
    memset(node, 0, total);
    node->refs = 1;
    node->op = op;
    node->name = op ? op->name : "leaf";
    node->order = atomic_fetch_add_explicit(&next_order, 1, memory_order_relaxed);
    node->inputs = inputs;
    node->saved_count = saved;
    node->input = (lt_node **)((char *)node + at_input);
    node->saved = (lt_saved_slot *)((char *)node + at_saved);
    node->attributes = (char *)node + at_attributes;
    return node;
}

void lt_node_shape(lt_node *node, const lt_tensor *t)
{
    node->ndim = t->ndim;
    memcpy(node->shape, t->shape, sizeof node->shape);
}

void lt_node_link(lt_node *node, int i, lt_node *input)
{
    node->input[i] = lt_node_retain(input);
    if (!input || input->last_era == 0)
        return;
    if (node->last_era == 0 || input->first_era < node->first_era)
        node->first_era = input->first_era;
    if (input->last_era > node->last_era)
        node->last_era = input->last_era;
}

static int traced_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    return lt_fail("'%s' was part of a function that is computed again in backward: only what that function returned "
                   "can be differentiated",
                   node->name);
}

// Which input a saved tensor is: its place on the tape is the input's place.
static int role(const lt_tensor *t, const lt_tensor *out, int n, lt_tensor *const *inputs)
{
    if (t == out)
        return -1;
    for (int i = 0; i < n; i++)
        if (t == inputs[i])
            return i;
    return -2;
}

lt_tensor *lt_record(lt_tensor *out, const lt_op *op, int n, lt_tensor *const *inputs, int nsaved,
                     lt_tensor *const *saved, const void *attributes, size_t size)
{
    static const lt_op traced = {"traced", traced_backward};
    if (!out || !lt_recording(n, inputs))
        return out;
    const char *name = op->name;
    if (trace_mode) {
        op = &traced;
        nsaved = 0;
    }
    lt_node *node = lt_node_new(op, n, nsaved, size);
    if (!node) {
        lt_release(out);
        return NULL;
    }
    for (int i = 0; i < n; i++)
        lt_node_link(node, i, inputs[i] ? inputs[i]->node : NULL);
    for (int i = 0; i < nsaved; i++) {
        lt_tensor *t = saved[i];
        node->saved[i].input = -2;
        if (t && lt_node_save(node, i, t, role(t, out, n, inputs)) != LT_OK) {
            lt_node_release(node);
            lt_release(out);
            return NULL;
        }
    }
    if (size)
        memcpy(node->attributes, attributes, size);
    node->name = name;
    lt_node_shape(node, out);
    out->node = node;
    return out;
}

bool lt_wants(const lt_node *node, int i)
{
    return i < node->inputs && node->input[i] && node->input[i]->needed;
}

lt_tensor *lt_take_sum(lt_node *node, int i)
{
    if (!lt_wants(node, i) || lt_grad_mode())
        return NULL;
    lt_tensor *sum = node->input[i]->sum;
    node->input[i]->sum = NULL;
    return sum;
}

lt_node *lt_node_retain(lt_node *node)
{
    if (node)
        node->refs++;
    return node;
}

void lt_node_release(lt_node *node)
{
    static _Thread_local lt_node *pending;
    static _Thread_local bool busy;
    if (!node || --node->refs > 0)
        return;
    node->link = pending;
    pending = node;
    if (busy) // an outer call is emptying the list
        return;
    busy = true;
    while (pending) {
        lt_node *n = pending;
        pending = n->link;
        if (n->drop)
            n->drop(n);
        for (int i = 0; i < n->saved_count; i++)
            lt_node_drop_saved(n, i);
        for (int i = 0; i < n->inputs; i++)
            lt_node_release(n->input[i]);
        lt_node_drop_grad(n);
        lt_release(n->sum);
        lt_release(n->output);
        free(n);
    }
    busy = false;
}

void lt_node_drop_grad(lt_node *leaf)
{
    lt_tensor *grad = leaf->grad;
    leaf->grad = NULL;
    lt_tape_give(grad);
    lt_release(grad);
}

void lt_leave_tape(lt_tensor *t)
{
    lt_node *node = t->node;
    t->node = NULL;
    if (node && node->tensor == t) {
        node->tensor = NULL;
        lt_node_drop_grad(node);
    }
    lt_node_release(node);
}

bool lt_is_leaf(const lt_tensor *t)
{
    return !t->node || !t->node->op;
}

int lt_requires_grad(lt_tensor *t, bool on)
{
    if (lt_want_float(t, 1, "self") != LT_OK)
        return LT_FAIL;
    if (!lt_is_leaf(t))
        return lt_fail_arg(1, "self: the result of '%s' has its place on the tape; detach() it first", t->node->name);
    if (on && !t->node) {
        t->node = lt_node_new(NULL, 0, 0, 0);
        if (!t->node)
            return LT_FAIL;
        lt_node_shape(t->node, t);
        t->node->tensor = t;
    } else if (!on)
        lt_leave_tape(t);
    return LT_OK;
}

int lt_may_edit(const lt_tensor *t, int arg)
{
    if (t->node && lt_grad_mode())
        return lt_fail_arg(arg, "self: an in-place edit of a tensor that wants gradients is not recorded; use "
                                "no_grad, or detach() it first");
    return LT_OK;
}
