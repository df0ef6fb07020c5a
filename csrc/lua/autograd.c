// The tape as scripts see it.
#include <stdlib.h>
#include <string.h>

#include "lua/callback.h"
#include "lua/check.h"
#include "lua/custom.h"
#include "lua/scope.h"
#include "op/shape.h"
#include "tensor/tape.h"

/*** Asks for gradients of a tensor (a leaf), or no longer.
@function requires_grad_
@tparam Tensor self float32, not the result of a recorded operation
@tparam[opt=true] boolean on
@treturn Tensor self */
static int requires_grad_(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    bool on = lt_arg_boolean_or(L, 2, "on", true);
    LT_TRY(L, lt_requires_grad(t, on));
    lua_settop(L, 1);
    return 1;
}

/*** The same memory without a place on the tape.
@function detach
@tparam Tensor self
@treturn Tensor */
static int detach(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_PUSH(L, lt_detach(t));
    return 1;
}

/*** A copy with memory of its own; gradients pass through.
@function clone
@tparam Tensor self
@treturn Tensor */
static int clone(lua_State *L)
{
    lt_tensor *t = lt_arg_tensor(L, 1, "self");
    LT_PUSH(L, lt_clone(t));
    return 1;
}

static void forget_gradient(lt_tensor *t)
{
    if (t->node)
        lt_node_drop_grad(t->node);
}

/*** Drops the gathered gradient of a leaf.
@function zero_grad
@tparam Tensor self
@treturn Tensor self */
static int zero_grad(lua_State *L)
{
    forget_gradient(lt_arg_tensor(L, 1, "self"));
    lua_settop(L, 1);
    return 1;
}

/*** zero_grad for each tensor of a list.
@function zero_gradients
@tparam {Tensor,...} params */
static int zero_gradients(lua_State *L)
{
    int n;
    lua_settop(L, 1);
    lt_tensor *const *params = lt_arg_tensors(L, 1, "params", &n);
    for (int i = 0; i < n; i++)
        forget_gradient(params[i]);
    return 0;
}

/*** Those of a list that want gradients and have got one.
@function with_gradients
@tparam {Tensor,...} params
@tparam[opt] {Tensor,...} last what came back of the same list before
@treturn {Tensor,...} `last` itself where nothing has changed since */
static int with_gradients(lua_State *L)
{
    int n, found = 0;
    lua_settop(L, 2);
    lt_tensor *const *params = lt_arg_tensors(L, 1, "params", &n);
    bool same = lua_istable(L, 2);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        const lt_node *node = params[i]->node;
        if (!node || !node->grad)
            continue;
        lua_rawgeti(L, 1, i + 1);
        found++;
        if (same) {
            lua_rawgeti(L, 2, found);
            same = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
        lua_rawseti(L, -2, found);
    }
    if (same && lua_rawlen(L, 2) == (lua_Unsigned)found)
        lua_pushvalue(L, 2);
    return 1;
}

/*** Adds the gradients of a tensor to `.grad` of every leaf that it depends on. What operations saved is given back,
unless retain_graph.
@function backward
@tparam Tensor self a scalar, or any shape with `gradient` beside it
@tparam[opt] Tensor gradient of the final quantity with respect to self, self's shape
@tparam[opt] table options retain_graph, create_graph (gradients can be differentiated again: then x.grad holds what it
was computed from, x's place on the tape too, until x:zero_grad() or until x itself is collected; lt.grad with
create_graph leaves nothing behind) */
static int backward(lua_State *L)
{
    lt_collect_dropped(L);
    lt_tensor *y = lt_arg_tensor(L, 1, "self"), *dy = NULL;
    int at = 2;
    if (!lua_istable(L, 2)) {
        dy = lt_arg_tensor_or_nil(L, 2, "gradient");
        at = 3;
    }
    bool retain = false, create = false;
    lt_option options[] = {{"retain_graph", LT_OPTION_BOOLEAN, &retain, 0, 0},
                           {"create_graph", LT_OPTION_BOOLEAN, &create, 0, 0},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, at, options);
    lua_State *before = lt_backward_state(L);
    int status = lt_backward(y, dy, retain, create);
    lt_backward_state(before);
    if (status != LT_OK)
        return lt_raise_backward(L);
    lt_forget_functions(L);
    return 0;
}

