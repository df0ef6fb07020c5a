// Tensors and generators as Lua holds them: userdata, made, named, found and collected. The ground of csrc/lua, to
// which it is private; it raises nothing about arguments.
#ifndef LT_LUA_BOX_H
#define LT_LUA_BOX_H

#include <lua.h>
#include <stdbool.h>

#include "base/random.h"
#include "tensor/tensor.h"

// Names of the metatables. Each has a table `methods`; scripts see neither.
#define LT_TENSOR_TYPE    "laterna.Tensor"
#define LT_GENERATOR_TYPE "laterna.Generator"

// "tensor", "freed tensor", "generator", or Lua's name of the type.
const char *lt_type_name(lua_State *L, int index);

// A new, empty tensor userdata on the stack. Collects garbage when memory in use has grown a lot.
lt_tensor **lt_box(lua_State *L);
lt_tensor *lt_test_tensor(lua_State *L, int index); // NULL: no tensor, or a freed one
void lt_empty_box(lua_State *L, int index);         // what it held is given back; the index is a tensor's

// The same where a little has gathered, for a call that will need much memory. Before its arguments are looked at.
void lt_collect_dropped(lua_State *L);

// After a failed allocation: full collection, then true ("try once more"); false when it was another error.
bool lt_collect_for_memory(lua_State *L);

lt_random *lt_push_generator(lua_State *L, int64_t seed);
lt_random *lt_test_generator(lua_State *L, int index); // NULL: no generator
lt_random *lt_default_generator(lua_State *L);         // of this Lua state, which keeps it
void lt_push_default_generator(lua_State *L);

void lt_open_box(lua_State *L); // a family of lua/families.h, the ground of the others

#endif
