#include "tensor/walk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local lt_walk *running;

lt_walk *lt_walk_running(void)
{
    return running;
}

void lt_walk_enter(lt_walk *w)
{
    w->outer = running;
    running = w;
}

void lt_walk_leave(lt_walk *w)
{
    running = w->outer;
}

bool lt_walk_expects(const lt_node *node)
{
    for (const lt_walk *w = running; w; w = w->outer)
        if (node->order >= w->since)
            return node->mark == w->run && node->order < w->at;
    return false;
}

static bool grow(void **list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t wanted = *room ? 2 * *room : 256;
    void *grown = realloc(*list, wanted * size);
    if (!grown) {
        lt_fail_memory(wanted * size);
        return false;
    }
    *list = grown;
    *room = wanted;
    return true;
}

static bool is_in_running(const lt_node *node)
{
    for (const lt_walk *w = running; w; w = w->outer)
        if (node->mark == w->run)
            return true;
    return false;
}

static int add(lt_walk *w, lt_node *node)
{
    if (!node || node->mark == w->run || node->order < w->since)
        return LT_OK;
    if (!grow((void **)&w->node, w->count, &w->room, sizeof *w->node))
        return LT_FAIL;
    if (running && is_in_running(node)) {
        if (node->op)
            return lt_fail("'%s' is part of the backward that is running: detach() what comes from outside",
                           node->name);
        if (!grow((void **)&w->kept, w->kept_count, &w->kept_room, sizeof *w->kept))
            return LT_FAIL;
        w->kept[w->kept_count++] = (lt_kept_leaf){node, node->sum, node->mark, node->needed};
        node->sum = NULL;
    }
    node->mark = w->run;
    node->needed = false;
    w->node[w->count++] = node;
    return LT_OK;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = (*(lt_node *const *)a)->order, y = (*(lt_node *const *)b)->order;
    return x < y ? 1 : x > y ? -1 : 0;
}

int lt_walk_open(lt_walk *w, size_t n, lt_node *const *roots, uint64_t since)
{
    static _Atomic uint64_t runs; // of all threads: no two walks have one number, and 64 bits never start again
    memset(w, 0, sizeof *w);
    w->run = atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed) + 1;
    w->since = since;
    for (size_t i = 0; i < n; i++)
        if (add(w, roots[i]) != LT_OK)
            return LT_FAIL;
    for (size_t i = 0; i < w->count; i++)
        for (int k = 0; k < w->node[i]->inputs; k++)
            if (add(w, w->node[i]->input[k]) != LT_OK)
                return LT_FAIL;
    if (w->count)
        qsort(w->node, w->count, sizeof *w->node, newest_first);
    return LT_OK;
}

void lt_walk_close(lt_walk *w)
{
    for (size_t i = 0; i < w->count; i++) { // what an error left behind, or what was not needed
        lt_release(w->node[i]->sum);
        w->node[i]->sum = NULL;
        w->node[i]->needed = false;
    }
    for (size_t i = 0; i < w->kept_count; i++) {
        const lt_kept_leaf *k = &w->kept[i];
        k->leaf->sum = k->sum;
        k->leaf->mark = k->mark;
        k->leaf->needed = k->needed;
    }
    free(w->node);
    free(w->kept);
}
