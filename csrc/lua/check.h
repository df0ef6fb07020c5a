// What every binding needs: arguments in, tensors out, errors raised. One way to check, one way to raise.
//
// The rule that keeps memory safe: a Lua error longjmps, so nothing may be held in C while Lua can raise. Read every
// argument first (they stay alive on the Lua stack), then make the result's box, then compute into it: LT_PUSH.
#ifndef LT_LUA_CHECK_H
#define LT_LUA_CHECK_H

#include <lauxlib.h>
#include <lua.h>

#include "lua/box.h"
#include "lua/callback.h"
#include "lua/function.h"

// ---- arguments; `name` is what messages call it -------------------------------------------------------------
lt_tensor *lt_arg_tensor(lua_State *L, int arg, const char *name);        // refuses freed ones
lt_tensor *lt_arg_tensor_or_nil(lua_State *L, int arg, const char *name); // nil or nothing: NULL
// A table of tensors at arg (a list) -> C array in a userdata pushed on the stack; *n gets its length.
lt_tensor **lt_arg_tensors(lua_State *L, int arg, const char *name, int *n);
int64_t lt_arg_integer(lua_State *L, int arg, const char *name, int64_t min,
                       int64_t max); // 3.0 is fine, 3.5 and NaN are not
int64_t lt_arg_integer_or(lua_State *L, int arg, const char *name, int64_t min, int64_t max, int64_t otherwise);
double lt_arg_number(lua_State *L, int arg, const char *name); // numbers only: no strings; NaN passes
double lt_arg_number_or(lua_State *L, int arg, const char *name, double otherwise);
bool lt_arg_boolean_or(lua_State *L, int arg, const char *name, bool otherwise);
const char *lt_arg_string(lua_State *L, int arg, const char *name, size_t *length); // strings only: no numbers
void lt_arg_callable(lua_State *L, int arg, const char *name);                      // modules can be called too
lt_random *lt_arg_generator_or_default(lua_State *L, int arg, const char *name);
// Sizes from a table at arg, or from the numbers from arg on (stops at the first non-number; *next tells where).
int lt_arg_shape(lua_State *L, int arg, const char *name, int64_t *shape, int *next);
// Axes: a number, a table of numbers, or nil (*n = 0) -> 0-based, sorted, no repeats.
void lt_arg_axes(lua_State *L, int arg, const lt_tensor *t, int *axes, int *n);

// ---- option tables: {stride = 2}; unknown keys are errors ------------------------------------------------------
typedef enum {
    LT_OPTION_INTEGER,   // int64_t, within min..max
    LT_OPTION_NUMBER,    // double, within min..max
    LT_OPTION_BOOLEAN,   // bool
    LT_OPTION_PAIR,      // int64_t[2]: a number for both, or {h, w}; within min..max
    LT_OPTION_COLOUR,    // double[3]: a number for all, a grey, or {red, green, blue}; within min..max
    LT_OPTION_STRING,    // const char *, kept alive by the table
    LT_OPTION_TENSOR,    // lt_tensor *, kept alive by the table
    LT_OPTION_GENERATOR, // lt_random *, kept alive by the table
} lt_option_kind;

typedef struct {
    const char *key;
    lt_option_kind kind;
    void *out;       // left as it is when the key is missing
    double min, max; // both 0: any
} lt_option;

// Reads the table at arg (nil or nothing: no options). options end with {NULL}.
void lt_arg_options(lua_State *L, int arg, const lt_option *options);
// The place of a word, which came with argument `arg`, among words[0..n); raises where it is none of them.
int lt_one_of(lua_State *L, int arg, const char *name, const char *word, int n, const char *const *words);

// Raises: an object has nothing that is called as the text at 2. `methods` is the index of the table of its methods,
// `properties` (NULL: none) its other names, ended by NULL.
int lt_no_field(lua_State *L, const char *object, int methods, const char *const *properties);

// ---- results -------------------------------------------------------------------------------------------------
// Evaluates `expression` (a new lt_tensor *, or NULL after lt_fail) into a box on the stack; raises on failure.
#define LT_PUSH(L, expression)                                                                                         \
    do {                                                                                                               \
        lt_tensor **box_ = lt_box(L);                                                                                  \
        *box_ = (expression);                                                                                          \
        if (!*box_ && lt_collect_for_memory(L))                                                                        \
            *box_ = (expression);                                                                                      \
        if (!*box_)                                                                                                    \
            lt_raise(L);                                                                                               \
        if ((*box_)->node)                                                                                             \
            lt_callback_link(L, -1);                                                                                   \
    } while (0)

// The same for an int result: LT_OK or LT_FAIL.
#define LT_TRY(L, expression)                                                                                          \
    do {                                                                                                               \
        int status_ = (expression);                                                                                    \
        if (status_ != LT_OK && lt_collect_for_memory(L))                                                              \
            status_ = (expression);                                                                                    \
        if (status_ != LT_OK)                                                                                          \
            lt_raise(L);                                                                                               \
    } while (0)

#endif
