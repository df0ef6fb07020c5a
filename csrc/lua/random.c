// Generators, explicit ones and the default one of this Lua state, and noise that each picture draws from its own.
#include "op/random.h"

#include <string.h>

#include "lua/check.h"

static lt_random *self(lua_State *L)
{
    if (lua_isnoneornil(L, 1))
        lt_bad_argument(L, 1, "self: expected generator, got %s", lt_type_name(L, 1));
    return lt_arg_generator_or_default(L, 1, "self");
}

/*** A random generator of its own (mt19937, PyTorch's CPU streams).
@function generator
@tparam[opt=5489] integer seed
@treturn Generator */
static int generator(lua_State *L)
{
    lt_push_generator(L, lt_arg_integer_or(L, 1, "seed", INT64_MIN, INT64_MAX, 5489));
    return 1;
}

/*** The generator that is used where none is given.
@function default_generator
@treturn Generator */
static int default_generator(lua_State *L)
{
    lt_push_default_generator(L);
    return 1;
}

/*** Seeds the default generator: the same seed gives the numbers of torch.manual_seed.
@function manual_seed
@tparam integer seed */
static int manual_seed(lua_State *L)
{
    lt_random_seed(lt_default_generator(L), (uint64_t)lt_arg_integer(L, 1, "seed", INT64_MIN, INT64_MAX));
    return 0;
}

/*** Starts a generator's stream again.
@function seed
@tparam Generator self
@tparam integer seed
@treturn Generator self */
static int seed(lua_State *L)
{
    lt_random *r = self(L);
    lt_random_seed(r, (uint64_t)lt_arg_integer(L, 2, "seed", INT64_MIN, INT64_MAX));
    lua_settop(L, 1);
    return 1;
}

/*** One number: uniform in [0, 1), or standard normal.
@function uniform
@function normal
@tparam Generator self
@treturn number */
static int uniform(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)lt_random_uniform(self(L)));
    return 1;
}

static int normal(lua_State *L)
{
    float v;
    lt_random_fill_normal(self(L), &v, 1);
    lua_pushnumber(L, (lua_Number)v);
    return 1;
}

/*** One integer from low to high, both included.
@function integer
@tparam Generator self
@tparam integer low
@tparam integer high
@treturn integer */
static int integer(lua_State *L)
{
    lt_random *r = self(L);
    int64_t low = lt_arg_integer(L, 2, "low", -((int64_t)1 << 53), (int64_t)1 << 53),
            high = lt_arg_integer(L, 3, "high", low, (int64_t)1 << 53);
    lua_pushinteger(L, low + lt_random_below(r, high - low + 1));
    return 1;
}

/*** Everything that decides the numbers to come, as a string; set_state continues from it, bit for bit.
@function state
@function set_state
@tparam Generator self
@tparam string state for set_state
@treturn string|Generator */
static int state(lua_State *L)
{
    lua_pushlstring(L, (const char *)self(L), sizeof(lt_random));
    return 1;
}

static int set_state(lua_State *L)
{
    lt_random *r = self(L), from;
    size_t length;
    const char *bytes = lt_arg_string(L, 2, "state", &length);
    if (length != sizeof from)
        return lt_bad_argument(L, 2, "state: expected %d bytes, got %I", (int)sizeof from, (LUAI_UACINT)length);
    memcpy(&from, bytes, sizeof from);
    if (!lt_random_valid(&from))
        return lt_bad_argument(L, 2, "state: this is no generator's state");
    *r = from;
    lua_settop(L, 1);
    return 1;
}

/*** Standard normals (n, sizes...), item i from generator i: the very numbers that `lt.randn(sizes, { generator = g })`
gives for each, so that a picture does not depend on those beside it.
@function randn_each
@tparam {Generator,...} generators n of them, all different
@tparam table|number ... sizes of one item
@treturn Tensor */
static int randn_each(lua_State *L)
{
    int64_t sizes[LT_MAX_DIM];
    int next;
    if (!lua_istable(L, 1))
        return lt_bad_argument(L, 1, "generators: expected table of generators, got %s", lt_type_name(L, 1));
    const lua_Unsigned n = lua_rawlen(L, 1);
    if (n > 1 << 24)
        return lt_bad_argument(L, 1, "generators: too many");
    const int ndim = lt_arg_shape(L, 2, "sizes", sizes, &next);
    if (!lua_isnoneornil(L, next))
        return lt_bad_argument(L, next, "sizes: expected table or numbers, got %s", lt_type_name(L, next));
    lt_random **list = lua_newuserdatauv(L, (n ? n : 1) * sizeof *list, 0);
    lua_newtable(L); // those that were seen: two threads must not draw from one
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        list[i] = lt_test_generator(L, -1);
        if (!list[i])
            return lt_bad_argument(L, 1, "generators: item %I: expected generator, got %s", (LUAI_UACINT)i + 1,
                                   lt_type_name(L, -1));
        if (lua_rawgetp(L, -2, list[i]) != LUA_TNIL)
            return lt_bad_argument(L, 1, "generators: item %I is item %I again", (LUAI_UACINT)i + 1,
                                   (LUAI_UACINT)lua_tointeger(L, -1));
        lua_pop(L, 2);
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawsetp(L, -2, list[i]);
    }
    LT_PUSH(L, lt_randn_each((int)n, list, ndim, sizes));
    return 1;
}

// g.name: a method.
static int field(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    return lt_no_field(L, "a generator", lua_upvalueindex(3), NULL);
}

void lt_open_random(lua_State *L)
{
    static const lt_function functions[] = {
        {"generator", generator, LT_IN_MODULE},
        {"default_generator", default_generator, LT_IN_MODULE},
        {"manual_seed", manual_seed, LT_IN_MODULE},
        {"randn_each", randn_each, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    static const lt_function methods[] = {
        {"seed", seed, 0},   {"uniform", uniform, 0},     {"normal", normal, 0}, {"integer", integer, 0},
        {"state", state, 0}, {"set_state", set_state, 0}, {NULL, NULL, 0},
    };
    lt_register(L, functions);
    luaL_getmetatable(L, LT_GENERATOR_TYPE);
    lua_getfield(L, -1, "methods");
    for (const lt_function *m = methods; m->name; m++) {
        lua_pushstring(L, m->name);
        lt_push_function(L, m->function, 1);
        lua_setfield(L, -2, m->name);
    }
    lua_pushliteral(L, "index");
    lua_insert(L, -2);
    lt_push_function(L, field, 2); // name, methods
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
