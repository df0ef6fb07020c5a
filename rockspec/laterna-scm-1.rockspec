rockspec_format = "3.0"
package = "laterna"
version = "scm-1"
source = {
  url = "git+https://github.com/laterna/laterna.git",
}
description = {
  summary = "Train and sample generative image models on a CPU",
  detailed = [[
    Tensors with automatic differentiation, layers, optimizers, and generative image models (captioned pictures in,
    pictures out). The arithmetic is C on OpenBLAS; everything else is Lua.]],
  license = "MIT",
  labels = { "machine-learning", "image" },
}
-- `require "laterna"` itself needs only Lua, OpenBLAS, libpng and zlib. The three modules below are required where
-- they are first used: argparse by the command lines of the examples, luafilesystem by folders of pictures and
-- training runs, dkjson by metadata.jsonl. They are small and have no dependencies of their own.
dependencies = {
  "lua ~> 5.4",
  "argparse >= 0.7",
  "luafilesystem >= 1.8",
  "dkjson >= 2.5",
}
-- The Makefile finds libjpeg, libwebp and giflib by itself; without them JPEG, WebP and GIF are not read. LuaRocks has no
-- word for what is optional, so they are not listed.
-- Named by library where the header lies in a folder of its own on some systems.
external_dependencies = {
  OPENBLAS = { library = "openblas" },
  PNG = { header = "png.h" },
  ZLIB = { header = "zlib.h" },
}
build = {
  type = "make",
  build_target = "build",
  install_target = "install",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    INST_LIBDIR = "$(LIBDIR)",
    INST_LUADIR = "$(LUADIR)",
  },
}
-- busted itself cannot be a test dependency here: where the distribution brings it, LuaRocks does not see it.
test = {
  type = "command",
  script = "spec/run.lua",
}
