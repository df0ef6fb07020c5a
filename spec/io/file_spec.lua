-- Replacing files: what can be seen under a path is the old file or the new one, whatever goes wrong and whenever.

local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

local folder, path, shim

local function read(name)
  local file = assert(io.open(name or path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function list()
  local pipe = io.popen("ls -A " .. child.quote(folder))
  local names = {}
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

-- The faults are preloaded, as Linux does it.
local linux = io.open "/proc/self/status"
local it_on_linux = linux and it or pending

local SAVE = [[
  local core = require "laterna.core"
  local a, b = core.full({ 1000 }, 1), core.full({ 5 }, 2)
  print(select(2, pcall(core.save_safetensors, (...), { a = a, b = b })) or "saved")
]]

-- Saves in a child in which the n-th call that changes a file goes wrong.
local function save(fault, n)
  local preload = ((os.getenv "LD_PRELOAD" or "") .. " " .. shim):match "^ *(.*)$"
  -- the shell in between is the one that says "Killed"
  local env = [[sh -c '"$@"; exit $?' sh env LD_PRELOAD=%s FAULT=%s FAULT_AT=%d]]
  return child.run(SAVE, { args = child.quote(path), env = env:format(child.quote(preload), fault, n) })
end

lazy_setup(function()
  if not linux then return end
  local source = child.root .. "/spec/support/faults.c"
  shim = os.tmpname()
  local compile = "LD_PRELOAD= %s -shared -fPIC -O1 -o %s %s -ldl"
  assert(os.execute(compile:format(os.getenv "CC" or "cc", shim, child.quote(source))))
end)
teardown(function() if shim then os.remove(shim) end end)
before_each(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
after_each(function() child.remove(folder) end)

describe("a save #child", function()
  local CALLS = 7 -- open, three writes, fsync, rename, fsync of the folder

  it_on_linux("that is killed at any call leaves the old file or the new one", function()
    core.save_safetensors(path, { old = core.zeros(3) })
    local old, new = read()
    for n = 1, CALLS + 1 do
      local ok, output, how = save("kill", n)
      local renamed = n >= CALLS
      if n <= CALLS then
        assert.is_false(ok)
        assert.equal("exit 137", how, output)
      else
        assert.equal("saved\n", output)
      end
      if renamed then new = new or read() else assert.equal(old, read()) end
    end
    assert.equal(new, read())
    assert.same({ 2, 2, 2, 2, 2 }, core.load_safetensors(path).b:totable())
  end)

  it_on_linux("that fails at any call says so, keeps the old file and leaves nothing behind", function()
    core.save_safetensors(path, { old = core.zeros(3) })
    local old = read()
    local reasons = { "Permission denied", "No space left on device", "No space left on device",
                      "No space left on device", "Input/output error", "Invalid cross-device link" }
    for n, reason in ipairs(reasons) do
      local ok, output = save("error", n)
      assert.is_true(ok, output)
      assert.is_truthy(output:find(("cannot write '%s': %s"):format(path, reason), 1, true), output)
      assert.equal(old, read())
      assert.same({ "a.safetensors" }, list())
    end
    local _, output = save("error", CALLS) -- the new file is there, whole; only the folder could not be synced
    assert.is_truthy(output:find("cannot sync the folder of", 1, true), output)
    assert.same({ 2, 2, 2, 2, 2 }, core.load_safetensors(path).b:totable())
    assert.same({ "a.safetensors" }, list())
  end)

  it_on_linux("removes what a killed one has left, and nothing of who runs, or of another machine", function()
    save("kill", 2)
    local left = list()
    assert.equal(1, #left)
    local host = left[1]:match "^a%.safetensors%.tmp%-(%x+)%-%d+%-%d+$"
    assert.is_string(host, left[1])
    local others = { "b.tmp-00000000-999999999-0", "b.tmp-notes", ("b.tmp-%s-1-0"):format(host) }
    for _, name in ipairs(others) do assert(io.open(folder .. "/" .. name, "w")):close() end
    save("none", 0)
    local now = list()
    table.sort(now)
    table.insert(others, "a.safetensors")
    table.sort(others)
    assert.same(others, now)
  end)

  it_on_linux("goes on after interruptions and short writes", function()
    local _, output = save("short", 0)
    assert.equal("saved\n", output)
    local t = core.load_safetensors(path)
    assert.same({ 2, 2, 2, 2, 2 }, t.b:totable())
    assert.equal(1000, t.a:sum():item())
  end)

  it("that hits the limit of a file's size is an error", function()
    core.save_safetensors(path, { old = core.zeros(3) })
    local old = read()
    local ok, output = child.run([[
      local core = require "laterna.core"
      local function refused(...)
        local ok, message = pcall(...)
        assert(not ok and message:find("File too large", 1, true), message)
      end
      refused(core.save_safetensors, (...), { a = core.zeros(4096) })
      refused(core.save_png, (...), core.rand(128, 128))
    ]], { args = child.quote(path), env = "sh -c 'trap \"\" XFSZ; ulimit -f 8; exec env \"$@\"' sh" })
    assert.is_true(ok, output)
    assert.equal(old, read())
    assert.same({ "a.safetensors" }, list())
  end)

  it("over the file that was read is correct", function()
    core.save_safetensors(path, { a = core.arange(1, 5000) })
    local t = core.load_safetensors(path)
    core.save_safetensors(path, { a = t.a, b = t.a[{ 2, 3 }] })
    t = core.load_safetensors(path)
    assert.equal(core.arange(1, 5000):to_string(), t.a:to_string())
    assert.same({ 2, 3 }, t.b:totable())
  end)

  it("over the file that somebody reads leaves him what he reads", function()
    core.save_safetensors(path, { a = core.arange(1, 50000) })
    local old = read()
    local file = assert(io.open(path, "rb"))
    local half = file:read(#old // 2)
    core.save_safetensors(path, { a = core.zeros(3) })
    assert.equal(old, half .. file:read "a")
    file:close()
    assert.same({ 0, 0, 0 }, core.load_safetensors(path).a:totable())
  end)

  it("never takes the place of a folder or a device", function()
    fails("it is a directory", core.save_safetensors, folder, {})
    fails("it is not a regular file", core.save_png, "/dev/full", core.zeros(2, 2))
    fails("it is not a regular file", core.save_safetensors, "/dev/null", {})
    local nowhere = folder .. "/no/a"
    fails("cannot write '" .. nowhere .. "': No such file or directory", core.save_safetensors, nowhere, {})
    fails("Not a directory", core.save_png, "/dev/null/a.png", core.zeros(2, 2))
    fails("No such file", core.save_png, "", core.zeros(2, 2))
    fails("File name too long", core.save_png, ("a"):rep(300), core.zeros(2, 2))
    fails("File name too long", core.save_png, ("a/"):rep(5000), core.zeros(2, 2))
    assert.same({}, list())
  end)

  it("follows a link and keeps permissions", function()
    local q = child.quote(folder)
    os.execute(("cd %s && mkdir b && touch b/real && chmod 640 b/real && ln -s b/real link"):format(q))
    core.save_png(folder .. "/link", core.zeros(2, 2))
    assert.same({ 2, 2, 1 }, core.load_png(folder .. "/b/real").shape)
    local pipe = io.popen(("cd %s && readlink link && ls -l b/real | cut -c 1-10 && ls -A b"):format(q))
    assert.equal("b/real\n-rw-r-----\nreal\n", pipe:read "a")
    pipe:close()
  end)

  it("works in the current folder, and with names that look odd", function()
    local ok, output = child.run([[
      local core = require "laterna.core"
      for _, name in ipairs{ "a", "-n", "ü b'c", "./d", "%s%n" } do
        core.save_safetensors(name, { x = core.full({ 1 }, 5) })
        assert(core.load_safetensors(name).x:item() == 5)
      end
    ]], { cd = folder })
    assert.is_true(ok, output)
    assert.equal(5, #list())
  end)
end)
