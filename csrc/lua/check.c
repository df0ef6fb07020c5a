#include "lua/check.h"

#include <string.h>

#include "base/words.h"

static int wrong_type(lua_State *L, int arg, const char *name, const char *expected)
{
    return lt_bad_argument(L, arg, "%s: expected %s, got %s", name, expected, lt_type_name(L, arg));
}

// ---- plain arguments ---------------------------------------------------------------------------------------------

lt_tensor *lt_arg_tensor(lua_State *L, int arg, const char *name)
{
    lt_tensor *t = lt_test_tensor(L, arg);
    if (t)
        return t;
    if (luaL_testudata(L, arg, LT_TENSOR_TYPE))
        lt_bad_argument(L, arg, "%s: this tensor was freed", name);
    wrong_type(L, arg, name, "tensor");
    return NULL;
}

lt_tensor *lt_arg_tensor_or_nil(lua_State *L, int arg, const char *name)
{
    return lua_isnoneornil(L, arg) ? NULL : lt_arg_tensor(L, arg, name);
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
        list[i] = lt_test_tensor(L, -1);
        if (!list[i])
            lt_bad_argument(L, arg, "%s: item %I: expected tensor, got %s", name, (LUAI_UACINT)i + 1,
                            lt_type_name(L, -1));
        lua_pop(L, 1);
    }
    *n = (int)length;
    return list;
}

double lt_arg_number(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        wrong_type(L, arg, name, "number");
    return lua_tonumber(L, arg);
}

double lt_arg_number_or(lua_State *L, int arg, const char *name, double otherwise)
{
    return lua_isnoneornil(L, arg) ? otherwise : lt_arg_number(L, arg, name);
}

// The integer at a stack index; what is not one raises about argument `arg`.
static int64_t integer_at(lua_State *L, int index, int arg, const char *name, int64_t min, int64_t max)
{
    int exact = 0;
    int64_t value = 0;
    if (lua_type(L, index) == LUA_TNUMBER)
        value = lua_tointegerx(L, index, &exact);
    else
        lt_bad_argument(L, arg, "%s: expected integer, got %s", name, lt_type_name(L, index));
    if (!exact)
        lt_bad_argument(L, arg, "%s: expected integer, got %f", name, lua_tonumber(L, index));
    if (value < min || value > max) {
        if (max == INT64_MAX)
            lt_bad_argument(L, arg, "%s: expected at least %I, got %I", name, (LUAI_UACINT)min, (LUAI_UACINT)value);
        lt_bad_argument(L, arg, "%s: expected %I to %I, got %I", name, (LUAI_UACINT)min, (LUAI_UACINT)max,
                        (LUAI_UACINT)value);
    }
    return value;
}

int64_t lt_arg_integer(lua_State *L, int arg, const char *name, int64_t min, int64_t max)
{
    return integer_at(L, arg, arg, name, min, max);
}

int64_t lt_arg_integer_or(lua_State *L, int arg, const char *name, int64_t min, int64_t max, int64_t otherwise)
{
    return lua_isnoneornil(L, arg) ? otherwise : lt_arg_integer(L, arg, name, min, max);
}

bool lt_arg_boolean_or(lua_State *L, int arg, const char *name, bool otherwise)
{
    if (lua_isnoneornil(L, arg))
        return otherwise;
    if (!lua_isboolean(L, arg))
        wrong_type(L, arg, name, "boolean");
    return lua_toboolean(L, arg);
}

const char *lt_arg_string(lua_State *L, int arg, const char *name, size_t *length)
{
    if (lua_type(L, arg) != LUA_TSTRING)
        wrong_type(L, arg, name, "string");
    return lua_tolstring(L, arg, length);
}

void lt_arg_callable(lua_State *L, int arg, const char *name)
{
    if (lua_isfunction(L, arg))
        return;
    if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL)
        wrong_type(L, arg, name, "function");
    lua_pop(L, 1);
}

lt_random *lt_arg_generator_or_default(lua_State *L, int arg, const char *name)
{
    if (lua_isnoneornil(L, arg))
        return lt_default_generator(L);
    lt_random *r = lt_test_generator(L, arg);
    if (!r)
        wrong_type(L, arg, name, "generator");
    return r;
}

// A list has no other keys than 1..n: zeros{2, 3, dtype = "int32"} means something else than it would do.
static void only_list(lua_State *L, int arg, const char *name, lua_Unsigned length)
{
    lua_Unsigned keys = 0;
    luaL_checkstack(L, 3, name);
    lua_pushnil(L);
    for (; lua_next(L, arg); keys++)
        lua_pop(L, 1);
    if (keys != length)
        lt_bad_argument(L, arg, "%s: expected a list of numbers, got a table with other keys too", name);
}

