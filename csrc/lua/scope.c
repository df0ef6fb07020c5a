#include "lua/scope.h"

#include <lauxlib.h>

#include "base/settings.h"
#include "lua/interrupt.h"
#include "tensor/tape.h"

_Thread_local lt_scope_in_use lt_scope;

// Their addresses are keys of the registry: the records by coroutine, the coroutine whose record is in use, the
// metatable of what lt_scope_keep_recording pushes.
static const char records_key = 0, in_use_key = 0, keeper_key = 0;

// Is it running, or waiting for one that it has resumed?
static bool is_active(lua_State *co)
{
    lua_Debug ar;
    return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar);
}

// The coroutine that `from` has resumed, which is an argument of coroutine.resume and coroutine.close, and an upvalue
// of what coroutine.wrap makes; NULL where it cannot be told.
static lua_State *resumed_by(lua_State *from)
{
    lua_Debug ar;
    lua_State *co = NULL;
    if (!lua_checkstack(from, 2) || !lua_getstack(from, 0, &ar) || !lua_getinfo(from, "f", &ar))
        return NULL;
    if (lua_iscfunction(from, -1) && lua_getupvalue(from, -1, 1)) {
        co = lua_tothread(from, -1);
        lua_pop(from, 1);
    }
    if (!co && lua_getlocal(from, &ar, 1)) {
        co = lua_tothread(from, -1);
        lua_pop(from, 1);
    }
    lua_pop(from, 1);
    return co && co != from && is_active(co) ? co : NULL;
}

// The record of a coroutine, from the table on top of the stack; NULL: it has none yet.
static lt_settings *record_of(lua_State *L, lua_State *co)
{
    if (!lua_checkstack(co, 1))
        return NULL;
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
    lua_rawget(L, -2);
    lt_settings *record = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return record;
}

static lt_settings *main_record(lua_State *L, lua_State **main)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    *main = lua_tothread(L, -1);
    lua_rawget(L, -2);
    lt_settings *record = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return record;
}

// A record for L, a copy of the nearest one on the way from the main coroutine to L, in the table on top of the stack.
static void add_record(lua_State *L)
{
    luaL_checkstack(L, 4, "a coroutine's settings");
    lua_State *co;
    lt_settings *nearest = main_record(L, &co);
    while ((co = resumed_by(co)) && co != L) {
        lt_settings *record = record_of(L, co);
        nearest = record ? record : nearest;
    }
    lua_pushthread(L);
    lt_settings *own = lua_newuserdatauv(L, sizeof *own, 0);
    *own = nearest ? *nearest : LT_SETTINGS_AT_FIRST;
    lua_rawset(L, -3);
}

// Puts the record of L in use and returns true, or returns false when there is none.
static bool use_record(lua_State *L)
{
    const unsigned changes = atomic_load(&lt_changes);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
    lt_settings *record = record_of(L, L);
    lua_pop(L, 1);
    if (!record)
        return false;
    lua_pushthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &in_use_key);
    lt_settings_use(record);
    lt_scope = (lt_scope_in_use){L, changes};
    return true;
}

void lt_scope_switch(lua_State *L)
{
    luaL_checkstack(L, 4, "settings");
    if (!use_record(L)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &records_key);
        add_record(L);
        lua_pop(L, 1);
        use_record(L);
    }
    lt_interrupt_follow(L);
}

void lt_scope_switch_back(lua_State *L)
{
    if (lua_checkstack(L, 4))
        use_record(L);
}

static int restore_recording(lua_State *L)
{
    lt_scope_return(L);
    lt_grad_mode_set(*(const bool *)lua_touserdata(L, 1));
    return 0;
}

void lt_scope_keep_recording(lua_State *L, int index)
{
    bool *was = lua_newuserdatauv(L, sizeof *was, 0);
    *was = lt_grad_mode();
    lua_rawgetp(L, LUA_REGISTRYINDEX, &keeper_key);
    lua_setmetatable(L, -2);
    lua_insert(L, index);
    lua_toclose(L, index);
}

// A state closes: its records go, and the addresses of its coroutines may be those of others soon.
static int forget(lua_State *L)
{
    lt_scope.L = NULL;
    atomic_fetch_add(&lt_changes, 1);
    return 0;
}

void lt_open_scope(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lt_settings *record = lua_newuserdatauv(L, sizeof *record, 0);
    *record = LT_SETTINGS_AT_FIRST;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, forget);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawset(L, -3);
    lua_pushboolean(L, true); // makes the room, so that later there is always some
    lua_rawsetp(L, LUA_REGISTRYINDEX, &in_use_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &records_key);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, restore_recording);
    lua_setfield(L, -2, "__close");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &keeper_key);
    atomic_fetch_add(&lt_changes, 1);
}
