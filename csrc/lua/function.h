// Functions as Lua sees them: registered under the names that their messages use, and how they raise. Private to
// csrc/lua.
#ifndef LT_LUA_FUNCTION_H
#define LT_LUA_FUNCTION_H

#include <lua.h>

// A function and where it lives: in the module (lt.f), as a method (x:f), or both.
typedef struct {
    const char *name;
    lua_CFunction function;
    int where;
} lt_function;

enum { LT_IN_MODULE = 1, LT_AS_METHOD = 2, LT_IN_BOTH = 3 };

// Registers functions (ended by {NULL}) into the module table on top of the stack and the tensor's methods.
void lt_register(lua_State *L, const lt_function *functions);
// Sets a metamethod of tensors.
void lt_metamethod(lua_State *L, const char *name, lua_CFunction function);
// Replaces 1 or 2 values on top of the stack, the first of them its name, by a function that has them as upvalues 1 and
// 3. Before it runs, the settings of who calls it are in use (lua/scope.h).
void lt_push_function(lua_State *L, lua_CFunction function, int values);
// The name of the C function at a stack index; NULL when it is none of ours.
const char *lt_registered_name(lua_State *L, int index);

// The text at a stack index begins the sources of all Lua files of the library: lines of theirs are no user's.
void lt_home(lua_State *L, int index);
// Raises a message that begins with the user's line, as all below do.
int lt_error(lua_State *L, const char *format, ...);
// "bad argument #arg to 'f' (message)"; f is the name it was registered under, methods count as Lua does.
int lt_bad_argument(lua_State *L, int arg, const char *format, ...);
// Raises what lt_fail... recorded (with "bad argument" when it was lt_fail_arg).
int lt_raise(lua_State *L);

// Raises the error on top of the stack, of a function that was called from C; `words` instead of what Lua says when
// that function tried to yield.
int lt_raise_theirs(lua_State *L, const char *words);

// One function a family, listed in lua/families.h; each is called with the module table on top of the stack.
#define LT_FAMILY(open) void open(lua_State *L);
#include "lua/families.h"
#undef LT_FAMILY

#endif
