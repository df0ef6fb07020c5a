-- Files of half the size, parts of files, and what a header says.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

local folder, path
before_each(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
after_each(function() child.remove(folder) end)

describe("save_safetensors with dtype bfloat16", function()
  it("rounds to nearest, ties to even, and keeps what is no ordinary number", function()
    local inf = math.huge
    local e = 2 ^ -8
    local from = { 1, 1 + e, 1 + 3 * e, 1 + e + 2 ^ -20, -(1 + e / 2), 3.4e38, inf, -inf, 0, -0.0, 1e-40 }
    local to = { 1, 1, 1 + 4 * e, 1 + 2 * e, -1, inf, inf, -inf, 0, -0.0, 2 ^ -133 }
    local nan = core.from_string(("<I4I4"):pack(0x7F800001, 0xFFC00000), { 2, 1 }, { dtype = "float32" })
    core.save_safetensors(path, { x = core.tensor(from):view(1, -1), nan = nan }, nil, { dtype = "bfloat16" })
    local t = core.load_safetensors(path)
    for i, v in ipairs(t.x:view(-1):totable()) do
      assert.equal(("%a"):format(to[i]), ("%a"):format(v), i)
    end
    for _, v in ipairs(t.nan:view(-1):totable()) do assert.is_true(v ~= v) end
  end)

  it("leaves vectors, scalars and integers as they are, and is half as large", function()
    local tensors = {
      weight = core.randn(300, 100), bias = core.randn(7), scale = core.tensor(1 / 3),
      words = core.tensor({ { 1, 2 } }, { dtype = "int32" }), picture = core.zeros({ 3, 1 }, { dtype = "uint8" }),
    }
    core.save_safetensors(path, tensors, { note = "x" }, { dtype = "bfloat16" })
    local got, header = core.load_safetensors(path), core.inspect_safetensors(path)
    for _, name in ipairs { "bias", "scale", "words", "picture" } do
      assert.equal(tensors[name]:to_string(), got[name]:to_string(), name)
      assert.equal(tensors[name].dtype, got[name].dtype)
    end
    assert.equal("BF16", header.weight.dtype)
    assert.equal("float32", got.weight.dtype)
    assert.is_true((got.weight - tensors.weight):abs():max():item() <= tensors.weight:abs():max():item() / 256)
    local file = assert(io.open(path, "rb"))
    local bytes = file:seek "end"
    file:close()
    assert.is_true(bytes < 2 * 30000 + 800)
    core.save_safetensors(path, got, nil, { dtype = "bfloat16" }) -- nothing more is lost
    assert.equal(got.weight:to_string(), core.load_safetensors(path).weight:to_string())
  end)

  it("refuses other types and options", function()
    local half = { dtype = "float16" }
    fails('dtype: expected "float32" or "bfloat16", got "float16"; did you mean "bfloat16"?', core.save_safetensors,
      path, {}, nil, half)
    fails("unknown option", core.save_safetensors, path, {}, nil, { type = "bfloat16" })
  end)
end)

describe("inspect_safetensors", function()
  it("says what there is without reading it", function()
    core.save_safetensors(path, { a = core.zeros(1 << 12, 1 << 10), b = core.tensor(1) }, { note = "x" })
    core.memory(true)
    local before = core.memory().live
    local tensors, metadata = core.inspect_safetensors(path)
    assert.is_true(core.memory().peak - before < 1 << 20)
    assert.same({ a = { dtype = "F32", shape = { 4096, 1024 }, numbers = 1 << 22 },
                  b = { dtype = "F32", shape = {}, numbers = 1 } }, tensors)
    assert.same({ note = "x" }, metadata)
    fails("No such file", core.inspect_safetensors, folder .. "/nothing")
  end)
end)

describe("load_safetensors with a prefix", function()
  it("reads the tensors that have it, under the rest of their names", function()
    core.save_safetensors(path, { ["a.x"] = core.ones(1), ["a."] = core.ones(2), a = core.ones(3), b = core.ones(4) })
    local t = core.load_safetensors(path, { prefix = "a." })
    assert.equal(1, #t.x)
    assert.equal(2, #t[""])
    t.x, t[""] = nil, nil
    assert.is_nil(next(t))
    assert.is_nil(next((core.load_safetensors(path, { prefix = "c" }))))
    fails("unknown option", core.load_safetensors, path, { part = "a" })
  end)
end)

describe("hash_strings", function()
  it("is FNV-1a of lengths and bytes, and tells order and ends apart", function()
    assert.equal("cbf29ce484222325", core.hash_strings {})
    local h = 0xcbf29ce484222325
    for byte in (("<I8"):pack(3) .. "abc"):gmatch "." do h = (h ~ byte:byte()) * 0x100000001b3 end
    assert.equal(("%016x"):format(h), core.hash_strings { "abc" })
    local known = {}
    for _, list in ipairs { { "a", "b" }, { "b", "a" }, { "ab" }, { "ab", "" }, { "", "ab" }, { "a\0", "b" } } do
      local hash = core.hash_strings(list)
      assert.is_nil(known[hash])
      known[hash] = true
    end
    fails("list: expected strings, got number at 2", core.hash_strings, { "a", 3 })
    fails("list: expected table", core.hash_strings, "a")
  end)
end)

describe("limit_memory", function()
  it("lets so much be taken and no more, and ends with the call #slow", function()
    local MB = 1 << 20
    local function take(n) return core.zeros(n * MB // 4):numel() end
    assert.equal(MB, core.limit_memory(5 * MB, take, 4))
    fails("not enough memory", core.limit_memory, 5 * MB, take, 6)
    assert.equal(2 * MB, take(8))
    assert.equal(25 * MB, core.limit_memory(5 * MB, function() -- what is freed may be taken again
      local sum = 0
      for _ = 1, 25 do
        local t = core.zeros(4 * MB // 4)
        sum = sum + t:numel()
        t:free()
      end
      return sum
    end))
    fails("not enough memory", core.limit_memory, 5 * MB, function()
      return core.limit_memory(1 * MB, function() return 1 end), take(6)
    end)
    fails("bytes: expected", core.limit_memory, -1, take)
    fails("f: expected", core.limit_memory, 1, 3)
  end)

  it("is not made larger by freeing what was there before", function()
    local old = core.zeros(4 << 20)
    fails("not enough memory", core.limit_memory, 1 << 20, function()
      old:free()
      return core.zeros(1 << 20)
    end)
  end)
end)
