// Backward that scripts write.
#include "lua/custom.h"

#include "base/interrupt.h"
#include "lua/callback.h"
#include "lua/check.h"
#include "lua/interrupt.h"
#include "lua/scope.h"
#include "op/shape.h"

static _Thread_local lua_State *state;
static _Thread_local bool raised;

lua_State *lt_backward_state(lua_State *L)
{
    lua_State *before = state;
    state = L;
    return before;
}

int lt_raise_backward(lua_State *L)
{
    bool theirs = raised;
    raised = false;
    lt_forget_functions(L);
    if (lt_stop_wanted)
        return lt_interrupt_raise(L);
    return theirs ? lt_raise_theirs(L, "backward: what it calls of a script cannot yield") : lt_raise(L);
}

typedef struct {
    lt_callback *f;
    lt_node *node;
    int n;
    lt_tensor *const *dy;
    lt_tensor **dx;
} request;

static lt_tensor *gradient_at(lua_State *L, int index, int i)
{
    if (!lua_toboolean(L, index))
        return NULL;
    lt_tensor *t = lt_test_tensor(L, index);
    if (!t || t->dtype != LT_FLOAT32)
        luaL_error(L, "autograd_function: backward: result %d: expected a float32 tensor or nil, got %s", i + 1,
                   t ? lt_dtype_name(t->dtype) : lt_type_name(L, index));
    return t;
}

// Runs protected: whatever it raises becomes a failure of the walk.
static int serve(lua_State *L)
{
    const request *r = lua_touserdata(L, 1);
    const int inputs = r->f->adds ? 0 : r->node->inputs;
    luaL_checkstack(L, r->n + inputs + 8, "gradients");
    lt_callback_push(L, r->f);
    if (lua_isnil(L, -1))
        return luaL_error(L, "the backward of '%s' is gone: no tensor was left that leads to it", r->node->name);
    for (int i = 0; i < r->n; i++)
        *lt_box(L) = lt_retain(r->dy[i]);
    const int first = lua_gettop(L) - r->n;
    lua_call(L, r->n, inputs);
    for (int i = 0; i < inputs; i++)
        gradient_at(L, first + i, i);
    for (int i = 0; i < inputs; i++) {
        lt_tensor *t = gradient_at(L, first + i, i);
        if (!t || !lt_wants(r->node, i))
            continue;
        r->dx[i] = lt_detach(t); // it may have been recorded
        if (!r->dx[i])
            luaL_error(L, "backward: %s", lt_error_message());
    }
    return 0;
}

static int call(lt_custom *custom, lt_node *node, int n, lt_tensor *const *dy, lt_tensor **dx)
{
    request r = {(lt_callback *)custom, node, n, dy, dx};
    lua_State *L = state;
    if (!lua_checkstack(L, 4))
        return lt_fail("no room on Lua's stack for the backward of '%s'", node->name);
    bool grad = lt_grad_mode(), trace = lt_trace_mode_set(false);
    lua_pushcfunction(L, serve);
    lua_pushlightuserdata(L, &r);
    int status = lua_pcall(L, 1, 0, 0); // what it raises stays on top of the stack for lt_raise_backward
    lt_scope_return(L);
    lt_grad_mode_set(grad);
    lt_trace_mode_set(trace);
    if (status == LUA_OK)
        return LT_OK;
    raised = true;
    return lt_fail("error in the backward of '%s'", node->name);
}

static lt_callback *keep(lua_State *L, int index, bool adds)
{
    return lt_callback_keep(L, index, adds ? "recompute" : "autograd_function", call, adds);
}

// A script's tensors as windows without a place on the tape, in a table on the stack; what cannot have a gradient is
// left as it is. windows[i] is NULL for those.
static void detach_all(lua_State *L, int n, lt_tensor *const *t, lt_tensor **windows)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        windows[i] = NULL;
        if (t[i]->dtype != LT_FLOAT32)
            continue;
        LT_PUSH(L, lt_detach(t[i]));
        windows[i] = *(lt_tensor **)lua_touserdata(L, -1);
        lua_rawseti(L, -2, i + 1);
    }
}

// The tensors in a list of n keep what they lead to from now on.
static void link_all(lua_State *L, int table, int n)
{
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, table, i);
        if (lt_test_tensor(L, -1))
            lt_callback_link(L, -1);
        lua_pop(L, 1);
    }
}

/*** Gives results that a script computed a place on the tape, with a backward that the script wrote; see
laterna.autograd, which is easier to use.
@function record_function
@tparam function backward called with a gradient for each float32 output (zeros where there is none); returns one for
each input, or nil
@tparam table inputs tensors
@tparam table outputs tensors, computed from them while nothing was recorded
@tparam[opt] table saved tensors that must not be edited until backward has run
@treturn table the outputs, to be used in their place; unchanged if nothing is recorded, or no input wants a gradient */
static int record_function(lua_State *L)
{
    int inputs, outputs, nsaved = 0, n = 0;
    lt_tensor **saved = NULL;
    lt_arg_callable(L, 1, "backward");
    lua_settop(L, 4);
    lt_tensor **input = lt_arg_tensors(L, 2, "inputs", &inputs), **output = lt_arg_tensors(L, 3, "outputs", &outputs);
    if (!lua_isnil(L, 4))
        saved = lt_arg_tensors(L, 4, "saved", &nsaved);
    if (!lt_recording(inputs, input)) {
        lua_pushvalue(L, 3);
        return 1;
    }
    lt_tensor **window = lua_newuserdatauv(L, sizeof *window * ((size_t)outputs + 1), 0);
    detach_all(L, outputs, output, window);
    const int table = lua_gettop(L);
    for (int i = 0; i < outputs; i++) {
        if (window[i])
            window[n++] = window[i];
        else {
            lua_rawgeti(L, 3, i + 1);
            lua_rawseti(L, table, i + 1);
        }
    }
    lt_callback *f = keep(L, 1, false);
    int status = lt_custom_record(&f->custom, inputs, input, nsaved, saved, n, window);
    if (status != LT_OK && lt_collect_for_memory(L))
        status = lt_custom_record(&f->custom, inputs, input, nsaved, saved, n, window);
    if (status != LT_OK) {
        f->custom.drop(&f->custom);
        return lt_raise(L);
    }
    link_all(L, table, outputs);
    lua_settop(L, table);
    return 1;
}