int lt_arg_shape(lua_State *L, int arg, const char *name, int64_t *shape, int *next)
{
    int n = 0;
    if (lua_istable(L, arg)) {
        lua_Unsigned length = lua_rawlen(L, arg);
        if (length > LT_MAX_DIM)
            lt_bad_argument(L, arg, "%s: at most %d axes, got %I", name, LT_MAX_DIM, (LUAI_UACINT)length);
        only_list(L, arg, name, length);
        for (; n < (int)length; n++) {
            lua_rawgeti(L, arg, n + 1);
            shape[n] = integer_at(L, -1, arg, name, INT64_MIN, INT64_MAX);
            lua_pop(L, 1);
        }
        *next = arg + 1;
        return n;
    }
    for (; lua_type(L, arg + n) == LUA_TNUMBER; n++) {
        if (n == LT_MAX_DIM)
            lt_bad_argument(L, arg + n, "%s: at most %d axes", name, LT_MAX_DIM);
        shape[n] = lt_arg_integer(L, arg + n, name, INT64_MIN, INT64_MAX);
    }
    *next = arg + n;
    return n;
}

void lt_arg_axes(lua_State *L, int arg, const lt_tensor *t, int *axes, int *n)
{
    int64_t asked[LT_MAX_DIM];
    int next, seen = 0;
    *n = 0;
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg) && lua_type(L, arg) != LUA_TNUMBER)
        wrong_type(L, arg, "axes", "number or table");
    int count = lua_istable(L, arg) ? lt_arg_shape(L, arg, "axes", asked, &next) : 1;
    if (!lua_istable(L, arg))
        asked[0] = lt_arg_integer(L, arg, "axes", INT64_MIN, INT64_MAX);
    for (int i = 0; i < count; i++) {
        int axis;
        LT_TRY(L, lt_axis(t, asked[i], arg, &axis));
        if (seen & 1 << axis)
            lt_bad_argument(L, arg, "axes: axis %d is named twice", axis + 1);
        seen |= 1 << axis;
    }
    for (int axis = 0; axis < t->ndim; axis++)
        if (seen & 1 << axis)
            axes[(*n)++] = axis;
}

// ---- option tables -------------------------------------------------------------------------------------------------

static void want(lua_State *L, int arg, const lt_option *o, bool right, const char *what)
{
    if (!right)
        lt_bad_argument(L, arg, "%s: expected %s, got %s", o->key, what, lt_type_name(L, -1));
}

static void read_pair(lua_State *L, int arg, const lt_option *o, int64_t *out)
{
    int64_t min = o->min == 0 && o->max == 0 ? INT64_MIN : (int64_t)o->min;
    int64_t max = o->min == 0 && o->max == 0 ? INT64_MAX : (int64_t)o->max;
    if (!lua_istable(L, -1)) {
        out[0] = out[1] = integer_at(L, -1, arg, o->key, min, max);
        return;
    }
    if (lua_rawlen(L, -1) != 2)
        lt_bad_argument(L, arg, "%s: a number or a pair expected", o->key);
    for (int i = 0; i < 2; i++) {
        lua_rawgeti(L, -1, i + 1);
        out[i] = integer_at(L, -1, arg, o->key, min, max);
        lua_pop(L, 1);
    }
}

static void read_number(lua_State *L, int arg, const lt_option *o, double *out)
{
    want(L, arg, o, lua_type(L, -1) == LUA_TNUMBER, "number");
    double v = lua_tonumber(L, -1);
    if ((o->min != 0 || o->max != 0) && !(v >= o->min && v <= o->max))
        lt_bad_argument(L, arg, "%s: expected %f to %f, got %f", o->key, o->min, o->max, v);
    *out = v;
}

static void read_colour(lua_State *L, int arg, const lt_option *o, double *out)
{
    const bool list = lua_istable(L, -1);
    if (list && lua_rawlen(L, -1) != 3)
        lt_bad_argument(L, arg, "%s: expected number or {red, green, blue}", o->key);
    for (int i = 0; i < 3; i++) {
        list ? (void)lua_rawgeti(L, -1, i + 1) : lua_pushvalue(L, -1);
        read_number(L, arg, o, &out[i]);
        lua_pop(L, 1);
    }
}

// The value on top of the stack into o->out.
static void read_option(lua_State *L, int arg, const lt_option *o)
{
    bool any = o->min == 0 && o->max == 0;
    switch (o->kind) {
    case LT_OPTION_INTEGER:
        *(int64_t *)o->out = integer_at(L, -1, arg, o->key, any ? INT64_MIN : (int64_t)o->min,
                                        any || o->max >= 0x1p63 ? INT64_MAX : (int64_t)o->max);
        return;
    case LT_OPTION_NUMBER:
        read_number(L, arg, o, o->out);
        return;
    case LT_OPTION_BOOLEAN:
        want(L, arg, o, lua_isboolean(L, -1), "boolean");
        *(bool *)o->out = lua_toboolean(L, -1);
        return;
    case LT_OPTION_PAIR:
        read_pair(L, arg, o, o->out);
        return;
    case LT_OPTION_COLOUR:
        read_colour(L, arg, o, o->out);
        return;
    case LT_OPTION_STRING:
        want(L, arg, o, lua_type(L, -1) == LUA_TSTRING, "string");
        *(const char **)o->out = lua_tostring(L, -1);
        return;
    case LT_OPTION_TENSOR:
        want(L, arg, o, (*(lt_tensor **)o->out = lt_test_tensor(L, -1)) != NULL, "tensor");
        return;
    case LT_OPTION_GENERATOR:
        want(L, arg, o, (*(lt_random **)o->out = lt_test_generator(L, -1)) != NULL, "generator");
        return;
    }
}

