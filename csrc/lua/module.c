// The door: luaopen_laterna_core opens every family of functions into one table.
#include <stdlib.h>

#include "base/threads.h"
#include "kernel/kernel.h"
#include "lua/check.h"

int luaopen_laterna_core(lua_State *L);

static void (*const families[])(lua_State *) = {
#define LT_FAMILY(open) open,
#include "lua/families.h"
#undef LT_FAMILY
};

__attribute__((visibility("default"))) int luaopen_laterna_core(lua_State *L)
{
    luaL_checkversion(L);
    if (lt_kernels_init(getenv("LATERNA_ISA")) != LT_OK)
        return luaL_error(L, "LATERNA_ISA: %s", lt_error_message());
    if (lt_threads_init(getenv("LATERNA_THREADS")) != LT_OK)
        return luaL_error(L, "LATERNA_THREADS: %s", lt_error_message());
    lua_newtable(L);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        families[i](L);
    }
    return 1;
}
