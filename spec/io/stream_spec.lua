-- Safetensors that are written piece by piece, and those that are mapped.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local lfs = require "lfs"

local folder, path

before_each(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
after_each(function() child.remove(folder) end)

describe("a stream", function()
  it("becomes a file whose parts have the shapes that are said at the end", function()
    local s <close> = core.begin_stream(path)
    core.append_stream(s, core.arange(0, 11):byte():view(2, 6))
    core.append_stream(s, "abc")
    core.append_stream(s, "")
    assert.is_nil(lfs.attributes(path))
    core.finish_stream(s, { { "x", 3, 2, 2 }, { "text", 3 }, { "none", 0, 5 } }, { { "z", "1" }, { "a", "\u{e9}" } })
    local t, metadata = core.load_safetensors(path)
    assert.same({ 3, 2, 2 }, t.x.shape)
    assert.equal("\0\1\2\3\4\5\6\7\8\9\10\11", t.x:to_string())
    assert.equal("abc", t.text:to_string())
    assert.same({ 0, 5 }, t.none.shape)
    assert.same({ z = "1", a = "\u{e9}" }, metadata)
    local bytes = child.read(path)
    assert.equal('{"__metadata__":{"z":"1","a":', bytes:sub(9, 37))
    assert.equal(4096 + 15, #bytes)
    fails("stream: it is closed", core.append_stream, s, "x")
  end)

  it("leaves what was there when it is not finished", function()
    child.write(folder, "a.safetensors", "old")
    do
      local s <close> = core.begin_stream(path)
      core.append_stream(s, "abc")
      assert.equal(2, child.count(folder))
    end
    local lost = core.begin_stream(path)
    core.append_stream(lost, "abc")
    lost = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(1, child.count(folder))
    assert.equal("old", child.read(path))
  end)

  it("refuses shapes that do not fit, names that are none, and headers that are too long", function()
    local s <close> = core.begin_stream(path)
    core.append_stream(s, "abcd")
    fails("tensors of 3 bytes, but 4 were written", core.finish_stream, s, { { "x", 3 } }, {})
    fails("its shape is too large", core.finish_stream, s, { { "x", 1 << 62, 4 } }, {})
    fails("sizes are integers from 0 on", core.finish_stream, s, { { "x", -1 } }, {})
    fails("sizes are integers from 0 on", core.finish_stream, s, { { "x", "4" } }, {})
    fails("expected a name and up to 8 sizes", core.finish_stream, s, { { "x", 1, 1, 1, 1, 1, 1, 1, 1, 4 } }, {})
    fails("expected text, got number", core.finish_stream, s, { { 7, 4 } }, {})
    fails("expected text, got nil", core.finish_stream, s, { { "x", 4 } }, { { "key" } })
    fails("expected a list of tables", core.finish_stream, s, { "x" }, {})
    fails("not UTF-8", core.finish_stream, s, { { "\255", 4 } }, {})
    fails("where there is room for 4096", core.finish_stream, s, { { "x", 4 } }, { { "a", ("x"):rep(4096) } })
    local many = {}
    for i = 1, 17 do many[i] = { "x" .. i, 0 } end
    fails("more than 16", core.finish_stream, s, many, {})
    core.finish_stream(s, { { "x", 4 } }, {})
    assert.equal("abcd", core.load_safetensors(path).x:to_string())
    fails("No such file or directory", core.begin_stream, folder .. "/none/a")
    fails("it is a directory", core.begin_stream, folder)
  end)

  it("is an error where the disk is full", function()
    local ok, s = pcall(core.begin_stream, "/dev/full")
    assert.is_false(ok)
    assert.matches("not a regular file", s, 1, true)
  end)
end)

describe("load_safetensors with map", function()
  it("gives what it gives without, and nothing that is written reaches the file", function()
    local tensors = { f = core.randn(3, 5), i = core.tensor({ 1, -2 }, { dtype = "int32" }),
      u = core.arange(0, 6):byte(), scalar = core.tensor(2.5), none = core.zeros(0, 4) }
    core.save_safetensors(path, tensors, { note = "x" })
    local before = child.read(path)
    local mapped, metadata = core.load_safetensors(path, { map = true })
    assert.same({ note = "x" }, metadata)
    for name, t in pairs(tensors) do
      assert.same(t.shape, mapped[name].shape)
      assert.equal(t.dtype, mapped[name].dtype)
      assert.equal(t:to_string(), mapped[name]:to_string())
    end
    mapped.f:fill_(1)
    mapped.u[3]:fill_(200)
    assert.equal(15, mapped.f:sum():item())
    assert.equal(before, child.read(path))
    assert.equal(tensors.f:to_string(), core.load_safetensors(path, { map = true }).f:to_string())
  end)

  it("keeps the pages as long as any view of them lives, and then lets them go", function()
    core.save_safetensors(path, { x = core.arange(0, (1 << 20) - 1):view(1024, 1024) })
    local function maps()
      local file, n = io.open "/proc/self/maps", 0
      if not file then return nil end
      for line in file:lines() do n = n + (line:find(path, 1, true) and 1 or 0) end
      file:close()
      return n
    end
    local row
    do
      local x = core.load_safetensors(path, { map = true }).x
      row = x[1024]
    end
    collectgarbage()
    os.remove(path)
    assert.equal((1 << 20) - 1, row[1024]:item())
    if maps() then assert.equal(1, maps()) end
    row = nil -- luacheck: ignore
    collectgarbage()
    if maps() then assert.equal(0, maps()) end
  end)

  it("takes no memory of the library's own, and computes as any tensor does", function()
    core.save_safetensors(path, { x = core.full({ 512, 512 }, 2) })
    collectgarbage()
    local live = core.memory().live
    local x = core.load_safetensors(path, { map = true }).x
    assert.is_true(core.memory().live - live < 1 << 16)
    assert.equal(512 * 512 * 4, (x * x):sum():item())
    assert.equal(1024, core.matmul(x, x)[1][512]:item() / 2)
    x:free()
  end)

  it("reads where numbers do not lie as they do in memory", function()
    core.save_safetensors(path, { x = core.full({ 2, 2 }, 1.5) }, nil, { dtype = "bfloat16" })
    assert.equal(6, core.load_safetensors(path, { map = true }).x:sum():item())
    local header = '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"F32","shape":[1],' ..
      '"data_offsets":[1,5]}}'
    child.write(folder, "a.safetensors", ("<s8"):pack(header) .. "\7" .. ("<f"):pack(0.75))
    local t = core.load_safetensors(path, { map = true })
    assert.equal(7, t.u[1]:item())
    assert.equal(0.75, t.x[1]:item())
  end)
end)

describe("list_folder and read_files", function()
  it("name what is there", function()
    child.write(folder, "a.txt", "abc")
    child.write(folder, "sub/b", "")
    assert(lfs.link("nowhere", folder .. "/link", true))
    local names, kinds, sizes, times = core.list_folder(folder)
    local found = {}
    for i, name in ipairs(names) do found[name] = { kinds[i], sizes[i], times[i] } end
    assert.same({ "file", 3 }, { found["a.txt"][1], found["a.txt"][2] })
    assert.equal("directory", found.sub[1])
    assert.equal("link", found.link[1])
    assert.equal(3, #names)
    assert.equal(lfs.attributes(folder .. "/a.txt", "modification"), found["a.txt"][3] // 1000000000)
    fails("No such file or directory", core.list_folder, folder .. "/none")
    fails("Not a directory", core.list_folder, folder .. "/a.txt")
  end)

  it("say of sizes and times only to who asks", function()
    child.write(folder, "a.txt", "abc")
    local names, kinds, sizes, times = core.list_folder(folder, true)
    assert.same({ "a.txt", "file" }, { names[1], kinds[1] })
    assert.is_true(sizes[1] == 0 and times[1] == 0 or sizes[1] == 3) -- a file system may give them unasked
  end)

  it("read many files, at any number of threads, and say of each why not", function()
    local paths, expected, before = {}, {}, core.threads()
    for i = 1, 300 do
      paths[i], expected[i] = "f" .. i, ("x"):rep(i * i % 977)
      child.write(folder, paths[i], expected[i])
    end
    paths[40], paths[50], paths[60] = "none", "a/b", "."
    expected[40], expected[50], expected[60] = false, false, false
    child.write(folder, "f70", ("y"):rep(1000))
    expected[70] = false
    for _, threads in ipairs { 1, 2, 5 } do
      core.threads(threads)
      local texts, reasons = core.read_files(folder, paths, 977)
      core.threads(before)
      assert.same(expected, texts)
      assert.equal(("cannot open '%s/none': No such file or directory"):format(folder), reasons[40])
      assert.matches("it is a directory", reasons[60], 1, true)
      assert.matches("1000 bytes are more than the limit of 977", reasons[70], 1, true)
      assert.is_false(reasons[1])
    end
    fails("most: expected", core.read_files, folder, {}, -1)
    fails("paths[2]: expected string, got number", core.read_files, folder, { "a", 1 }, 10)
    local many = {}
    for i = 1, 4097 do many[i] = "x" end
    fails("more than 4096", core.read_files, folder, many, 10)
  end)

  it("lose nothing, and no file, when an allocation fails #slow", function()
    local paths, expected = {}, {}
    for i = 1, 20 do
      paths[i], expected[i] = "f" .. i, ("x"):rep(i)
      child.write(folder, paths[i], expected[i])
    end
    core.read_files(folder, paths, 100)
    collectgarbage()
    local blocks = core.memory().count
    for n = 1, 25 do
      core.debug_fail_allocation(n)
      local texts = core.read_files(folder, paths, 100)
      core.debug_fail_allocation(0)
      assert.same(expected, texts)
    end
    collectgarbage()
    assert.equal(blocks, core.memory().count)
  end)
end)
