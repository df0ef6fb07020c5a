// What the bindings of file formats share.
// What the bindings of files share. Private to csrc/lua.
#ifndef LT_LUA_IO_H
#define LT_LUA_IO_H

#include "lua/check.h"

// A string that can be a path: no zero byte inside.
const char *lt_arg_path(lua_State *L, int arg);

#endif
