// What samplers do to memory. Their formulas are Lua's.
#include "sampler/combine.h"

#include <math.h>

#include "lua/types.h"
#include "sampler/noise.h"
#include "sampler/threshold.h"

/*** numbers[1] * tensors[1] + ... + numbers[k] * tensors[k] in one pass over memory: the step of a solver.
@function combine
@tparam {Tensor,...} tensors 1 to 8, float32, of one shape
@tparam {number,...} numbers as many
@treturn Tensor */
static int combine(lua_State *L)
{
    float c[LT_COMBINE_MAX];
    int n;
    lua_settop(L, 2);
    lt_tensor **t = lt_arg_tensors(L, 1, "tensors", &n);
    if (n < 1 || n > LT_COMBINE_MAX)
        return lt_bad_argument(L, 1, "tensors: expected 1 to %d, got %d", LT_COMBINE_MAX, n);
    if (!lua_istable(L, 2))
        return lt_bad_argument(L, 2, "numbers: expected table, got %s", lt_type_name(L, 2));
    if (lua_rawlen(L, 2) != (lua_Unsigned)n)
        return lt_bad_argument(L, 2, "numbers: expected %d, one a tensor, got %I", n, (LUAI_UACINT)lua_rawlen(L, 2));
    for (int i = 0; i < n; i++) {
        if (lua_rawgeti(L, 2, i + 1) != LUA_TNUMBER)
            return lt_bad_argument(L, 2, "numbers: item %d: expected number, got %s", i + 1, lt_type_name(L, -1));
        c[i] = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    LT_PUSH(L, lt_combine(n, t, c));
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
        list[i] = luaL_testudata(L, -1, LT_GENERATOR_TYPE);
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

/*** Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487): of each picture, s is the quantile of |x|, at least 1
and at most max; then x is clamped to [-s, s] and divided by s. Gradients take s as a constant.
@function threshold
@tparam Tensor x (n,...)
@tparam[opt=0.995] number quantile 0..1; between two values as torch.quantile
@tparam[opt=inf] number max at least 1
@treturn Tensor */
static int threshold(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    const double quantile = lt_arg_number_or(L, 2, "quantile", 0.995);
    const double max = lt_arg_number_or(L, 3, "max", INFINITY);
    if (!(quantile >= 0 && quantile <= 1))
        return lt_bad_argument(L, 2, "quantile: expected a number in 0..1, got %f", quantile);
    if (!(max >= 1))
        return lt_bad_argument(L, 3, "max: expected a number of at least 1, got %f", max);
    LT_PUSH(L, lt_threshold(x, quantile, max));
    return 1;
}

void lt_open_sampler(lua_State *L)
{
    static const lt_function functions[] = {
        {"combine", combine, LT_IN_MODULE},
        {"randn_each", randn_each, LT_IN_MODULE},
        {"threshold", threshold, LT_IN_BOTH},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
