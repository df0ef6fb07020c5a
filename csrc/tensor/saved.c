// What nodes save for backward. An output that costs little beside the product that takes it (a norm, an activation
// before a linear layer) need not be kept for that product's weight gradient: the slot is light, and the node that made
// the output computes it again. It does so once for all who take it, and from kept tensors only: where it would itself
// have to ask for a light slot, its output is kept.
#include <stdlib.h>

#include "tensor/walk.h"

// A norm or an activation computed again costs an element as much as some 60 multiply-adds of a product, and three
// products take each element: here that is a twentieth.
enum { LEAST_WORK = 384 };

int lt_node_save(lt_node *node, int i, lt_tensor *t, int input)
{
    lt_tensor *kept = lt_tensor_window(t, 0, t->ndim, t->shape);
    if (!kept)
        return LT_FAIL;
    lt_tape_take(kept);
    node->saved[i] = (lt_saved_slot){kept, t->storage->version, input, false};
    return LT_OK;
}

// Takes away the place on the tape that lt_saved lent: an output that held its own node would never be freed.
static void take_place(lt_saved_slot *slot)
{
    if (!slot->tensor)
        return;
    lt_node_release(slot->tensor->node);
    slot->tensor->node = NULL;
}

static void empty(lt_saved_slot *slot)
{
    lt_tensor *t = slot->tensor;
    if (!t)
        return;
    take_place(slot);
    slot->tensor = NULL;
    if (!slot->light)
        lt_tape_give(t);
    lt_release(t);
}

static void forget_output(lt_node *node)
{
    lt_release(node->output);
    node->output = NULL;
}

void lt_node_drop_saved(lt_node *node, int i)
{
    lt_saved_slot *slot = &node->saved[i];
    empty(slot);
    if (!slot->light)
        return;
    lt_node *maker = node->input[slot->input];
    slot->light = false;
    if (--maker->users == 0)
        forget_output(maker);
}

static bool is_kept_whole(const lt_node *node)
{
    for (int i = 0; i < node->saved_count; i++)
        if (node->saved[i].light)
            return false;
    return true;
}

void lt_recomputable(lt_tensor *out, lt_tensor *(*recompute)(lt_node *node))
{
    if (out && out->node && out->node->saved_count > 0) // while tracing nothing is saved
        out->node->recompute = recompute;
}

void lt_save_lightly(lt_tensor *out, int i, int64_t work)
{
    lt_node *node = out ? out->node : NULL;
    if (!node || work < LEAST_WORK || i >= node->saved_count || !node->saved[i].tensor || node->saved[i].input < 0)
        return;
    lt_saved_slot *slot = &node->saved[i];
    lt_node *maker = node->input[slot->input];
    const bool as_made = slot->tensor->storage->version == 0; // an edit without recording is not computed again
    if (!maker || !maker->recompute || !as_made || maker->freed || !is_kept_whole(maker))
        return;
    empty(slot);
    slot->light = true;
    maker->users++;
}

static lt_tensor *output_again(lt_node *node)
{
    if (!node->output) {
        const bool recording = lt_grad_mode_set(false);
        node->output = node->recompute(node);
        lt_grad_mode_set(recording);
    }
    return node->output;
}

lt_tensor *lt_saved(lt_node *node, int i)
{
    lt_saved_slot *slot = &node->saved[i];
    if (slot->light && !slot->tensor) {
        const lt_tensor *made = output_again(node->input[slot->input]);
        slot->tensor = made ? lt_tensor_window(made, 0, made->ndim, made->shape) : NULL;
    }
    if (slot->tensor && lt_grad_mode() && !slot->tensor->node) {
        if (slot->input >= 0)
            slot->tensor->node = lt_node_retain(node->input[slot->input]);
        else if (slot->input == -1)
            slot->tensor->node = lt_node_retain(node);
    }
    return slot->tensor;
}

static int check_kept(const lt_node *node)
{
    for (int i = 0; i < node->saved_count; i++) {
        const lt_saved_slot *slot = &node->saved[i];
        if (slot->tensor && !slot->light && slot->tensor->storage->version != slot->version)
            return lt_fail("a tensor of shape %s that '%s' saved for backward was edited in place",
                           lt_shape_text(slot->tensor), node->name);
    }
    return LT_OK;
}

int lt_check_saved(const lt_node *node)
{
    if (node->freed)
        return lt_fail("backward a second time through '%s': what it saved was freed (retain_graph = true keeps it)",
                       node->name);
    for (int i = 0; i < node->saved_count; i++)
        if (node->saved[i].light && !node->input[node->saved[i].input]->output &&
            check_kept(node->input[node->saved[i].input]) != LT_OK)
            return LT_FAIL;
    return check_kept(node);
}

int lt_leave_saved(lt_node *node, bool keep)
{
    if (!keep && node->users > 0 && !output_again(node))
        return LT_FAIL;
    if (keep)
        forget_output(node);
    for (int i = 0; i < node->saved_count; i++) {
        lt_saved_slot *slot = &node->saved[i];
        take_place(slot);
        if (!keep) {
            node->freed = node->freed || slot->tensor || slot->light;
            lt_node_drop_saved(node, i);
        } else if (slot->light) {
            empty(slot);
        }
    }
    return LT_OK;
}

static int by_storage(const void *a, const void *b)
{
    const lt_saved_memory *x = a, *y = b;
    if (x->storage != y->storage)
        return x->storage < y->storage ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order ? 1 : 0;
}

// The slots of a walk that hold memory; with list NULL they are only counted.
static size_t slots_of(const lt_walk *w, lt_saved_memory *list)
{
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        for (int k = 0; k < w->node[i]->saved_count; k++) {
            const lt_saved_slot *slot = &w->node[i]->saved[k];
            if (!slot->tensor || slot->light)
                continue;
            if (list)
                list[n] = (lt_saved_memory){slot->tensor->storage, w->node[i]->order, w->node[i]->name};
            n++;
        }
    return n;
}

int lt_list_saved(lt_tensor *y, lt_saved_memory **list, size_t *count)
{
    lt_walk w;
    int status = lt_walk_open(&w, 1, &y->node, 0);
    const size_t all = status == LT_OK ? slots_of(&w, NULL) : 0;
    *list = malloc((all + 1) * sizeof **list);
    *count = 0;
    if (status == LT_OK && !*list)
        status = lt_fail_memory((all + 1) * sizeof **list);
    if (status == LT_OK) {
        slots_of(&w, *list);
        qsort(*list, all, sizeof **list, by_storage);
        for (size_t i = 0; i < all; i++)
            if (*count == 0 || (*list)[*count - 1].storage != (*list)[i].storage)
                (*list)[(*count)++] = (*list)[i];
    }
    lt_walk_close(&w);
    return status;
}
