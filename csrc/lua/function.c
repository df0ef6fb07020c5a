#include "lua/function.h"

#include <lauxlib.h>
#include <string.h>

#include "base/memory.h"
#include "lua/box.h"
#include "lua/scope.h"

// What Lua calls in the place of each of our functions: upvalues are its name, the function, and what else it needs.
static int enter(lua_State *L)
{
    lt_scope_enter(L);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

void lt_push_function(lua_State *L, lua_CFunction function, int values)
{
    lua_pushcfunction(L, function);
    lua_insert(L, -values); // behind the name
    lua_pushcclosure(L, enter, values + 1);
}

const char *lt_registered_name(lua_State *L, int index)
{
    if (lua_tocfunction(L, index) != enter)
        return NULL;
    index = lua_absindex(L, index);
    lua_getupvalue(L, index, 1);
    const char *name = lua_tostring(L, -1);
    lua_pop(L, 1);
    return name;
}

void lt_register(lua_State *L, const lt_function *functions)
{
    luaL_getmetatable(L, LT_TENSOR_TYPE);
    lua_getfield(L, -1, "methods");
    for (; functions->name; functions++) {
        lua_pushstring(L, functions->name);
        lt_push_function(L, functions->function, 1); // the name, for messages
        if (functions->where & LT_IN_MODULE) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -5, functions->name);
        }
        if (functions->where & LT_AS_METHOD) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, functions->name);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

static const char home_key = 0; // its address is the registry key of the folder of the library's own Lua files

// "file:line: " of the nearest line outside of the library's own files, which is the user's; "" where there is none.
static void push_where(lua_State *L)
{
    lua_Debug ar;
    size_t length = 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
    const char *home = lua_tolstring(L, -1, &length); // the registry keeps it
    lua_pop(L, 1);
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && (!home || strncmp(ar.source, home, length) != 0)) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

int lt_error(lua_State *L, const char *format, ...)
{
    push_where(L);
    va_list va;
    va_start(va, format);
    lua_pushvfstring(L, format, va);
    va_end(va);
    lua_concat(L, 2);
    return lua_error(L);
}

void lt_home(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
}

static const char *function_name(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    return name ? name : "?";
}

static int raise_argument(lua_State *L, int arg, const char *message)
{
    lua_Debug ar;
    if (lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && strcmp(ar.namewhat, "method") == 0 && --arg == 0)
        return lt_error(L, "calling '%s' on bad self (%s)", function_name(L), message);
    return lt_error(L, "bad argument #%d to '%s' (%s)", arg, function_name(L), message);
}

int lt_bad_argument(lua_State *L, int arg, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    const char *message = lua_pushvfstring(L, format, va);
    va_end(va);
    return raise_argument(L, arg, message);
}

int lt_raise(lua_State *L)
{
    if (lt_error_is_memory()) {
        lua_pushfstring(L, "%s: %s, %I bytes live", function_name(L), lt_error_message(),
                        (LUAI_UACINT)lt_memory().live);
        return lua_error(L);
    }
    lua_pushstring(L, lt_error_message());
    if (lt_error_arg())
        return raise_argument(L, lt_error_arg(), lua_tostring(L, -1));
    return lt_error(L, "%s: %s", function_name(L), lua_tostring(L, -1));
}

int lt_raise_theirs(lua_State *L, const char *words)
{
    if (lua_type(L, -1) == LUA_TSTRING && strstr(lua_tostring(L, -1), "attempt to yield across a C-call boundary"))
        return luaL_error(L, "%s", words);
    return lua_error(L);
}

void lt_metamethod(lua_State *L, const char *name, lua_CFunction function)
{
    luaL_getmetatable(L, LT_TENSOR_TYPE);
    lua_pushstring(L, name + 2); // messages say "add", not "__add"
    lt_push_function(L, function, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}
