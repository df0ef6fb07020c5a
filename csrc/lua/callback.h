// The functions of scripts that nodes of the tape refer to. Lua's collector does not see what the tape refers to, so
// they are kept in a table, by the address of what the tape has of them. Nodes may go at any time, also while Lua is
// collecting: then a function is only marked, and forgotten when Lua is called next. Private to csrc/lua.
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
    struct lt_callbacks *owner;
    struct lt_callback *next;
} lt_callback;

// Keeps the function at a stack index until its node is gone, or until custom.drop is called where there came no node.
lt_callback *lt_callback_keep(lua_State *L, int index, const char *name, lt_callback_backward backward, bool adds);

// Two values onto the stack: what keeps the callback alive, and its function. Needs room for three.
void lt_callback_push(lua_State *L, const lt_callback *f);

// Gives functions back whose nodes are gone. Raises nothing.
void lt_forget_functions(lua_State *L);

void lt_open_callback(lua_State *L); // a family of lua/families.h, the ground of the others

#endif
