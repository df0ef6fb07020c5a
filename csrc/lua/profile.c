// Where a function's time goes: Lua's debug hook sees our functions come and go, the tape tells of gradients itself.
//
// Our functions do their work without calling back into Lua, but for few (no_grad) that do nothing else. So whatever is
// called, and whatever returns, one of ours that was under way is no longer: it has returned, raised an error (which
// no hook tells of), or handed on. That is all the bookkeeping there is, and errors need none of their own.
#include "base/profile.h"

#include "lua/check.h"

static void hook(lua_State *L, lua_Debug *ar);

// A coroutine that is older than the hook has none of its own: it gets one when it is about to be resumed, by a
// function that has it as its argument (coroutine.resume) or within (coroutine.wrap). The coroutine is on top of the
// stack, or something else is; it is popped.
static void follow(lua_State *L)
{
    lua_State *thread = lua_tothread(L, -1);
    if (thread && thread != L && !lua_gethook(thread))
        lua_sethook(thread, hook, LUA_MASKCALL | LUA_MASKRET, 0);
    lua_pop(L, 1);
}

static void called(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "f", ar);
    if (lua_iscfunction(L, -1)) {
        const char *name = lt_registered_name(L, -1);
        if (name)
            lt_profile_enter(name, "");
        else {
            if (lua_getlocal(L, ar, 1))
                follow(L);
            if (lua_getupvalue(L, -1, 1))
                follow(L);
        }
    }
    lua_pop(L, 1);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    if (!lt_profiling) { // of a coroutine that outlived the profile
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lt_profile_leave_all();
    if (ar->event != LUA_HOOKRET)
        called(L, ar);
}

/*** Calls a function and measures where its time goes; laterna.profile makes a table of it that can be read.
@function profile_rows
@tparam function f called without arguments; an error of it passes through
@treturn table a list of {name, calls, seconds} in no order; the first, without a name, is all that is no operation
@raise when a profile is being taken already */
static int profile_rows(lua_State *L)
{
    lt_arg_callable(L, 1, "f");
    lua_settop(L, 1);
    lua_Hook old = lua_gethook(L);
    int old_mask = lua_gethookmask(L), old_count = lua_gethookcount(L);
    lt_profile *p = lua_newuserdatauv(L, sizeof *p, 0);
    lua_insert(L, 1);
    if (lt_profile_start(p) != LT_OK)
        return lt_raise(L);
    lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET, 0);
    int status = lua_pcall(L, 0, 0, 0);
    lt_profile_stop();
    if (lua_gethook(L) == hook) // else the function set one of its own, and may keep it
        lua_sethook(L, old, old_mask, old_count);
    if (status != LUA_OK)
        return lt_raise_theirs(L, "profile: f cannot yield: only its own time is to be measured");
    lua_createtable(L, p->count, 0);
    for (int i = 0; i < p->count; i++) {
        lua_createtable(L, 0, 3);
        if (i > 0) {
            lua_pushstring(L, p->row[i].name);
            lua_setfield(L, -2, "name");
        }
        lua_pushinteger(L, p->row[i].calls);
        lua_setfield(L, -2, "calls");
        lua_pushnumber(L, p->row[i].seconds);
        lua_setfield(L, -2, "seconds");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

void lt_open_profile(lua_State *L)
{
    static const lt_function functions[] = {{"profile_rows", profile_rows, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
