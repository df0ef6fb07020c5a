// Ctrl-C as loops catch it (base/interrupt.h). Private to csrc/lua.
#ifndef LT_LUA_INTERRUPT_H
#define LT_LUA_INTERRUPT_H

#include <lua.h>

// L goes on: Ctrl-C is caught if a coroutine that catches it is running, or waits for L. Raises "interrupted by Ctrl-C"
// if that was asked for.
void lt_interrupt_follow(lua_State *L);

// Raises it, and takes it as done.
int lt_interrupt_raise(lua_State *L);

#endif