// Which of the values from..to of the stack are tensors, with a place on the tape or all: into a userdata that is
// pushed, their stack indices into another.
static lt_tensor **tensors_between(lua_State *L, int from, int to, bool placed, int *n, int **at)
{
    luaL_checkstack(L, 8, "tensors");
    const size_t room = (size_t)(to < from ? 0 : to - from + 1) + 1;
    lt_tensor **list = lua_newuserdatauv(L, room * sizeof *list, 0);
    int *index = lua_newuserdatauv(L, room * sizeof *index, 0);
    *n = 0;
    for (int i = from; i <= to; i++) {
        lt_tensor *t = lt_test_tensor(L, i);
        if (!t || (placed && !t->node))
            continue;
        list[*n] = t;
        index[(*n)++] = i;
    }
    if (at)
        *at = index;
    return list;
}

static int traced_call(lua_State *L, int arguments)
{
    bool grad = lt_grad_mode(), trace = lt_trace_mode_set(true);
    int status = lua_pcall(L, arguments, LUA_MULTRET, 0);
    lt_scope_return(L);
    lt_trace_mode_set(trace);
    lt_grad_mode_set(grad);
    return status;
}

/*** Calls a function without keeping what its backward would need, and leaves that to a function of the script, which
computes it again; see laterna.autograd, which is easier to use.
@function recompute
@tparam function f
@tparam function backward called with a gradient for each result of f that has one (zeros where none arrived); it hands
them to backward_inside
@param ... arguments of f; tensors among them must not be edited until backward has run
@return what f returns */
static int recompute(lua_State *L)
{
    lt_arg_callable(L, 1, "f");
    lt_arg_callable(L, 2, "backward");
    const int top = lua_gettop(L), arguments = top - 2;
    luaL_checkstack(L, arguments + 8, "arguments");
    lua_pushvalue(L, 1);
    for (int i = 3; i <= top; i++)
        lua_pushvalue(L, i);
    if (!lt_grad_mode() || lt_trace_mode()) { // an outer function is computed again as a whole
        lua_call(L, arguments, LUA_MULTRET);
        return lua_gettop(L) - top;
    }
    const uint64_t since = lt_node_order();
    if (traced_call(L, arguments) != LUA_OK)
        return lt_raise_theirs(L, "recompute: f cannot yield: it is computed again in backward");
    lt_collect_dropped(L); // all that f computed on its way
    const int last = lua_gettop(L), results = last - top;
    int n, nsaved, *at;
    lt_tensor **saved = tensors_between(L, 3, top, false, &nsaved, NULL),
              **traced = tensors_between(L, top + 1, last, true, &n, &at);
    if (n > 0) {
        lt_tensor **window = lua_newuserdatauv(L, sizeof *window * (size_t)n, 0);
        detach_all(L, n, traced, window);
        const int table = lua_gettop(L);
        lt_callback *f = keep(L, 2, true);
        int status = lt_custom_record_region(&f->custom, since, nsaved, saved, n, traced, window);
        if (status != LT_OK && lt_collect_for_memory(L))
            status = lt_custom_record_region(&f->custom, since, nsaved, saved, n, traced, window);
        if (status != LT_OK) {
            f->custom.drop(&f->custom);
            return lt_raise(L);
        }
        link_all(L, table, n);
        for (int i = 0; i < n; i++) {
            lua_rawgeti(L, table, i + 1);
            lua_replace(L, at[i]);
        }
    }
    lua_settop(L, last);
    return results;
}

/*** For the backward that recompute was given: sends gradients back through what has been computed since that backward
was called. What comes out at the other end goes to the parameters and tensors that the function used; leaves made in
that backward get theirs in `.grad`.
@function backward_inside
@tparam table outputs tensors computed again, each of which requires a gradient
@tparam table gradients as many tensors, of the same shapes */
static int backward_inside(lua_State *L)
{
    int n, m;
    lt_collect_dropped(L);
    lua_settop(L, 2);
    lt_tensor **y = lt_arg_tensors(L, 1, "outputs", &n), **dy = lt_arg_tensors(L, 2, "gradients", &m);
    if (m != n)
        return lt_bad_argument(L, 2, "gradients: expected %d, got %d", n, m);
    lua_State *before = lt_backward_state(L);
    int status = lt_backward_inside(n, y, dy);
    lt_backward_state(before);
    if (status != LT_OK)
        return lt_raise_backward(L);
    lt_forget_functions(L);
    return 0;
}

void lt_open_custom(lua_State *L)
{
    static const lt_function functions[] = {
        {"record_function", record_function, LT_IN_MODULE},
        {"recompute", recompute, LT_IN_MODULE},
        {"backward_inside", backward_inside, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
