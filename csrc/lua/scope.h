// Settings (base/settings.h) follow the coroutine. Each coroutine of a Lua state has a record of its own, which it
// takes over from the one that resumes it when it first calls a function of ours. Every such call sees to it that the
// record of who calls is the one in use, so there is nothing to be done when a coroutine yields, ends, fails or is
// dropped. Private to csrc/lua.
#ifndef LT_LUA_SCOPE_H
#define LT_LUA_SCOPE_H

#include <lua.h>
#include <stdatomic.h>

#include "base/interrupt.h"

typedef struct {
    lua_State *L; // entered last: its record is in use. It is kept from the collector until another enters, for else
                  // a new coroutine could be made at its address.
    unsigned changes; // lt_changes at that time
} lt_scope_in_use;

extern _Thread_local lt_scope_in_use lt_scope;

void lt_scope_switch(lua_State *L);
void lt_scope_switch_back(lua_State *L);

// From now on the settings of L hold: at the beginning of each of our functions. Raises where L is new and there is no
// memory, and where Ctrl-C has asked for it (lua/interrupt.h).
static inline void lt_scope_enter(lua_State *L)
{
    if (L != lt_scope.L || lt_scope.changes != atomic_load_explicit(&lt_changes, memory_order_relaxed))
        lt_scope_switch(L);
}

// The same within such a function, when other Lua code may have run. Raises nothing.
static inline void lt_scope_return(lua_State *L)
{
    if (L != lt_scope.L)
        lt_scope_switch_back(L);
}

// Inserts a to-be-closed value at a stack index: when the calling function is left, by its end, by an error, or because
// its coroutine is closed, recording is as it is now.
void lt_scope_keep_recording(lua_State *L, int index);

void lt_open_scope(lua_State *L); // a family of lua/families.h, the ground of the others

#endif
