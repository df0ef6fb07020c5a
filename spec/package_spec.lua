-- What is installed, and what `require "laterna"` costs and brings.

local child = require "spec.support.child"
local sources = require "spec.support.sources"

local function run(command)
  local pipe = io.popen("( " .. command .. " ) 2>&1")
  local output = pipe:read "a"
  return pipe:close() == true, output
end

local function size(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:seek "end"
  file:close()
  return bytes
end

local function rockspec()
  local env = {}
  assert(load(sources.read "rockspec/laterna-scm-1.rockspec", "rockspec", "t", env))()
  return env
end

describe("the version", function()
  it("is that of the rockspec, which files of models name", function()
    assert.equal(rockspec().version, require "laterna.version")
  end)
end)

describe("the installed module #child #install", function()
  local folder, lib, share

  setup(function()
    folder = child.folder()
    lib, share = folder .. "/a lib", folder .. "/a share"
    local make = "env -u MAKEFLAGS -u MAKELEVEL -u LD_PRELOAD make -C %s BUILD=%s INST_LIBDIR=%s INST_LUADIR=%s install"
    local ok, output = run(make
      :format(child.quote(child.root), child.quote(child.build()), child.quote(lib), child.quote(share)))
    assert(ok, output)
  end)

  teardown(function() child.remove(folder) end)

  it("has every Lua file and the native module", function()
    for _, path in ipairs(sources.files("lua", "lua")) do
      assert.equal(#sources.read(path), size(share .. path:gsub("^lua", "")))
    end
    assert.is_true(size(lib .. "/laterna/core.so") > 0)
  end)

  it("works from another folder, with nothing but itself", function()
    local paths = ("LUA_PATH=%s LUA_CPATH=%s"):format(
      child.quote(share .. "/?.lua;" .. share .. "/?/init.lua"), child.quote(lib .. "/?.so"))
    local ok, output = child.run([[
      local lt = require "laterna"
      local x = lt.ones(2, 3)
      print((x + x):sum():item())
    ]], { cd = "/", paths = paths })
    assert.is_true(ok, output)
    assert.equal("12.0\n", output)
  end)

  it("runs the README's tour from another folder", function()
    local elsewhere = child.folder()
    local paths = ("LUA_PATH=%s LUA_CPATH=%s"):format(
      child.quote(share .. "/?.lua;" .. share .. "/?/init.lua;;"), child.quote(lib .. "/?.so;;"))
    local ok, output = child.run(([[
      local text = io.open(%q):read "a"
      local blocks = 0
      for block in text:gmatch "```lua\n(.-)```" do
        blocks = blocks + 1
        assert(load(block, "=README block " .. blocks))()
      end
      assert(package.searchpath("laterna", package.path) == %q .. "/laterna/init.lua")
      print(blocks .. " blocks")
    ]]):format(child.root .. "/README.md", share), { cd = elsewhere, paths = paths })
    child.remove(elsewhere)
    assert.is_true(ok, output)
    assert.is_true(tonumber(output:match "(%d+) blocks\n$") >= 6)
  end)

  it("has a native module under 5 MB that shows one symbol", function()
    local so = lib .. "/laterna/core.so"
    assert.is_true(size(so) < 5e6)
    local ok, output = run("nm -D --defined-only " .. child.quote(so))
    assert.is_true(ok, output)
    local names = {}
    for name in output:gmatch " T ([%w_]+)" do names[#names + 1] = name end
    assert.same({ "luaopen_laterna_core" }, names)
  end)
end)

describe('require "laterna" #child', function()
  it("brings no other rock and leaves the globals alone", function()
    local ok, output = child.run [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "laterna"
      for _, name in ipairs{ "lfs", "argparse", "dkjson" } do assert(not package.loaded[name], name) end
      for name in pairs(_G) do assert(before[name], name) end
      print "alone"
    ]]
    assert.is_true(ok, output)
    assert.equal("alone\n", output)
  end)

  it("may be loaded by many states of one process, one after the other", function()
    local ok, output = child.run [[
      for _ = 1, 3 do
        package.loaded["laterna.core"] = nil
        local core = require "laterna.core"
        assert(core.ones(3):sum():item() == 3)
        collectgarbage()
      end
      print "again"
    ]]
    assert.is_true(ok, output)
    assert.equal("again\n", output)
  end)
end)

describe("the rockspec", function()
  local ROCK = { argparse = "argparse", lfs = "luafilesystem", dkjson = "dkjson" }

  it("lists what the library and the examples require, and nothing else #slow", function()
    local listed = {}
    for _, dependency in ipairs(rockspec().dependencies) do
      local name = dependency:match "^%S+"
      if name ~= "lua" then listed[name] = true end
    end
    local used = {}
    for _, folder in ipairs{ "lua", "examples" } do
      for _, path in ipairs(sources.files(folder, "lua")) do
        local text = sources.read(path)
        local _, strings = sources.required(text)
        for module, rock in pairs(ROCK) do
          if strings[module] then used[rock] = true end -- not only `require "lfs"`: a lazy helper gets the name
        end
        for _, name in ipairs(sources.requires(text)) do
          assert.is_true(name:find "^laterna" ~= nil or ROCK[name] ~= nil, path .. " requires " .. name)
        end
      end
    end
    assert.same(used, listed)
  end)

  it("builds with make, by targets that the Makefile has", function()
    local build = rockspec().build
    assert.equal("make", build.type)
    local makefile = sources.read "Makefile"
    for _, target in ipairs{ build.build_target, build.install_target, "deps", "demo", "test", "check", "bench", "docs",
                             "clean" } do
      assert.is_true(makefile:find("\n" .. target .. ":", 1, true) ~= nil, target)
    end
  end)
end)
