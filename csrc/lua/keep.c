// The registry holds what must live as long as its Lua state, and be given back with it.
#include "lua/keep.h"

void lt_keep(lua_State *L, const void *key, const char *weak, lua_CFunction collect)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, weak);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setiuservalue(L, -2, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}