// The words of a list in one text, with a quote before and after each, on the stack.
static const char *push_words(lua_State *L, int n, const char *const *words, const char *quote, const char *last)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < n; i++) {
        luaL_addstring(&b, i == 0 ? "" : i == n - 1 ? last : ", ");
        luaL_addstring(&b, quote);
        luaL_addstring(&b, words[i]);
        luaL_addstring(&b, quote);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static int unknown_option(lua_State *L, int arg, const lt_option *options, const char *key)
{
    enum { MOST = 32 };
    const char *known[MOST];
    int n = 0;
    for (const lt_option *o = options; o->key && n < MOST; o++)
        known[n++] = o->key;
    const char *all = push_words(L, n, known, "", ", ");
    const int meant = lt_nearest_word(key, n, known);
    if (meant < 0)
        return lt_bad_argument(L, arg, "unknown option \"%s\"; known: %s", key, all);
    return lt_bad_argument(L, arg, "unknown option \"%s\", did you mean \"%s\"? known: %s", key, known[meant], all);
}

int lt_one_of(lua_State *L, int arg, const char *name, const char *word, int n, const char *const *words)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    const char *all = push_words(L, n, words, "\"", " or ");
    const int meant = lt_nearest_word(word, n, words);
    if (meant < 0)
        return lt_bad_argument(L, arg, "%s: expected %s, got \"%s\"", name, all, word);
    return lt_bad_argument(L, arg, "%s: expected %s, got \"%s\"; did you mean \"%s\"?", name, all, word, words[meant]);
}

void lt_arg_options(lua_State *L, int arg, const lt_option *options)
{
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg))
        wrong_type(L, arg, "options", "table");
    luaL_checkstack(L, 8, "options");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            lt_bad_argument(L, arg, "options: keys are names, got a %s", lt_type_name(L, -2));
        const char *key = lua_tostring(L, -2);
        const lt_option *o = options;
        while (o->key && strcmp(o->key, key) != 0)
            o++;
        if (!o->key)
            unknown_option(L, arg, options, key);
        read_option(L, arg, o);
        lua_pop(L, 1);
    }
}

// ---- names ---------------------------------------------------------------------------------------------------------

int lt_no_field(lua_State *L, const char *object, int methods, const char *const *properties)
{
    enum { MOST = 256 };
    const char *known[MOST], *word = lua_tostring(L, 2);
    int n = 0;
    for (; properties && properties[n]; n++)
        known[n] = properties[n];
    luaL_checkstack(L, 4, "names");
    lua_pushnil(L);
    while (lua_next(L, methods)) {
        if (n < MOST)
            known[n++] = lua_tostring(L, -2);
        lua_pop(L, 1);
    }
    const int meant = lt_nearest_word(word, n, known);
    if (meant < 0)
        return lt_error(L, "%s has no \"%s\"", object, word);
    return lt_error(L, "%s has no \"%s\"; did you mean \"%s\"?", object, word, known[meant]);
}

/*** Which of some words is most like one that was misspelt.
@function nearest
@tparam string word
@tparam table words a list of strings
@treturn ?string nil where none is like it */
static int nearest(lua_State *L)
{
    const char *word = lt_arg_string(L, 1, "word", NULL);
    if (!lua_istable(L, 2))
        return lt_bad_argument(L, 2, "words: expected table, got %s", lt_type_name(L, 2));
    const lua_Unsigned n = lua_rawlen(L, 2);
    if (n > 1 << 20)
        return lt_bad_argument(L, 2, "words: too many");
    const char **words = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *words, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        if (lua_rawgeti(L, 2, (lua_Integer)i + 1) != LUA_TSTRING)
            return lt_bad_argument(L, 2, "words: item %I: expected string, got %s", (LUAI_UACINT)i + 1,
                                   lt_type_name(L, -1));
        words[i] = lua_tostring(L, -1); // the table keeps it
        lua_pop(L, 1);
    }
    const int meant = lt_nearest_word(word, (int)n, words);
    if (meant < 0)
        lua_pushnil(L);
    else
        lua_pushstring(L, words[meant]);
    return 1;
}

/*** Where the library's own Lua files are: errors point at the nearest line outside.
@function set_home
@tparam string prefix of the sources of all of them, as debug.getinfo gives them */
static int set_home(lua_State *L)
{
    lt_arg_string(L, 1, "prefix", NULL);
    lt_home(L, 1);
    return 0;
}

void lt_open_check(lua_State *L)
{
    static const lt_function functions[] = {
        {"nearest", nearest, LT_IN_MODULE}, {"set_home", set_home, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
