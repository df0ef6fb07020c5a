// The walk: from y back to the leaves, newest operation first, so that a node is only left when every gradient that
// flows into it has arrived. No recursion: a chain of 100,000 operations is a long list, nothing more.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/profile.h"
#include "base/threads.h"
#include "kernel/kernel.h"
#include "tensor/custom.h"
#include "tensor/walk.h"

// Without targets every leaf is asked for; with them, only what lies between y and a target is walked.
static void mark_needed(lt_walk *w, int n, lt_tensor *const *x)
{
    for (int i = 0; i < n; i++)
        if (x[i]->node)
            x[i]->node->needed = true;
    for (size_t i = w->count; i-- > 0;) {
        lt_node *node = w->node[i];
        if (!node->op && !x)
            node->needed = true;
        for (int k = 0; k < node->inputs && !node->needed; k++)
            node->needed = node->input[k] && node->input[k]->needed;
    }
}

static int pass_both(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    for (int i = 0; i < 2; i++)
        dx[i] = lt_wants(node, i) ? lt_retain(dy) : NULL;
    return LT_OK;
}

typedef struct {
    const float *a, *b;
    float *y;
} addition;

static void add_piece(void *context, int64_t begin, int64_t end)
{
    addition *c = context;
    lt_k.pointwise->add(end - begin, c->a + begin, 1, c->b + begin, 1, c->y + begin);
}

// *total += part. Gradients that nobody else holds are added in place, except when the addition itself is recorded.
static int accumulate(lt_tensor **total, lt_tensor *part)
{
    static const lt_op op = {"gradient sum", pass_both};
    if (!*total) {
        *total = lt_retain(part);
        return LT_OK;
    }
    lt_tensor *old = *total;
    bool own = lt_is_spare(old);
    lt_tensor *sum = own ? lt_retain(old) : lt_tensor_like(old);
    if (!sum)
        return LT_FAIL;
    if (lt_profiling)
        lt_profile_enter(op.name, "");
    addition c = {lt_f32(old), lt_f32(part), lt_f32(sum)};
    lt_parallel(old->size, 1 << 15, add_piece, &c);
    if (lt_profiling)
        lt_profile_leave();
    sum = own ? sum : lt_record(sum, &op, LT_LIST(old, part), LT_NONE, NULL, 0);
    if (!sum)
        return LT_FAIL;
    lt_release(old);
    *total = sum;
    return LT_OK;
}

// A leaf's .grad is its own memory: scripts clip it and zero it in place. Where its tensor is gone nobody can read it.
static int accumulate_leaf(lt_node *leaf)
{
    if (!leaf->tensor)
        return LT_OK;
    lt_tensor *sum = leaf->sum;
    bool shared = sum->refs > 1 || sum->storage->refs > 1;
    int status = LT_OK;
    lt_tape_give(leaf->grad);
    if (leaf->grad || !shared || lt_grad_mode())
        status = accumulate(&leaf->grad, sum);
    else if ((leaf->grad = lt_tensor_like(sum)))
        memcpy(leaf->grad->data, sum->data, (size_t)sum->size * sizeof(float));
    else
        status = LT_FAIL;
    lt_tape_take(leaf->grad);
    return status;
}

static int leave(lt_node *node, bool keep)
{
    const int status = lt_leave_saved(node, keep);
    if (!keep && node->drop) {
        node->drop(node);
        node->drop = NULL;
        node->freed = true;
    }
    return status;
}

static int step(lt_node *node, bool keep)
{
    if (lt_check_saved(node) != LT_OK)
        return LT_FAIL;
    lt_tensor *few[8] = {NULL}, **dx = few;
    if (node->inputs > 8 && !(dx = calloc((size_t)node->inputs, sizeof *dx)))
        return lt_fail_memory((size_t)node->inputs * sizeof *dx);
    if (lt_profiling)
        lt_profile_enter(node->name, "backward");
    int status = node->op->backward(node, node->sum, dx);
    if (lt_profiling)
        lt_profile_leave();
    for (int i = 0; i < node->inputs; i++) {
        if (dx[i] && status == LT_OK && lt_wants(node, i)) {
            lt_node *input = node->input[i];
            if (dx[i]->ndim != input->ndim || memcmp(dx[i]->shape, input->shape, sizeof(int64_t) * (size_t)input->ndim))
                status = lt_fail("gradient of '%s' with respect to input %d has shape %s, expected %s", node->name,
                                 i + 1, lt_shape_text(dx[i]), lt_shape_text_of(input->ndim, input->shape));
            else
                status = accumulate(&input->sum, dx[i]);
        }
        lt_release(dx[i]);
    }
    if (dx != few)
        free(dx);
    const int left = leave(node, keep);
    return status == LT_OK ? left : status;
}

static bool leads_on(const lt_node *node)
{
    for (int i = 0; i < node->inputs; i++)
        if (lt_wants(node, i))
            return true;
    return false;
}

static int visit(lt_walk *w, int n, lt_tensor *const *x, lt_tensor **out, bool keep)
{
    for (size_t i = 0; i < w->count; i++) {
        lt_node *node = w->node[i];
        if (!node->sum || !node->needed)
            continue;
        for (int k = 0; k < n; k++)
            if (x[k]->node == node)
                out[k] = lt_retain(node->sum);
        w->at = node->order;
        if (lt_stop_wanted)
            return lt_fail("stopped");
        if (node->op ? leads_on(node) && step(node, keep) != LT_OK : !x && accumulate_leaf(node) != LT_OK)
            return LT_FAIL;
        lt_release(node->sum);
        node->sum = NULL;
    }
    return LT_OK;
}

