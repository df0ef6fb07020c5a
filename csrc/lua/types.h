// The two userdata types of the module and what surrounds them. Private to csrc/lua.
#ifndef LT_LUA_TYPES_H
#define LT_LUA_TYPES_H

#include "lua/check.h"

#define LT_TENSOR_TYPE    "laterna.Tensor"
#define LT_GENERATOR_TYPE "laterna.Generator"

// "tensor", "freed tensor", "generator", or Lua's name of the type.
const char *lt_type_name(lua_State *L, int index);
lt_random *lt_default_generator(lua_State *L);

// A table of tensors at arg (a list) -> C array in a userdata pushed on the stack; *n gets its length.
lt_tensor **lt_arg_tensors(lua_State *L, int arg, const char *name, int *n);

void lt_push_element(lua_State *L, const lt_tensor *t, int64_t i); // a number
int lt_push_property(lua_State *L, lt_tensor *t, const char *key); // t.shape and the like; 0: no such property

void lt_set_element(lt_tensor *t, int64_t i, double v); // rounded and clamped to the type; NaN in an integer: 0
void lt_fill(lt_tensor *t, double v);
int lt_copy_into(lt_tensor *t, lt_tensor *source); // broadcast and converted

// Sets a metamethod of tensors.
void lt_metamethod(lua_State *L, const char *name, lua_CFunction function);

// Functions that a script wrote for backward, whose nodes are gone: gives them back. Raises nothing.
void lt_forget_functions(lua_State *L);
// Backward calls scripts in this state from now on; returns the one before.
lua_State *lt_backward_state(lua_State *L);
// Raises what stopped a backward: a script's own error as it came, or what lt_fail... recorded.
int lt_raise_backward(lua_State *L);

// One function a family, listed in lua/families.h; each is called with the module table on top of the stack.
#define LT_FAMILY(open) void open(lua_State *L);
#include "lua/families.h"
#undef LT_FAMILY

#endif
