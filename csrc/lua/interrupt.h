// Ctrl-C as loops catch it (base/interrupt.h). Private to csrc/lua.
#ifndef LT_LUA_INTERRUPT_H
#define LT_LUA_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

enum { LT_NOTICE_ROOM = 200 }; // bytes, the last of them 0

// L goes on: Ctrl-C is caught if a coroutine that catches it is running, or waits for L. Raises "interrupted by Ctrl-C"
// if that was asked for.
void lt_interrupt_follow(lua_State *L);

// Raises it, and takes it as done.
int lt_interrupt_raise(lua_State *L);

// The calling coroutine catches it, or no longer. notice (copied; NULL: none) is written to standard error at the first
// one; the second one raises, or ends the process.
void lt_interrupt_set(lua_State *L, bool on, const char *notice, bool raises);

void lt_open_interrupt(lua_State *L); // a family of lua/families.h, the ground of the others

#endif
