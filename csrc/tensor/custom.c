#include "tensor/custom.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/walk.h"

lt_custom *lt_custom_new(size_t size)
{
    lt_custom *custom = malloc(size);
    if (!custom)
        lt_fail_memory(size);
    return custom;
}

void lt_custom_free(lt_custom *custom)
{
    free(custom);
}

typedef struct {
    lt_tensor *dy; // of the run below
    int ndim;
    int64_t shape[LT_MAX_DIM];
} output;

typedef struct {
    lt_custom *custom;
    unsigned run; // the backward that the gradients belong to
    int outputs;
    output output[];
} hub;

static void forget(hub *h)
{
    for (int i = 0; i < h->outputs; i++) {
        lt_release(h->output[i].dy);
        h->output[i].dy = NULL;
    }
}

static void drop(lt_node *node)
{
    hub *h = node->attributes;
    forget(h);
    if (h->custom)
        h->custom->drop(h->custom);
    h->custom = NULL;
}

static int refuse_second(const lt_node *node)
{
    return lt_fail("the second derivative of '%s' is not available: its backward is not recorded", node->name);
}

// Hands dy on. What goes along the edge is a number that nobody reads: it makes the walk stop at the hub.
static int output_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    lt_node *shared = node->input[0];
    hub *h = shared->attributes;
    if (lt_grad_mode())
        return refuse_second(node);
    if (h->run != shared->mark) // an earlier backward failed on its way here
        forget(h);
    h->run = shared->mark;
    dx[0] = lt_tensor_scalar(0);
    if (!dx[0])
        return LT_FAIL;
    if (h->custom) // a hub that was used is refused next, and would not give dy back
        h->output[*(const int *)node->attributes].dy = lt_retain(dy);
    return LT_OK;
}

static int hub_backward(lt_node *node, lt_tensor *dy, lt_tensor **dx)
{
    hub *h = node->attributes;
    if (lt_grad_mode())
        return refuse_second(node);
    lt_tensor **all = calloc((size_t)h->outputs, sizeof *all);
    int status = all ? LT_OK : lt_fail_memory((size_t)h->outputs * sizeof *all);
    for (int i = 0; i < h->outputs && status == LT_OK; i++) {
        output *o = &h->output[i];
        all[i] = o->dy ? o->dy : lt_tensor_zeros(LT_FLOAT32, o->ndim, o->shape);
        o->dy = NULL;
        status = all[i] ? LT_OK : LT_FAIL;
    }
    lt_walk *w = lt_walk_running();
    w->began = lt_node_order();
    if (status == LT_OK)
        status = h->custom->backward(h->custom, node, h->outputs, all, dx);
    w->began = 0;
    for (int i = 0; all && i < h->outputs; i++)
        lt_release(all[i]);
    free(all);
    forget(h);
    return status;
}

static lt_node *new_hub(lt_custom *custom, int inputs, lt_node *const *input, int saved_count, lt_tensor *const *saved,
                        int outputs, lt_tensor *const *out)
{
    static const lt_op op = {"custom", hub_backward};
    lt_node *node = lt_node_new(&op, inputs, saved_count, sizeof(hub) + (size_t)outputs * sizeof(output));
    if (!node)
        return NULL;
    node->name = custom->name;
    hub *h = node->attributes;
    h->outputs = outputs;
    for (int i = 0; i < outputs; i++) {
        h->output[i].ndim = out[i]->ndim;
        memcpy(h->output[i].shape, out[i]->shape, sizeof out[i]->shape);
    }
    node->first_era = node->last_era = custom->era;
    for (int i = 0; i < inputs; i++)
        lt_node_link(node, i, input[i]);
    for (int i = 0; i < saved_count; i++)
        if (lt_node_save(node, i, saved[i], -2) != LT_OK) {
            lt_node_release(node);
            return NULL;
        }
    h->custom = custom;
    return node;
}

