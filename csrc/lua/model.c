// What files of models need: a hash of captions, and a limit on the memory that a description may ask for.
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "lua/check.h"

/*** A 64-bit hash (FNV-1a) of a list of strings, of their order and of where each ends.
@function hash_strings
@tparam {string,...} list
@treturn string 16 hexadecimal digits
@raise what is no string, with its place */
static int hash_strings(lua_State *L)
{
    if (!lua_istable(L, 1))
        return lt_bad_argument(L, 1, "list: expected table, got %s", lt_type_name(L, 1));
    uint64_t h = LT_HASH_START;
    const lua_Unsigned n = lua_rawlen(L, 1);
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) != LUA_TSTRING)
            return lt_bad_argument(L, 1, "list: expected strings, got %s at %d", lt_type_name(L, -1), (int)i);
        size_t length;
        const char *text = lua_tolstring(L, -1, &length);
        const uint64_t width = length;
        h = lt_hash(h, &width, sizeof width);
        h = lt_hash(h, text, length);
        lua_pop(L, 1);
    }
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, h);
    lua_pushstring(L, hex);
    return 1;
}

/*** Calls f(...), in which this thread may have so many bytes of tensors more than now. What would pass that is an
error like any lack of memory. The limit ends with the call, however it ends.
@function limit_memory
@tparam integer bytes
@tparam function f
@param ... its arguments
@return what f returns */
static int limit_memory(lua_State *L)
{
    const int64_t bytes = lt_arg_integer(L, 1, "bytes", 0, INT64_MAX);
    lt_arg_callable(L, 2, "f");
    const size_t before = lt_memory_allow((size_t)bytes);
    const int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    lt_memory_allow(before);
    return status == LUA_OK ? lua_gettop(L) - 1 : lt_raise_theirs(L, "limit_memory: f cannot yield");
}

void lt_open_model(lua_State *L)
{
    static const lt_function functions[] = {
        {"hash_strings", hash_strings, LT_IN_MODULE},
        {"limit_memory", limit_memory, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
