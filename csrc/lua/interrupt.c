// Ctrl-C while a loop of a script runs. Like the settings of lua/scope.h, catching it follows the coroutine: while the
// one whose loop it is has yielded, or is gone, Ctrl-C does what it did before.
#include "lua/interrupt.h"

#include <lauxlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "lua/keep.h"

// Of a Lua state.
typedef struct {
    lt_interrupt_ways ways;
    bool catching; // some coroutine does
    bool active;   // one of them is running, or waits for the one that runs
    char notice[LT_NOTICE_ROOM];
} catcher;

static const char key = 0; // its address is the registry key of the catcher; its user value: coroutines that catch

static void hook(lua_State *L, lua_Debug *ar)
{
    lt_interrupt_raise(L);
}

// Within the signal handler. The main coroutine is stopped by a hook, as the stand-alone interpreter does; others when
// they call a function of ours.
static void stop(void *main)
{
    lua_sethook(main, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static lua_State *main_of(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static void take_as_done(lua_State *main)
{
    lt_stop_wanted = 0;
    if (lua_gethook(main) == hook)
        lua_sethook(main, NULL, 0, 0);
}

int lt_interrupt_raise(lua_State *L)
{
    luaL_checkstack(L, 1, "Ctrl-C");
    take_as_done(main_of(L));
    lua_pushliteral(L, "interrupted by Ctrl-C");
    return lua_error(L);
}

static catcher *push_catcher(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    return lua_touserdata(L, -1);
}

// Catches or releases, whichever is right for the coroutines that are active now. The catcher is on top of the stack.
static void follow(lua_State *L, catcher *c)
{
    lua_Debug ar;
    bool any = false, active = false;
    lua_getiuservalue(L, -1, 1);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        lua_State *co = lua_tothread(L, -1);
        any = true;
        active = active || co == L || co == c->ways.context || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar));
    }
    lua_pop(L, 1);
    if (active && !c->active)
        lt_interrupt_catch(&c->ways);
    else if (c->active && !active)
        lt_interrupt_release(&c->ways);
    c->catching = any;
    c->active = active;
}

static _Thread_local bool any_catching; // of the states of this thread

void lt_interrupt_follow(lua_State *L)
{
    if (lt_stop_wanted)
        lt_interrupt_raise(L);
    if (!any_catching)
        return;
    luaL_checkstack(L, 6, "Ctrl-C");
    catcher *c = push_catcher(L);
    if (c->catching)
        follow(L, c);
    any_catching = c->catching;
    lua_pop(L, 1);
}

void lt_interrupt_set(lua_State *L, bool on, const char *notice, bool raises)
{
    catcher *c = push_catcher(L);
    if (on && !c->active)
        lt_interrupt_forget();
    lua_getiuservalue(L, -1, 1);
    lua_pushthread(L);
    if (on)
        lua_pushboolean(L, true);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    if (on) {
        strcpy(c->notice, notice ? notice : "");
        c->ways.stop = raises ? stop : NULL;
    }
    follow(L, c);
    any_catching = c->catching;
    if (!c->active)
        take_as_done(c->ways.context);
    lua_pop(L, 1);
}

static int release(lua_State *L)
{
    catcher *c = lua_touserdata(L, 1);
    if (c->active)
        lt_interrupt_release(&c->ways);
    c->active = c->catching = false;
    return 0;
}

void lt_open_interrupt(lua_State *L)
{
    lua_State *main = main_of(L);
    catcher *c = lua_newuserdatauv(L, sizeof *c, 1);
    *c = (catcher){.ways = {.notice = c->notice, .context = main}};
    lt_keep(L, &key, "k", release);
}
