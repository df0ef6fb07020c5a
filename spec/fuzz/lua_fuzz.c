// Any bytes, handed to a parser that is written in Lua: spec/fuzz/lua_targets.lua has the parsers, FUZZ_TARGET names
// one. A hook counts the lines of Lua that run, so that libFuzzer keeps the inputs that reach new ones. An error that
// comes out of a target is a finding.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { COUNTERS = 1 << 14 };

__attribute__((used, section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];
static lua_State *L;

// One counter a line: the source is known by the address of its name.
static void count_line(lua_State *state, lua_Debug *ar)
{
    lua_getinfo(state, "S", ar);
    const uintptr_t source = (uintptr_t)ar->source >> 4;
    counters[(source * 31 + (unsigned)ar->currentline) % COUNTERS]++;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    L = luaL_newstate();
    luaL_openlibs(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "spec.fuzz.lua_targets");
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_getfield(L, -1, getenv("FUZZ_TARGET")) != LUA_TFUNCTION) {
        fprintf(stderr, "no target: %s\n", lua_tostring(L, -1));
        exit(1);
    }
    lua_sethook(L, count_line, LUA_MASKLINE, 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    lua_pushvalue(L, -1);
    lua_pushlstring(L, (const char *)data, n);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        __builtin_trap();
    }
    return 0;
}
