// What bindings share of a tensor's values and properties. Private to csrc/lua.
#ifndef LT_LUA_TENSOR_H
#define LT_LUA_TENSOR_H

#include <lua.h>

#include "tensor/tensor.h"

void lt_push_element(lua_State *L, const lt_tensor *t, int64_t i); // a number
void lt_set_element(lt_tensor *t, int64_t i, double v); // rounded and clamped to the type; NaN in an integer: 0
void lt_fill(lt_tensor *t, double v);

extern const char *const lt_properties[]; // ends with NULL
// t.shape, t.dtype, t.grad, t.requires_grad, t.is_leaf; 0 when `key` is none of them.
int lt_push_property(lua_State *L, lt_tensor *t, const char *key);

#endif
