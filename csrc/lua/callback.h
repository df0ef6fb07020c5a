// The functions of scripts that nodes of the tape refer to. Lua's collector does not see what the tape refers to, and a
// function may hold the very tensor whose node refers to it. So nobody holds a function but the tensors that Lua holds:
// each refers, by its user value, to the functions that its place on the tape leads to, and Lua sees the ring.
//
// Functions are numbered by eras of a few, and a node knows the first and last era of what it leads to; a tensor refers
// to these eras as a whole, which is a little more than it needs and costs nothing. Nodes may go at any time, also
// while Lua is collecting: then a function is only marked, and forgotten when Lua is called next. Private to csrc/lua.
#ifndef LT_LUA_CALLBACK_H
#define LT_LUA_CALLBACK_H

#include <lua.h>
#include <stdbool.h>

#include "tensor/custom.h"

typedef int (*lt_callback_backward)(lt_custom *self, lt_node *node, int n, lt_tensor *const *dy, lt_tensor **dx);

struct lt_callbacks;

typedef struct lt_callback {
    lt_custom custom;
    bool adds; // its gradients are added by backward_inside, none is returned
    int place; // of its function in the era's list
    struct lt_callbacks *owner;
    struct lt_callback *next;
} lt_callback;

// Keeps the function at a stack index as long as what it pushes on the stack, and then as long as a tensor that was
// linked since; custom.drop gives it back.
lt_callback *lt_callback_keep(lua_State *L, int index, const char *name, lt_callback_backward backward, bool adds);

// Its function onto the stack, or nil when it is gone. Needs room for three.
void lt_callback_push(lua_State *L, const lt_callback *f);

// The tensor at a stack index keeps the functions that it leads to. Call it when a box was filled.
void lt_callback_link(lua_State *L, int index);

// Gives functions back whose nodes are gone. Raises nothing.
void lt_forget_functions(lua_State *L);

void lt_open_callback(lua_State *L); // a family of lua/families.h, the ground of the others

#endif