static lt_tensor *seed(lt_tensor *y, lt_tensor *dy)
{
    if (dy)
        return lt_retain(dy);
    lt_tensor *one = lt_tensor_like(y);
    if (one)
        lt_f32(one)[0] = 1;
    return one;
}

static int check_start(const lt_tensor *y, const lt_tensor *dy)
{
    if (!y->node)
        return lt_fail_arg(1, "self: nothing to differentiate: no input of it wants gradients");
    if (!dy && y->size != 1)
        return lt_fail_arg(1,
                           "self: only a scalar starts backward by itself, got shape %s; give the gradient of it too",
                           lt_shape_text(y));
    if (dy && (lt_want_float(dy, 2, "gradient") != LT_OK))
        return LT_FAIL;
    if (dy && !lt_same_shape(y, dy))
        return lt_fail_arg(2, "gradient: expected %s, got %s", lt_shape_text(y), lt_shape_text(dy));
    return LT_OK;
}

// A script's backward may free tensors: what the walk starts from and looks for is held, and with it all that it
// goes through.
static int run(lt_tensor *y, lt_tensor *dy, int n, lt_tensor *const *x, lt_tensor **out, bool keep, bool create)
{
    if (check_start(y, dy) != LT_OK)
        return LT_FAIL;
    lt_node *root = lt_node_retain(y->node);
    for (int i = 0; i < n; i++)
        lt_retain(x[i]);
    lt_walk w;
    int status = lt_walk_open(&w, 1, &root, 0);
    if (status == LT_OK) {
        bool old = lt_grad_mode_set(create);
        lt_walk_enter(&w);
        mark_needed(&w, n, x);
        root->sum = seed(y, dy);
        status = root->sum ? visit(&w, n, x, out, keep) : LT_FAIL;
        lt_walk_leave(&w);
        lt_grad_mode_set(old);
    }
    lt_walk_close(&w);
    for (int i = 0; i < n; i++)
        lt_release(x[i]);
    lt_node_release(root);
    return status;
}

int lt_backward(lt_tensor *y, lt_tensor *dy, bool retain_graph, bool create_graph)
{
    return run(y, dy, 0, NULL, NULL, retain_graph || create_graph, create_graph);
}

int lt_grad(lt_tensor *y, lt_tensor *dy, int n, lt_tensor *const *x, lt_tensor **out, bool retain_graph,
            bool create_graph)
{
    for (int i = 0; i < n; i++) {
        out[i] = NULL;
        if (!x[i]->node)
            return lt_fail_arg(2, "inputs: number %d wants no gradient (requires_grad is false)", i + 1);
    }
    int status = run(y, dy, n, x, out, retain_graph || create_graph, create_graph);
    for (int i = 0; i < n && status != LT_OK; i++) {
        lt_release(out[i]);
        out[i] = NULL;
    }
    return status;
}

static int check_inside(const lt_walk *running, int n, lt_tensor *const *y, lt_tensor *const *dy)
{
    if (!running || running->began == 0)
        return lt_fail("there is no backward running that gradients could be added to");
    for (int i = 0; i < n; i++) {
        if (!y[i]->node)
            return lt_fail_arg(1, "outputs: number %d wants no gradient (requires_grad is false)", i + 1);
        if (!lt_same_shape(y[i], dy[i]) || dy[i]->dtype != LT_FLOAT32)
            return lt_fail_arg(2, "gradients: number %d: expected float32 %s, got %s %s", i + 1, lt_shape_text(y[i]),
                               lt_dtype_name(dy[i]->dtype), lt_shape_text(dy[i]));
    }
    return LT_OK;
}

// Everything older must lie ahead of the backward that is running.
static int check_edges(const lt_walk *w)
{
    for (size_t i = 0; i < w->count; i++)
        for (int k = 0; k < w->node[i]->inputs; k++) {
            const lt_node *input = w->node[i]->input[k];
            if (input && input->order < w->since && !lt_walk_expects(input))
                return lt_fail("'%s' got something that was not there, or not used, when the function ran first",
                               w->node[i]->name);
        }
    return LT_OK;
}

static int start_inside(lt_node *root, lt_tensor *dy, uint64_t since)
{
    if (root->order >= since)
        return accumulate(&root->sum, dy);
    if (!lt_walk_expects(root))
        return lt_fail("a result was not there, or not returned, when the function ran first");
    return root->needed ? accumulate(&root->sum, dy) : LT_OK;
}

int lt_backward_inside(int n, lt_tensor *const *y, lt_tensor *const *dy)
{
    lt_walk *outer = lt_walk_running(), w;
    if (check_inside(outer, n, y, dy) != LT_OK)
        return LT_FAIL;
    lt_node **root = malloc(((size_t)n + 1) * sizeof *root);
    if (!root)
        return lt_fail_memory((size_t)n * sizeof *root);
    for (int i = 0; i < n; i++)
        root[i] = lt_node_retain(y[i]->node);
    const uint64_t since = outer->began;
    int status = lt_walk_open(&w, (size_t)n, root, since);
    if (status == LT_OK)
        status = check_edges(&w);
    if (status == LT_OK) {
        bool old = lt_grad_mode_set(false);
        mark_needed(&w, 0, NULL);
        for (int i = 0; i < n && status == LT_OK; i++)
            status = start_inside(root[i], dy[i], since);
        lt_walk_enter(&w);
        if (status == LT_OK)
            status = visit(&w, 0, NULL, NULL, false);
        lt_walk_leave(&w);
        lt_grad_mode_set(old);
    }
    lt_walk_close(&w);
    for (int i = 0; i < n; i++)
        lt_node_release(root[i]);
    free(root);
    return status;
}
