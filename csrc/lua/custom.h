// Running a backward that may call functions of scripts. Private to csrc/lua.
#ifndef LT_LUA_CUSTOM_H
#define LT_LUA_CUSTOM_H

#include <lua.h>

// Backward calls scripts in this state from now on; returns the one before.
lua_State *lt_backward_state(lua_State *L);
// Raises what stopped a backward: a script's own error as it came, or what lt_fail... recorded.
int lt_raise_backward(lua_State *L);

#endif
