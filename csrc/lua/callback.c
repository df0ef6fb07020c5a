#include "lua/callback.h"

#include <lauxlib.h>
#include <stdatomic.h>

typedef struct lt_callbacks {
    lt_callback *dropped;
} lt_callbacks;

static const char owner_key = 0; // its address is the registry key
// How many are dropped and not forgotten yet, of all Lua states: while it is 0 nobody looks for their own.
static atomic_int waiting;

// The table of functions on the stack.
static lt_callbacks *push_functions(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &owner_key);
    lt_callbacks *o = lua_touserdata(L, -1);
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    return o;
}

void lt_forget_functions(lua_State *L)
{
    if (atomic_load_explicit(&waiting, memory_order_relaxed) == 0 || !lua_checkstack(L, 4))
        return;
    lt_callbacks *o = push_functions(L);
    while (o->dropped) {
        lt_callback *f = o->dropped;
        o->dropped = f->next;
        atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
        lua_pushnil(L);
        lua_rawsetp(L, -2, f);
    }
    lua_pop(L, 1);
}

static void drop(lt_custom *custom)
{
    lt_callback *f = (lt_callback *)custom;
    f->next = f->owner->dropped;
    f->owner->dropped = f;
    atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
}

lt_callback *lt_callback_keep(lua_State *L, int index, const char *name, lt_callback_backward backward, bool adds)
{
    lt_forget_functions(L);
    lt_callback *f = lua_newuserdatauv(L, sizeof *f, 1);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, 1);
    lt_callbacks *o = push_functions(L);
    *f = (lt_callback){{name, backward, drop}, adds, o, NULL};
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, f);
    lua_pop(L, 2);
    return f;
}

void lt_callback_push(lua_State *L, const lt_callback *f)
{
    push_functions(L);
    lua_rawgetp(L, -1, f);
    lua_remove(L, -2);
    lua_getiuservalue(L, -1, 1);
}

void lt_open_callback(lua_State *L)
{
    lt_callbacks *o = lua_newuserdatauv(L, sizeof *o, 1);
    o->dropped = NULL;
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &owner_key);
}