/*** Gradients of y with respect to tensors, without touching `.grad`.
@function grad
@tparam Tensor y a scalar, or any shape with grad_output beside it
@tparam table inputs tensors that require gradients (leaves, or results on the way)
@tparam[opt] table options create_graph, retain_graph, grad_output
@treturn table a tensor for each input; false where y does not depend on it */
static int grad(lua_State *L)
{
    lt_tensor *y = lt_arg_tensor(L, 1, "y"), *dy = NULL;
    bool retain = false, create = false;
    lt_option options[] = {{"retain_graph", LT_OPTION_BOOLEAN, &retain, 0, 0},
                           {"create_graph", LT_OPTION_BOOLEAN, &create, 0, 0},
                           {"grad_output", LT_OPTION_TENSOR, &dy, 0, 0},
                           {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 3, options);
    lua_settop(L, 3);
    int n;
    lt_tensor **x = lt_arg_tensors(L, 2, "inputs", &n), **out = lua_newuserdatauv(L, sizeof *out * (size_t)(n + 1), 0);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) { // boxes first: filling them cannot fail
        lt_box(L);
        lua_rawseti(L, -2, i + 1);
    }
    lua_State *before = lt_backward_state(L);
    int status = lt_grad(y, dy, n, x, out, retain, create);
    lt_backward_state(before);
    if (status != LT_OK)
        return lt_raise_backward(L);
    lt_forget_functions(L);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        *(lt_tensor **)lua_touserdata(L, -1) = out[i];
        lua_pop(L, 1);
    }
    for (int i = 0; i < n; i++) { // now that each has its own
        lua_rawgeti(L, -1, i + 1);
        lt_callback_link(L, -1);
        lua_pop(L, 1);
    }
    for (int i = 0; i < n; i++)
        if (!out[i]) {
            lua_pushboolean(L, false);
            lua_rawseti(L, -2, i + 1);
        }
    return 1;
}

/*** What is held in memory for a tensor's backward, piece by piece; laterna.autograd makes a table of it that can be
read.
@function saved_pieces
@tparam Tensor y
@treturn table a list of {name, bytes}: the operation that saved a piece first */
static int saved_pieces(lua_State *L)
{
    lt_tensor *y = lt_arg_tensor(L, 1, "y");
    lt_saved_memory *list = NULL;
    size_t n = 0;
    if (y->node)
        LT_TRY(L, lt_list_saved(y, &list, &n));
    lt_saved_memory *all = lua_newuserdatauv(L, (n + 1) * sizeof *all, 0);
    if (n)
        memcpy(all, list, n * sizeof *all);
    free(list);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, all[i].name);
        lua_setfield(L, -2, "name");
        lua_pushinteger(L, (lua_Integer)all[i].storage->bytes);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/*** Are operations being recorded?
@function grad_enabled
@treturn boolean */
static int grad_enabled(lua_State *L)
{
    lua_pushboolean(L, lt_grad_mode());
    return 1;
}

/*** Turns recording on or off, until it is set again; in the coroutine that calls it, no other.
@function set_grad_enabled
@tparam boolean on
@treturn boolean what it was */
static int set_grad_enabled(lua_State *L)
{
    if (!lua_isboolean(L, 1))
        return lt_bad_argument(L, 1, "on: expected boolean, got %s", lt_type_name(L, 1));
    lua_pushboolean(L, lt_grad_mode_set(lua_toboolean(L, 1)));
    return 1;
}

static int no_grad_done(lua_State *L, int status, lua_KContext below)
{
    return lua_gettop(L) - (int)below;
}

/*** Calls a function while nothing is recorded, and returns its results. Errors pass through. The function may yield:
others record meanwhile as they did. A coroutine takes over whether it records from the one that resumes it, when it
first calls the library.
@function no_grad
@tparam function f
@param ... its arguments
@return what it returns */
static int no_grad(lua_State *L)
{
    lt_arg_callable(L, 1, "f");
    lt_scope_keep_recording(L, 1);
    lt_grad_mode_set(false);
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, no_grad_done);
    return no_grad_done(L, LUA_OK, 1);
}

void lt_open_autograd(lua_State *L)
{
    static const lt_function functions[] = {
        {"requires_grad_", requires_grad_, LT_AS_METHOD},
        {"detach", detach, LT_AS_METHOD},
        {"clone", clone, LT_AS_METHOD},
        {"zero_grad", zero_grad, LT_AS_METHOD},
        {"backward", backward, LT_AS_METHOD},
        {"zero_gradients", zero_gradients, LT_IN_MODULE},
        {"with_gradients", with_gradients, LT_IN_MODULE},
        {"grad", grad, LT_IN_MODULE},
        {"saved_pieces", saved_pieces, LT_IN_MODULE},
        {"grad_enabled", grad_enabled, LT_IN_MODULE},
        {"set_grad_enabled", set_grad_enabled, LT_IN_MODULE},
        {"no_grad", no_grad, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
