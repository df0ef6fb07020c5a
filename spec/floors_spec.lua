-- The house of the design, read from includes and requires: no arrow runs up a floor or in a ring, one concept a file,
-- every public function documented.

local sources = require "spec.support.sources"

local FLOOR = { base = 0, kernel = 1, tensor = 2, op = 3, optim = 3, data = 3, io = 3, lua = 4 }
local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true, ["luaconf.h"] = true }
local FAMILIES = { "vae", "flow", "diffusion", "gan" }
local BACKBONES = { "unet", "dit", "critic" }

-- Files that may require within a function, or by a name that is put together there.
local LATE = {
  ["lua/laterna/init.lua"] = "a part of the public table is loaded when it is first asked for",
  ["lua/laterna/data/init.lua"] = "a data set's reader is loaded when it is first asked for",
  ["lua/laterna/model/names.lua"] = "the classes of a file are looked for in parts that nobody has used yet",
  ["lua/laterna/need.lua"] = "rocks that few functions need are loaded by those",
}

-- What is wrong with the arrows of one C file, as a list of sentences.
local function wrong_includes(path, text)
  local wrong = {}
  local folder = path:match("^csrc/(%w+)/")
  local floor = FLOOR[folder]
  if not floor then return { path .. ": no floor is called '" .. tostring(folder) .. "'" } end
  local quoted, bracketed = sources.includes(text)
  for _, name in ipairs(quoted) do
    local target = name:match("^(%w+)/[%w_]+%.h$") or name == "lua/families.h" and "lua"
    if not FLOOR[target] then
      wrong[#wrong + 1] = ("%s includes \"%s\": expected \"floor/file.h\""):format(path, name)
    elseif FLOOR[target] > floor then
      wrong[#wrong + 1] = ("%s (floor %d) includes \"%s\" (floor %d)"):format(path, floor, name, FLOOR[target])
    end
  end
  for _, name in ipairs(bracketed) do
    if LUA_HEADERS[name] and folder ~= "lua" then wrong[#wrong + 1] = path .. " knows Lua: <" .. name .. ">" end
    if (name == "pthread.h" or name == "threads.h") and folder ~= "base" then
      wrong[#wrong + 1] = path .. " knows threads"
    end
  end
  if text:find("#%s*pragma%s+omp") then wrong[#wrong + 1] = path .. " has a pragma of OpenMP" end
  return wrong
end

-- Rings of includes. In most floors foo.c and foo.h are one thing. In some, files share a header that includes the
-- header of the very file that needs it (kernel/conv.c, conv_shared.h, conv.h): there only headers are looked at.
local WHOLE = { base = true, optim = true, data = true, io = true, lua = true }

local function include_rings(texts)
  local graph = {}
  for path, text in pairs(texts) do
    local folder, name, kind = path:match("^csrc/(%w+)/([%w_]+)%.([ch])$")
    local function node(f, n) return f .. "/" .. n .. (WHOLE[f] and "" or ".h") end
    if WHOLE[folder] or kind == "h" then
      local from = node(folder, name)
      graph[from] = graph[from] or {}
      for _, include in ipairs((sources.includes(text))) do
        local f, n = include:match("^(%w+)/([%w_]+)%.h$")
        if f and node(f, n) ~= from then table.insert(graph[from], node(f, n)) end
      end
    end
  end
  return sources.rings(graph)
end

-- A binding may be left by a Lua error at any call, so what it needs lies in userdata: it calls none of these.
local HELD = { "malloc", "calloc", "realloc", "strdup", "lt_alloc", "lt_alloc_zeroed", "fopen", "open", "mmap" }

local function held_by_c(path, text)
  local wrong = {}
  for _, name in ipairs(HELD) do
    if text:find("%f[%w_]" .. name .. "%(") then
      wrong[#wrong + 1] = path .. " holds what an error would leak: " .. name
    end
  end
  return wrong
end

local function starts(text, prefix) return text == prefix or text:sub(1, #prefix + 1) == prefix .. "." end

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("/init%.lua$", ""):gsub("%.lua$", ""):gsub("/", "."))
end

local function family_of(module)
  for _, f in ipairs(FAMILIES) do
    if starts(module, "laterna." .. f) then return f end
  end
end

-- The same for one Lua file of the library.
local function wrong_requires(path, text)
  local wrong = {}
  local own = module_of(path)
  local family = family_of(own)
  local function refuse(name, why) wrong[#wrong + 1] = ("%s requires '%s': %s"):format(path, name, why) end
  for _, name in ipairs(sources.requires(text)) do
    if name == "laterna" then refuse(name, "library files require each other, never the whole") end
    if starts(own, "laterna.schedule") and starts(name, "laterna") and not starts(name, "laterna.schedule") and
       name ~= "laterna.check" then
      refuse(name, "schedules need nothing of laterna but its checks")
    end
    if family then
      for _, other in ipairs(FAMILIES) do
        if other ~= family and starts(name, "laterna." .. other) then refuse(name, "families stand alone") end
      end
    end
    if family or starts(own, "laterna.samplers") then
      for _, backbone in ipairs(BACKBONES) do
        if starts(name, "laterna.nn." .. backbone) then refuse(name, "it must know no backbone") end
      end
    end
  end
  return wrong
end

local function trainer_in_family(path, text)
  local wrong = {}
  for _, name in ipairs(family_of(module_of(path)) and sources.requires(text) or {}) do
    if starts(name, "laterna.train") then
      wrong[#wrong + 1] = ("%s requires '%s': families know no trainer"):format(path, name)
    end
  end
  return wrong
end

-- A require within a function hides a ring, or makes a call fail that was sound when the program began.
local function late_requires(path, text)
  local wrong = {}
  for _, entry in ipairs((sources.required(text))) do
    if (entry.late or not (entry.name or entry.prefix)) and not LATE[path] then
      wrong[#wrong + 1] = ("%s:%d requires %s late"):format(path, entry.line, entry.name or entry.prefix or "something")
    end
  end
  return wrong
end

-- Rings of what files require while they are loaded. Where a name is put together, every string of the file that makes
-- it a module counts.
local function require_rings(texts)
  local graph = {}
  for path in pairs(texts) do graph[module_of(path)] = {} end
  for path, text in pairs(texts) do
    local list, strings = sources.required(text)
    local to = graph[module_of(path)]
    for _, entry in ipairs(list) do
      if not entry.late and graph[entry.name] then to[#to + 1] = entry.name end
      for word in pairs(not entry.late and entry.prefix and strings or {}) do
        if graph[entry.prefix .. word] then to[#to + 1] = entry.prefix .. word end
      end
    end
    table.sort(to)
  end
  return sources.rings(graph)
end

-- Functions at the left edge of a Lua file that are longer than a person reads at once.
local function long_functions(path, text)
  local lines, wrong, first = sources.lines(text), {}, nil
  for i, line in ipairs(lines) do
    local begins = line:find("^local function%s") or line:find("^function%s") or line:find("^[%w_%. ]+ = function%(")
    first = begins and i or first
    if first and (line:find("^end") or i == first and line:find("%f[%w_]end%s*$")) then
      local n = i - first + 1
      if n > 60 then wrong[#wrong + 1] = ("%s:%d: a function of %d lines"):format(path, first, n) end
      first = nil
    end
  end
  return wrong
end

-- Names in the function tables of a binding that no docstring of the file announces.
local function undocumented_c(path, text)
  local documented, missing = {}, {}
  for block in text:gmatch("/%*%*%*.-%*/") do
    for name in block:gmatch("@function%s+([%w_%.:]+)") do documented[name:match("[%w_]+$")] = true end
  end
  for entry in text:gmatch("lt_function%s+[%w_]+%[%]%s*=%s*(%b{})") do
    for name in entry:gmatch("{%s*\"([^\"]+)\"") do
      if not name:find("^__") and not documented[name] then
        missing[#missing + 1] = path .. ": no docstring has @function " .. name
      end
    end
  end
  return missing
end

-- Functions of the table that a Lua file returns, without a docstring (a block of comment that begins with ---).
local function undocumented_lua(path, text)
  local lines, missing = sources.lines(text), {}
  local exported
  for _, line in ipairs(lines) do exported = line:match("^return ([%a_][%w_]*)%s*$") or exported end
  if not exported then return missing end
  for i, line in ipairs(lines) do
    local name = line:match("^function " .. exported .. "[%.:]([%w_]+)%(") or
                 line:match("^" .. exported .. "%.([%w_]+)%s*=%s*function")
    -- What a class of modules does when called, the text above the class says.
    if name and not name:find("^_") and name ~= "forward" and name ~= "describe" then
      local first = i
      while first > 1 and lines[first - 1]:find("^%-%-") do first = first - 1 end
      if not lines[first]:find("^%-%-%-") then
        missing[#missing + 1] = ("%s:%d: %s has no docstring"):format(path, i, name)
      end
    end
  end
  return missing
end

-- Runs a check over files and expects no sentence.
local function none(files, find)
  assert.is_true(#files > 0)
  local found = {}
  for _, path in ipairs(files) do
    for _, sentence in ipairs(find(path, sources.read(path))) do found[#found + 1] = sentence end
  end
  assert.equal("", table.concat(found, "\n"))
end

local function texts(files)
  local found = {}
  for _, path in ipairs(files) do found[path] = sources.read(path) end
  return found
end

describe("the house", function()
  local c_files = sources.files("csrc", "c", "h")
  local lua_files = sources.files("lua", "lua")

  it("has no include that runs up a floor", function()
    none(c_files, wrong_includes)
  end)

  it("has no ring of includes", function()
    assert.equal("", table.concat(include_rings(texts(c_files)), "\n"))
  end)

  it("has no ring of requires, and hides none in a function #slow", function()
    assert.equal("", table.concat(require_rings(texts(lua_files)), "\n"))
    for path in pairs(LATE) do assert.is_true(#late_requires("elsewhere", sources.read(path)) > 0, path) end
  end)

  it("requires nothing late but where a reason is written down #slow", function()
    none(lua_files, late_requires)
  end)

  it("has no family that requires the trainer #slow", function()
    none(lua_files, trainer_in_family)
  end)

  it("holds nothing in C where Lua may raise", function()
    none(sources.files("csrc/lua", "c"), held_by_c)
  end)

  it("has no require that it should not have #slow", function()
    none(lua_files, wrong_requires)
  end)

  it("starts every file with a comment and keeps files of C, and functions of Lua, short", function()
    local known = {}
    for _, path in ipairs(c_files) do known[path] = true end
    none(c_files, function(path, text)
      local spoken = text:find("^/[/%*]") or known[path:gsub("%.c$", ".h")] and path:find("%.c$")
      return spoken and {} or { path .. " does not say what it is" } -- for base/error.c, base/error.h does
    end)
    none(lua_files, function(path, text)
      return text:find("^%-%-") and {} or { path .. " does not say what it is" }
    end)
    local function length(path, text)
      local n = #sources.lines(text)
      return n <= 400 and {} or { ("%s has %d lines"):format(path, n) }
    end
    none(c_files, length)
    none(lua_files, long_functions)
    none(sources.files("spec", "lua"), length)
  end)

  it("documents every public function", function()
    none(sources.files("csrc/lua", "c"), undocumented_c)
    none(lua_files, undocumented_lua)
  end)

  it("has nothing at the top that does not belong there #child", function()
    local allowed = { csrc = true, lua = true, examples = true, spec = true, docs = true, rockspec = true,
                      Makefile = true, ["README.md"] = true, ["CHANGELOG.md"] = true, LICENSE = true }
    local listing = io.popen("cd '" .. sources.root .. "' && git ls-files 2>/dev/null")
    for path in listing:lines() do
      local top = path:match("^[^/]+")
      assert.is_true(allowed[top] or top:sub(1, 1) == ".", top)
    end
    listing:close()
  end)
end)

describe("the checks of the house", function()
  it("see an include that runs up", function()
    assert.equal(1, #wrong_includes("csrc/op/x.c", '#include "lua/check.h"\n'))
    assert.equal(1, #wrong_includes("csrc/kernel/x.c", '#include "tensor/tensor.h"\n#include "base/error.h"\n'))
    assert.equal(1, #wrong_includes("csrc/op/x.c", "#include <lua.h>\n"))
    assert.equal(1, #wrong_includes("csrc/kernel/x.c", "#pragma omp parallel for\n"))
    assert.equal(1, #wrong_includes("csrc/elsewhere/x.c", ""))
    assert.equal(0, #wrong_includes("csrc/lua/x.c", '#include <lua.h>\n#include "op/conv.h"\n'))
    assert.equal(1, #wrong_includes("csrc/op/x.c", "#include <pthread.h>\n"))
    assert.equal(0, #wrong_includes("csrc/base/threads.c", "#include <pthread.h>\n"))
    assert.equal(1, #held_by_c("csrc/lua/x.c", "void *p = malloc(8);"))
    assert.equal(0, #held_by_c("csrc/lua/x.c", "luaopen(L); lt_alloc_none(8);"))
  end)

  it("see a require between families, of a backbone, of the whole", function()
    assert.equal(1, #wrong_requires("lua/laterna/vae.lua", 'local f = require "laterna.flow"'))
    assert.equal(1, #wrong_requires("lua/laterna/gan/init.lua", "require('laterna.nn.critic')"))
    assert.equal(1, #wrong_requires("lua/laterna/samplers.lua", 'require("laterna.nn.unet")'))
    assert.equal(1, #wrong_requires("lua/laterna/schedule.lua", 'require "laterna.core"'))
    assert.equal(1, #wrong_requires("lua/laterna/train.lua", 'require "laterna"'))
    assert.equal(0, #wrong_requires("lua/laterna/train.lua", '-- require "laterna"\n--[[ require "laterna" ]]'))
    assert.equal(0, #wrong_requires("lua/laterna/vae.lua", 'require "laterna.nn"'))
  end)

  it("see a ring of includes", function()
    local one, two = '#include "lua/b.h"\n', '#include "lua/c.h"\n#include <lua.h>\n'
    assert.same({ "lua/a -> lua/b -> lua/c -> lua/a" }, include_rings {
      ["csrc/lua/a.c"] = one, ["csrc/lua/b.h"] = two, ["csrc/lua/c.c"] = '#include "lua/a.h"\n#include "lua/c.h"\n',
      ["csrc/lua/c.h"] = "", ["csrc/lua/a.h"] = "", ["csrc/lua/b.c"] = '#include "lua/b.h"\n' })
    assert.same({}, include_rings { ["csrc/lua/a.c"] = one, ["csrc/lua/b.c"] = two, ["csrc/lua/c.h"] = "" })
    local shared = { ["csrc/op/a.c"] = '#include "op/b.h"\n', ["csrc/op/a.h"] = "",
                     ["csrc/op/b.h"] = '#include "op/a.h"\n' }
    assert.same({}, include_rings(shared))
    shared["csrc/op/a.h"] = '#include "op/b.h"\n'
    assert.equal(1, #include_rings(shared))
  end)

  it("see a ring of requires, also of names that are put together, and what is required late", function()
    local a, b = "lua/laterna/a/init.lua", "lua/laterna/a/b.lua"
    local list = 'for _, file in ipairs { "b", "else" } do require("laterna.a." .. file) end'
    assert.same({ "laterna.a -> laterna.a.b -> laterna.a" },
      require_rings { [a] = list, [b] = 'local a = require "laterna.a"' })
    local within = 'local function f() if x then return require "laterna.a" end end\nrepeat local s = "end" until s'
    assert.same({}, require_rings { [a] = list, [b] = within })
    assert.same({ b .. ":1 requires laterna.a late" }, late_requires(b, within))
    assert.equal(1, #late_requires(b, "pcall(require, name)"))
    assert.equal(1, #late_requires(b, 'return function() return require("laterna." .. name) end'))
    assert.same({}, late_requires(a, list .. '\nwhile f() do g() end\nlocal y = require("laterna.b").y'))
    assert.same({}, late_requires("lua/laterna/need.lua", "pcall(require, name)"))
    assert.same({ "x" }, sources.requires 'require [[x]] --[==[ require "y" ]] ]==] "require \\"z\\"" -- require "w"')
  end)

  it("see a family that requires the trainer", function()
    assert.equal(1, #trainer_in_family("lua/laterna/flow/x.lua", 'local f = require("laterna.train.finite").f'))
    assert.equal(0, #trainer_in_family("lua/laterna/train/x.lua", 'local f = require("laterna.train.finite").f'))
    assert.equal(0, #trainer_in_family("lua/laterna/flow/x.lua", 'local f = require "laterna.trains"'))
  end)

  it("see a long function", function()
    local function body(n) return ("  x = 1\n"):rep(n) .. "end\n" end
    assert.equal(1, #long_functions("x", "local function f()\n" .. body(59)))
    assert.equal(1, #long_functions("x", "local g = 2\nM.f = function(a)\n" .. body(59)))
    assert.equal(0, #long_functions("x", "function M:f()\n" .. body(58)))
    assert.equal(0, #long_functions("x", "local function f() end\n" .. ("x = 1\n"):rep(70) .. "if x then\nend"))
  end)

  it("see a missing docstring", function()
    local tables = 'static const lt_function f[] = {\n{"a", a, 3}, {"b", b, 1}, {"__add", c, 2}, {NULL}};'
    assert.equal(1, #undocumented_c("x", "/*** text\n@function a */\n" .. tables))
    assert.equal(0, #undocumented_c("x", "/*** @function a */ /***\n@function Tensor:b */\n" .. tables))
    assert.equal(1, #undocumented_lua("x", "local M = {}\n-- plain\nfunction M.f() end\nreturn M"))
    assert.equal(0, #undocumented_lua("x", "local M = {}\n--- f.\n-- More.\nfunction M.f() end\nreturn M"))
  end)
end)
