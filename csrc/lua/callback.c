#include "lua/callback.h"

#include <lauxlib.h>
#include <stdatomic.h>

#include "lua/keep.h"
#include "tensor/tape.h"

enum { AN_ERA = 16 }; // functions

typedef struct lt_callbacks {
    lt_callback *dropped;
    uint64_t era; // the last one that began
    int count;    // of functions in it
} lt_callbacks;

static const char owner_key = 0; // its address is the registry key
// How many are dropped and not forgotten yet, of all Lua states: while it is 0 nobody looks for their own.
static atomic_int waiting;

// The eras on the stack, by number, in a weak table; an era is a list of functions.
static lt_callbacks *push_eras(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &owner_key);
    lt_callbacks *o = lua_touserdata(L, -1);
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    return o;
}

void lt_forget_functions(lua_State *L)
{
    if (atomic_load_explicit(&waiting, memory_order_relaxed) == 0 || !lua_checkstack(L, 4))
        return;
    lt_callbacks *o = push_eras(L);
    while (o->dropped) {
        lt_callback *f = o->dropped;
        o->dropped = f->next;
        if (lua_rawgeti(L, -1, (lua_Integer)f->custom.era) == LUA_TTABLE) {
            lua_pushnil(L);
            lua_rawseti(L, -2, f->place);
        }
        lua_pop(L, 1);
        lt_custom_free(&f->custom);
        atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
    }
    lua_pop(L, 1);
}

static void drop(lt_custom *custom)
{
    lt_callback *f = (lt_callback *)custom;
    f->next = f->owner->dropped;
    f->owner->dropped = f;
    atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
}

lt_callback *lt_callback_keep(lua_State *L, int index, const char *name, lt_callback_backward backward, bool adds)
{
    index = lua_absindex(L, index);
    lt_forget_functions(L);
    luaL_checkstack(L, 5, name);
    lt_callbacks *o = push_eras(L);
    if (lua_rawgeti(L, -1, (lua_Integer)o->era) != LUA_TTABLE || o->count >= AN_ERA) {
        lua_pop(L, 1);
        lua_createtable(L, AN_ERA, 0);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)o->era + 1);
        o->era++;
        o->count = 0;
    }
    lua_remove(L, -2);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, o->count + 1);
    lt_callback *f = (lt_callback *)lt_custom_new(sizeof *f);
    if (!f)
        luaL_error(L, "%s: %s", name, lt_error_message());
    *f = (lt_callback){{name, backward, drop, o->era}, adds, ++o->count, o, NULL};
    return f;
}

void lt_callback_push(lua_State *L, const lt_callback *f)
{
    push_eras(L);
    if (lua_rawgeti(L, -1, (lua_Integer)f->custom.era) == LUA_TTABLE) {
        lua_rawgeti(L, -1, f->place);
        lua_replace(L, -2);
    }
    lua_remove(L, -2);
}

void lt_callback_link(lua_State *L, int index)
{
    const lt_tensor *t = *(lt_tensor **)lua_touserdata(L, index);
    if (!t || !t->node || t->node->last_era == 0)
        return;
    const lua_Integer first = (lua_Integer)t->node->first_era, last = (lua_Integer)t->node->last_era;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, "tensors");
    push_eras(L);
    if (first == last)
        lua_rawgeti(L, -1, first);
    else {
        lua_newtable(L);
        for (lua_Integer era = first; era <= last; era++) {
            lua_rawgeti(L, -2, era);
            lua_rawseti(L, -2, era - first + 1);
        }
    }
    lua_setiuservalue(L, index, 1);
    lua_pop(L, 1);
}

// When the state closes, after all tensors: what they dropped last.
static int collect_owner(lua_State *L)
{
    lt_callbacks *o = lua_touserdata(L, 1);
    while (o->dropped) {
        lt_callback *f = o->dropped;
        o->dropped = f->next;
        lt_custom_free(&f->custom);
        atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
    }
    return 0;
}

void lt_open_callback(lua_State *L)
{
    lt_callbacks *o = lua_newuserdatauv(L, sizeof *o, 1);
    *o = (lt_callbacks){0};
    lt_keep(L, &owner_key, "v", collect_owner); // with the eras
}
