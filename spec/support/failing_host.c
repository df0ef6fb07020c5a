// A Lua whose allocator fails: runs a script's function `step` again and again, each time with one more allocation
// granted before two in a row are refused (after the first Lua collects garbage and asks again). Then it does the
// same to the opening of the module. Prints how many places were reached; exits with 1 when blocks are left behind.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static long countdown; // 0: no failure is due
static int refusing;

static void *allocate(void *ud, void *p, size_t old, size_t new)
{
    (void)ud;
    if (new == 0) {
        free(p);
        return NULL;
    }
    if (!p || new > old) {
        if (countdown && --countdown == 0)
            refusing = 2;
        if (refusing) {
            refusing--;
            return NULL;
        }
    }
    return realloc(p, new);
}

// The number of tensor blocks in use after the script's function `forget`, garbage collected.
static long blocks(lua_State *L)
{
    (void)luaL_dostring(L, "forget()");
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    (void)luaL_dostring(L, "return package.loaded['laterna.core'].memory().count");
    long n = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

static int fail(lua_State *L, const char *what, long n)
{
    fprintf(stderr, "%s, allocation %ld: %s\n", what, n, lua_tostring(L, -1));
    return 1;
}

static int run_steps(lua_State *L, const char *script)
{
    if (luaL_dofile(L, script) != LUA_OK)
        return fail(L, "script", 0);
    lua_getglobal(L, "step");
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        return fail(L, "step", 0);
    long before = blocks(L), n = 0, raised = 0;
    for (bool reached = true; reached; n++) {
        lua_getglobal(L, "step");
        countdown = n + 1;
        int status = lua_pcall(L, 0, 0, 0);
        reached = countdown == 0;
        countdown = refusing = 0;
        raised += status == LUA_ERRMEM;
        if (status != LUA_OK && status != LUA_ERRMEM && status != LUA_ERRRUN)
            return fail(L, "step", n);
        lua_settop(L, 0);
        if (blocks(L) != before) {
            fprintf(stderr, "step, allocation %ld: %ld blocks became %ld\n", n, before, blocks(L));
            return 1;
        }
    }
    lua_getglobal(L, "step");
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        return fail(L, "the last step", n);
    printf("%ld places in a step, %ld errors\n", n, raised);
    return 0;
}

static int open_again(void)
{
    long n = 0;
    for (bool reached = true; reached; n++) {
        lua_State *L = lua_newstate(allocate, NULL);
        luaL_openlibs(L);
        lua_getglobal(L, "require");
        lua_pushliteral(L, "laterna.core");
        countdown = n + 1;
        lua_pcall(L, 1, 0, 0);
        reached = countdown == 0;
        countdown = refusing = 0;
        lua_close(L);
    }
    printf("%ld places in opening\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    lua_State *L = lua_newstate(allocate, NULL);
    (void)argc;
    luaL_openlibs(L);
    int status = run_steps(L, argv[1]);
    lua_close(L);
    return status || open_again();
}