static int record(lt_custom *custom, int inputs, lt_node *const *input, int saved_count, lt_tensor *const *saved,
                  int outputs, lt_tensor *const *out)
{
    static const lt_op op = {"custom output", output_backward};
    lt_node *shared = new_hub(custom, inputs, input, saved_count, saved, outputs, out);
    int made = 0;
    for (; shared && made < outputs; made++) {
        lt_node *node = lt_node_new(&op, 1, 0, sizeof(int));
        if (!node)
            break;
        node->name = custom->name;
        lt_node_link(node, 0, shared);
        *(int *)node->attributes = made;
        lt_node_shape(node, out[made]);
        out[made]->node = node;
    }
    bool done = shared && made == outputs;
    for (int i = 0; !done && i < made; i++) {
        lt_node_release(out[i]->node);
        out[i]->node = NULL;
    }
    if (done)
        shared->drop = drop;
    lt_node_release(shared);
    return done ? LT_OK : LT_FAIL;
}

int lt_custom_record(lt_custom *custom, int inputs, lt_tensor *const *input, int saved_count, lt_tensor *const *saved,
                     int outputs, lt_tensor *const *out)
{
    lt_node **node = malloc(((size_t)inputs + 1) * sizeof *node);
    if (!node)
        return lt_fail_memory((size_t)inputs * sizeof *node);
    for (int i = 0; i < inputs; i++)
        node[i] = input[i]->node;
    int status = record(custom, inputs, node, saved_count, saved, outputs, out);
    free(node);
    return status;
}

static int by_address(const void *a, const void *b)
{
    const lt_node *x = *(lt_node *const *)a, *y = *(lt_node *const *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

// Edges of the walk, and roots, that lead to older nodes; with list NULL they are only counted.
static size_t older(const lt_walk *w, int n, lt_tensor *const *t, lt_node **list)
{
    size_t count = 0;
    for (int i = 0; i < n; i++)
        if (t[i]->node && t[i]->node->order < w->since) {
            if (list)
                list[count] = t[i]->node;
            count++;
        }
    for (size_t i = 0; i < w->count; i++)
        for (int k = 0; k < w->node[i]->inputs; k++) {
            lt_node *input = w->node[i]->input[k];
            if (input && input->order < w->since) {
                if (list)
                    list[count] = input;
                count++;
            }
        }
    return count;
}

// The nodes older than `since` that t[0..n) were made of, each once: *nodes is the caller's to free.
static int made_of(int n, lt_tensor *const *t, uint64_t since, lt_node ***nodes, int *count)
{
    lt_walk w;
    lt_node **roots = malloc(((size_t)n + 1) * sizeof *roots), **list = NULL;
    if (!roots)
        return lt_fail_memory((size_t)n * sizeof *roots);
    for (int i = 0; i < n; i++)
        roots[i] = t[i]->node;
    int status = lt_walk_open(&w, (size_t)n, roots, since);
    size_t all = status == LT_OK ? older(&w, n, t, NULL) : 0, kept = 0;
    if (status == LT_OK && !(list = malloc((all + 1) * sizeof *list)))
        status = lt_fail_memory(all * sizeof *list);
    if (status == LT_OK) {
        older(&w, n, t, list);
        qsort(list, all, sizeof *list, by_address);
        for (size_t i = 0; i < all; i++)
            if (kept == 0 || list[kept - 1] != list[i])
                list[kept++] = list[i];
    }
    lt_walk_close(&w);
    free(roots);
    *nodes = list;
    *count = (int)kept;
    return status;
}

int lt_custom_record_region(lt_custom *custom, uint64_t since, int saved_count, lt_tensor *const *saved, int outputs,
                            lt_tensor *const *t, lt_tensor *const *out)
{
    lt_node **input = NULL;
    int inputs = 0, status = made_of(outputs, t, since, &input, &inputs);
    if (status == LT_OK)
        status = record(custom, inputs, input, saved_count, saved, outputs, out);
    free(input);
    return status;
}
