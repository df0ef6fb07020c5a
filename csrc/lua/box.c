#include "lua/box.h"

#include <lauxlib.h>

#include "base/profile.h"
#include "lua/callback.h"
#include "lua/scope.h"

static const char default_key = 0; // its address is the registry key of the default generator

const char *lt_type_name(lua_State *L, int index)
{
    lt_tensor **box = luaL_testudata(L, index, LT_TENSOR_TYPE);
    if (box)
        return *box ? "tensor" : "freed tensor";
    if (luaL_testudata(L, index, LT_GENERATOR_TYPE))
        return "generator";
    return luaL_typename(L, index);
}

// Lua's collector sees a tensor as a few bytes. So when the memory that the tape does not hold has grown since the last
// full collection there is another: what scripts have dropped is then given back. It may grow by 32 MB, by a sixteenth
// of all memory in use, and by eight times Lua's own (a collection costs about a millisecond for each megabyte of
// that), but hardly beyond half of what is in use. Each thread collects what its own Lua state has dropped.
static _Thread_local struct {
    size_t least, margin;
} garbage = {.margin = (size_t)32 << 20};

static size_t in_hand(void)
{
    const size_t live = lt_memory().live, held = lt_tape_bytes();
    return live > held ? live - held : 0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void collect_if_grown(lua_State *L, size_t margin)
{
    const size_t now = in_hand();
    if (now < garbage.least)
        garbage.least = now;
    if (now - garbage.least < margin)
        return;
    if (lt_profiling)
        lt_profile_enter("garbage collection", "");
    lua_gc(L, LUA_GCCOLLECT);
    if (lt_profiling)
        lt_profile_leave();
    const size_t live = lt_memory().live, own = 8 * ((size_t)lua_gc(L, LUA_GCCOUNT) << 10);
    garbage.least = in_hand();
    garbage.margin = larger(larger((size_t)32 << 20, live / 16), own < live / 2 ? own : live / 2);
}

void lt_collect_dropped(lua_State *L)
{
    collect_if_grown(L, garbage.margin / 4);
    lt_scope_return(L); // the collector may have called finalizers
}

// The same for small tensors: each has half a kilobyte outside of Lua (headers, node, block), which is announced as a
// kilobyte for every other one. Otherwise tens of thousands of dead ones gather between two rounds of the collector,
// and every new one is cold memory: five times slower.
static void announce(lua_State *L)
{
    static _Thread_local unsigned count;
    if (++count % 2 == 0 && lua_gc(L, LUA_GCISRUNNING) == 1)
        lua_gc(L, LUA_GCSTEP, 1);
}

lt_tensor **lt_box(lua_State *L)
{
    announce(L);
    collect_if_grown(L, garbage.margin);
    luaL_checkstack(L, 4, "results");
    lt_forget_functions(L);
    lt_tensor **box = lua_newuserdatauv(L, sizeof *box, 1); // the value is callback.c's
    *box = NULL;
    luaL_setmetatable(L, LT_TENSOR_TYPE);
    lt_scope_return(L); // the collector may have called finalizers
    return box;
}

lt_tensor *lt_test_tensor(lua_State *L, int index)
{
    lt_tensor **box = luaL_testudata(L, index, LT_TENSOR_TYPE);
    return box ? *box : NULL;
}

void lt_empty_box(lua_State *L, int index)
{
    lt_tensor **box = lua_touserdata(L, index), *t = *box;
    *box = NULL;
    lua_pushvalue(L, index);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, 1);
    lua_pop(L, 1);
    lt_release(t);
    lt_forget_functions(L);
}

static int collect_tensor(lua_State *L)
{
    luaL_checkudata(L, 1, LT_TENSOR_TYPE);
    lt_empty_box(L, 1);
    return 0;
}

bool lt_collect_for_memory(lua_State *L)
{
    if (!lt_error_is_memory())
        return false;
    lua_gc(L, LUA_GCCOLLECT);
    lt_scope_return(L);
    lt_memory_trim();
    return true;
}

lt_random *lt_push_generator(lua_State *L, int64_t seed)
{
    lt_random *r = lua_newuserdatauv(L, sizeof *r, 0);
    lt_random_seed(r, (uint64_t)seed);
    luaL_setmetatable(L, LT_GENERATOR_TYPE);
    return r;
}

lt_random *lt_test_generator(lua_State *L, int index)
{
    return luaL_testudata(L, index, LT_GENERATOR_TYPE);
}

void lt_push_default_generator(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
}

lt_random *lt_default_generator(lua_State *L)
{
    luaL_checkstack(L, 2, "generator");
    lt_push_default_generator(L);
    lt_random *r = lua_touserdata(L, -1);
    lua_pop(L, 1); // the registry keeps it
    return r;
}

// A metatable with a table of methods.
static void new_type(lua_State *L, const char *name)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    lua_setfield(L, -2, "methods");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}

void lt_open_box(lua_State *L)
{
    new_type(L, LT_TENSOR_TYPE);
    lua_pushcfunction(L, collect_tensor);
    lua_setfield(L, -2, "__gc");
    new_type(L, LT_GENERATOR_TYPE);
    lua_pop(L, 2);
    lt_push_generator(L, 5489);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
}
