// What a Lua state has of its own besides tensors. Private to csrc/lua, and below everything there.
#ifndef LT_LUA_KEEP_H
#define LT_LUA_KEEP_H

#include <lua.h>

// Keeps the userdata on top of the stack for the life of the Lua state, in the registry at `key`; it leaves the stack.
// Its user value 1 becomes a table that is weak in its keys ("k") or its values ("v"); `collect` is called at its end.
void lt_keep(lua_State *L, const void *key, const char *weak, lua_CFunction collect);

#endif
