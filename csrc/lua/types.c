// The userdata behind lt tensors and generators: made, named, collected.
#include "lua/types.h"

#include <string.h>

#include "base/profile.h"
#include "tensor/tape.h"

const char *lt_type_name(lua_State *L, int index)
{
    lt_tensor **box = luaL_testudata(L, index, LT_TENSOR_TYPE);
    if (box)
        return *box ? "tensor" : "freed tensor";
    if (luaL_testudata(L, index, LT_GENERATOR_TYPE))
        return "generator";
    return luaL_typename(L, index);
}

// Lua's collector sees a tensor as a few bytes. So when memory in use has grown by half (and by 64 MB) since the
// last full collection, there is another: what scripts have dropped is then given back.
static void collect_if_grown(lua_State *L)
{
    static size_t limit = (size_t)64 << 20;
    if (lt_memory().live < limit)
        return;
    if (lt_profiling)
        lt_profile_enter("garbage collection", "");
    lua_gc(L, LUA_GCCOLLECT);
    if (lt_profiling)
        lt_profile_leave();
    size_t live = lt_memory().live;
    limit = live + (live / 2 > (size_t)64 << 20 ? live / 2 : (size_t)64 << 20);
}

// The same for small tensors: each has half a kilobyte outside of Lua (headers, node, block), which is announced as a
// kilobyte for every other one. Otherwise tens of thousands of dead ones gather between two rounds of the collector,
// and every new one is cold memory: five times slower.
static void announce(lua_State *L)
{
    static unsigned count;
    if (++count % 2 == 0 && lua_gc(L, LUA_GCISRUNNING) == 1)
        lua_gc(L, LUA_GCSTEP, 1);
}

lt_tensor **lt_box(lua_State *L)
{
    announce(L);
    collect_if_grown(L);
    luaL_checkstack(L, 4, "results");
    lt_forget_functions(L);
    lt_tensor **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, LT_TENSOR_TYPE);
    return box;
}

bool lt_collect_for_memory(lua_State *L)
{
    if (!lt_error_is_memory())
        return false;
    lua_gc(L, LUA_GCCOLLECT);
    lt_memory_trim();
    return true;
}

lt_tensor **lt_arg_tensors(lua_State *L, int arg, const char *name, int *n)
{
    if (!lua_istable(L, arg))
        lt_bad_argument(L, arg, "%s: expected table of tensors, got %s", name, lt_type_name(L, arg));
    lua_Unsigned length = lua_rawlen(L, arg);
    if (length > 1 << 24)
        lt_bad_argument(L, arg, "%s: too many tensors", name);
    lt_tensor **list = lua_newuserdatauv(L, (length ? length : 1) * sizeof *list, 0);
    for (lua_Unsigned i = 0; i < length; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        lt_tensor **box = luaL_testudata(L, -1, LT_TENSOR_TYPE);
        if (!box || !*box)
            lt_bad_argument(L, arg, "%s: item %I: expected tensor, got %s", name, (LUAI_UACINT)i + 1,
                            lt_type_name(L, -1));
        list[i] = *box;
        lua_pop(L, 1);
    }
    *n = (int)length;
    return list;
}

static int collect_tensor(lua_State *L)
{
    lt_tensor **box = luaL_checkudata(L, 1, LT_TENSOR_TYPE);
    lt_tensor *t = *box;
    *box = NULL;
    lt_release(t);
    lt_forget_functions(L);
    return 0;
}

/*** Gives a tensor's memory back now instead of when Lua collects it. Views of it stay valid; any further use of the
freed one is an error. `local t <close> = ...` does the same at the end of the block. In a finalizer (`__gc`) both do
nothing: Lua is collecting already.
@function free
@tparam Tensor self */
static int free_tensor(lua_State *L)
{
    lt_tensor **box = luaL_testudata(L, 1, LT_TENSOR_TYPE);
    if (!box)
        lt_arg_tensor(L, 1, "self");
    // Finalizers run in the middle of other functions, which may be using this very tensor. lua_gc refuses in them.
    return lua_gc(L, LUA_GCISRUNNING) < 0 ? 0 : collect_tensor(L);
}

// A metatable with a table of methods; scripts see neither.
static void new_type(lua_State *L, const char *name)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    lua_setfield(L, -2, "methods");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}

void lt_open_types(lua_State *L)
{
    new_type(L, LT_TENSOR_TYPE);
    lua_pushcfunction(L, collect_tensor);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, free_tensor);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    new_type(L, LT_GENERATOR_TYPE);
    lua_pop(L, 1);
    static const lt_function functions[] = {{"free", free_tensor, LT_AS_METHOD}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
