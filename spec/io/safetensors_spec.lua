local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

local folder, path
local golden = child.root .. "/spec/golden/"

local function write(bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function read()
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function load(header, data)
  write(string.pack("<s8", header) .. (data or ""))
  return core.load_safetensors(path)
end

-- '"name":{...}' of a header
local function entry(name, dtype, shape, from, to)
  return ('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%s,%s]}'):format(name, dtype, shape, from, to)
end

-- What spec/golden/safetensors_python.py expects to find.
local function sample()
  return {
    weight = core.arange(0, 5):view(2, 3) / 4,
    picture = core.tensor({ { 0, 1, 2, 3, 4 } }, { dtype = "uint8" }),
    index = core.tensor({ -1, 2147483647 }, { dtype = "int32" }),
    scalar = core.tensor(3.5),
    empty = core.zeros(0, 4),
    ["größe \"x\"\\/\n"] = core.from_string("\0\0\xC0\x7F\0\0\x80\xFF\0\0\0\x80", { 3 }, { dtype = "float32" }),
  }, { step = "12", note = "ü \" \\ \n \1" }
end

before_each(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
after_each(function() child.remove(folder) end)

describe("load_safetensors", function()
  it("reads what Python wrote, every type", function()
    local t, metadata = core.load_safetensors(golden .. "safetensors_types.safetensors")
    assert.same({ framework = "numpy", note = "tab\t, quote \", newline\n, ü, \u{1f3a8}", [""] = "" }, metadata)
    local dtypes = { f32 = "float32", f16 = "float32", f64 = "float32", u8 = "uint8", bool = "uint8", i32 = "int32",
                     i64 = "int32", scalar = "float32", empty = "float32", ["blocks.0.größe \"x\"\\/"] = "float32" }
    for name, tensor in pairs(t) do
      assert.equal(dtypes[name], tensor.dtype)
      dtypes[name] = nil
    end
    assert.is_nil((next(dtypes)))
    assert.same({ { 0, 0.25, 0.5 }, { 0.75, 1, 1.25 } }, t.f32:totable())
    local half = t.f16:totable()
    assert.not_equal(half[11], half[11])
    half[11] = nil
    assert.same({ 0, -0.0, 1, -1.5, 65504, 2 ^ -24, 2 ^ -14, 1023 * 2 ^ -24, math.huge, -math.huge }, half)
    assert.equal(-math.huge, 1 / half[2])
    assert.same({ { 0x1.99999ap-4 }, { -0.0 }, { 2 ^ 127 } }, t.f64:totable())
    for i, row in t.u8:rows() do assert.equal(16 * i - 1, row:totable()[16]) end
    assert.same({ 1, 0, 1 }, t.bool:totable())
    assert.same({ -2147483648, 2147483647, 7 }, t.i32:totable())
    assert.same({ -2147483648, 2147483647, -1 }, t.i64:totable())
    assert.equal(3.5, t.scalar:item())
    assert.same({}, t.scalar.shape)
    assert.same({ 0, 4 }, t.empty.shape)
    assert.same({ { { { 1, 1 } }, { { 1, 1 } } } }, { { t["blocks.0.größe \"x\"\\/"]:totable()[1][1], { { 1, 1 } } } })
    t, metadata = core.load_safetensors(golden .. "safetensors_empty.safetensors")
    assert.is_nil((next(t)))
    assert.is_nil((next(metadata)))
  end)

  it("reads every half and bfloat16 exactly #slow", function()
    local raw, halves = {}, {}
    for i = 0, 65535 do
      raw[i + 1] = string.pack("<I2", i)
      local mantissa, exponent, sign = i & 1023, i >> 10 & 31, i >> 15 == 1 and -1 or 1
      halves[i + 1] = sign * (exponent == 0 and mantissa * 2.0 ^ -24 or exponent < 31 and (1024 + mantissa) *
        2.0 ^ (exponent - 25) or mantissa == 0 and math.huge or 0 / 0)
    end
    local bits = table.concat(raw)
    local half, brain = entry("a", "F16", 65536, 0, 131072), entry("b", "BF16", 65536, 131072, 262144)
    local t = load("{" .. half .. "," .. brain .. "}", bits .. bits)
    for i, v in ipairs(t.a:totable()) do
      local want = halves[i]
      assert(v == want or v ~= v and want ~= want, i)
    end
    local wide = t.b:to_string()
    for i = 0, 65535 do assert(string.unpack("<I4", wide, 4 * i + 1) == i << 16) end
  end)

  it("reads what is strange but legal", function()
    local header = '{ "b" : { "shape" : [ 2 ] , "data_offsets":[1 ,3],"dtype":"U8"},\n"\\u0061\\ud83c\\udfa8\\n":'
      .. '{"dtype":"U8","shape":[],"data_offsets":[0,1]},"none":{"dtype":"F32","shape":[0],"data_offsets":[1,1]}}  \n'
    local t, metadata = load(header, "xyz")
    assert.equal(0x78, t["a\u{1f3a8}\n"]:item())
    assert.same({ 0x79, 0x7A }, t.b:totable())
    assert.same({ 0 }, t.none.shape)
    assert.same({}, metadata)
    assert.same({ a = "b" }, select(2, load '{"__metadata__":{"a":"b"}}'))
    assert.same({}, select(2, load '{"__metadata__":{}}'))
  end)

  it("refuses headers that are not strictly JSON, with the byte", function()
    local a = entry("a", "U8", 1, 0, 1)
    assert.equal(0x78, load("{" .. a .. "}", "x").a:item())
    local function refused(text, header, data) fails(text, load, header, data or "x") end
    refused("expected '{' at byte 0", " {" .. a .. "}")
    refused("expected '{' at byte 0", "")
    refused("expected a string at byte 1", "{", "")
    refused("expected nothing more at byte " .. #a + 2, "{" .. a .. "}{}")
    refused("expected nothing more", "{" .. a .. "}\0")
    refused("expected a string at byte " .. #a + 2, "{" .. a .. ",}")
    refused("expected '}' at byte " .. #a + 1, "{" .. a)
    refused("tensor 'a': repeated", "{" .. a .. "," .. a .. "}")
    refused("tensor 'a': repeated", "{" .. a .. "," .. entry("\\u0061", "U8", 1, 1, 2) .. "}", "xx")
    refused("unknown key 'spam'", '{"a":{"spam":1}}')
    refused("unknown key 'dtypes'", '{"a":{"dtypes":"U8"}}')
    refused("repeated key 'shape'", '{"a":{"shape":[1],"shape":[1]}}')
    refused("expected dtype, shape and data_offsets", '{"a":{"dtype":"U8","shape":[1]}}')
    refused("expected a string", '{"a":{}}')
    refused("expected '{'", '{"a":[]}')
    refused("expected a string", '{"a":{"dtype":1}}')
    refused("expected '['", '{"a":{"shape":1}}')
    refused("expected a whole number", '{"a":{"shape":[-1]}}')
    refused("expected a whole number", '{"a":{"shape":["1"]}}')
    refused("expected a whole number", '{"a":{"shape":[1,]}}')
    refused("expected a whole number", '{"a":{"shape":[[1]]}}')
    refused("without fraction", '{"a":{"shape":[1.0]}}')
    refused("without fraction", '{"a":{"shape":[1e0]}}')
    refused("without leading zeros", '{"a":{"shape":[01]}}')
    refused("below 2^64", '{"a":{"shape":[18446744073709551616]}}')
    refused("below 2^64", '{"a":{"shape":[99999999999999999999999]}}')
    refused("above 2^63-1", '{"a":{"shape":[18446744073709551615]}}')
    refused("more than 8 axes", '{"a":{"shape":[1,1,1,1,1,1,1,1,1]}}')
    refused("expected ','", '{"a":{"data_offsets":[0]}}')
    refused("expected ']'", '{"a":{"data_offsets":[0,1,2]}}')
    refused("repeated key '__metadata__'", '{"__metadata__":{},"__metadata__":{}}')
    refused("repeated metadata key 'k'", '{"__metadata__":{"k":"a","k":"b"}}', "")
    refused("expected a string", '{"__metadata__":{"k":1}}')
    refused("expected a string", '{"__metadata__":{"k":null}}')
    refused("expected '{'", '{"__metadata__":null}')
    refused("expected '{'", '{"a":' .. ("["):rep(100000))
    refused("expected a string", '{"a":{"dtype":' .. ("{"):rep(100000))
  end)

  it("refuses text that is not UTF-8 and escapes that are none", function()
    local function name(text) return load("{" .. entry(text, "U8", 1, 0, 1) .. "}", "x") end
    for _, good in ipairs{ "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}",
                           "\u{10FFFF}" } do
      assert.truthy(name(good)[good])
    end
    for _, bad in ipairs{ "\x80", "\xC3", "\xC3(", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
                          "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF",
                          "\xE2\x82", "\xF0\x9F\x8E" } do
      fails("expected UTF-8 at byte 2", name, bad)
    end
    fails("expected the end of a string at byte 2", name, "\0")
    fails("expected the end of a string at byte 3", name, "a\n")
    fails("expected an escape", name, "\\x41")
    fails("expected four hexadecimal digits", name, "\\u00g0")
    for _, bad in ipairs{ "\\ud800", "\\udc00", "\\ud800x", "\\ud800\\n", "\\ud800\\ud800", "\\ud800\\u0041" } do
      fails("expected a pair of surrogates", name, bad)
    end
    assert.truthy(name("\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t")["\0\"\\/\b\f\n\r\t"])
  end)

  it("refuses offsets that do not cover the data exactly", function()
    local function refused(text, data, ...) fails(text, load, "{" .. table.concat({ ... }, ",") .. "}", data) end
    refused("tensor 'a': offsets 0 to 3, but (1) needs 4 bytes", "xxx", entry("a", "F32", 1, 0, 3))
    refused("tensor 'a': offsets 4 to 0", "xxxx", entry("a", "F32", 1, 4, 0))
    refused("tensor 'a': its data ends after the file does", "xxx", entry("a", "F32", 1, 0, 4))
    refused("tensor 'a': a hole before its data", "xx", entry("a", "U8", 1, 1, 2))
    refused("tensor 'b': a hole before its data", "xxx", entry("a", "U8", 1, 0, 1), entry("b", "U8", 1, 2, 3))
    refused("tensor 'b': its data overlaps another's", "xx", entry("a", "U8", 2, 0, 2), entry("b", "U8", 1, 1, 2))
    refused("tensor 'b': its data overlaps another's", "x", entry("a", "U8", 1, 0, 1), entry("b", "U8", 1, 0, 1))
    refused("1 bytes after the last tensor", "xx", entry("a", "U8", 1, 0, 1))
    refused("1 bytes after the last tensor", "x")
    refused("its shape is too large", "x", entry("a", "F32", "4294967296,4294967296", 0, 1))
    refused("its shape is too large", "x", entry("a", "F32", "9223372036854775807", 0, 1))
    refused("ends after the file", "x", entry("a", "U8", "9223372036854775807", 0, "9223372036854775807"))
    refused("offsets 18446744073709551615 to 18446744073709551615", "x",
            entry("a", "U8", 1, "18446744073709551615", "18446744073709551615"))
  end)

  it("names tensor and type of what it does not read", function()
    for _, dtype in ipairs{ "F8_E4M3", "U64", "C64", "I8", "f32", "" } do
      fails(("tensor 'x' is of type %s, which laterna does not read"):format(dtype), load,
            "{" .. entry("x", dtype, 1, 0, 1) .. "}", "x")
    end
    local function one(dtype, format, value)
      local data = string.pack(format, value)
      return load("{" .. entry("x", dtype, 1, 0, #data) .. "}", data).x:item()
    end
    assert.equal(-2147483648, one("I64", "<i8", -2147483648))
    fails("tensor 'x' holds an integer beyond 32 bits", one, "I64", "<i8", -2147483649)
    fails("tensor 'x' holds an integer beyond 32 bits", one, "I64", "<i8", 2147483648)
    assert.equal(-math.huge, one("F64", "<d", -math.huge))
    fails("tensor 'x' holds a number above 3.4e38", one, "F64", "<d", 3.5e38)
    fails("tensor 'a?[31m' is of type", load, "{" .. entry("a\\u001b[31m", "X", 1, 0, 1) .. "}", "x")
  end)

  it("refuses a file that is cut anywhere; a flipped bit never crashes it #slow", function()
    local file = io.open(golden .. "safetensors_types.safetensors", "rb")
    local whole = file:read "a"
    file:close()
    for n = 0, #whole - 1, 3 do
      write(whole:sub(1, n))
      fails(path, core.load_safetensors, path)
    end
    local length = string.unpack("<I8", whole)
    for i = 1, 8 + length do
      local flipped = whole:sub(1, i - 1) .. string.char(whole:byte(i) ~ 1 << i % 8) .. whole:sub(i + 1)
      write(flipped)
      local ok, t = pcall(core.load_safetensors, path)
      assert.is_true(not ok and type(t) == "string" or type(t) == "table")
    end
  end)

  it("takes no memory for a header that lies #child", function()
    local ok, output = child.run([[
      local core = require "laterna.core"
      local path = ...
      local function refused(text, bytes, size)
        local file = io.open(path, "wb")
        file:write(bytes)
        if size then -- a hole up to there
          file:seek("set", size - 1)
          file:write "\0"
        end
        file:close()
        local ok, message = pcall(core.load_safetensors, path)
        assert(not ok and message:find(path, 1, true) and message:find(text, 1, true), message)
      end
      refused("too short for safetensors: 7 bytes", "1234567")
      refused("a header of 3 bytes, of 2 that may be", string.pack("<I8", 3) .. "{}")
      refused("a header of 18446744073709551615 bytes", string.pack("<i8", -1) .. "{}")
      refused("a header of 100000001 bytes", string.pack("<I8", 100000001) .. "{", 1 << 30)
      refused("a header of 64424509440 bytes", string.pack("<I8", 60 << 30) .. "{", 50 << 30)
      refused("its data ends after the file does", string.pack("<s8",
        '{"a":{"dtype":"U8","shape":[68719476736],"data_offsets":[0,68719476736]}}'))
      assert(core.memory().peak < 1 << 20)
    ]], { megabytes = 1500, env = "OPENBLAS_NUM_THREADS=1", args = path })
    assert(ok, output)
  end)

  it("needs no more memory than the tensors do #child", function()
    core.save_safetensors(path, { a = core.zeros(1024, 1024), b = core.zeros(1024, 1024) })
    local ok, output = child.run([[
      local core = require "laterna.core"
      local t = core.load_safetensors(...)
      assert(t.a:numel() == 1 << 20)
      print(core.memory().peak)
    ]], { args = path })
    assert(ok, output)
    assert.is_true(tonumber(output) < 9.5 * 2 ^ 20)
  end)

  it("leaves nothing behind #child", function()
    local types = golden .. "safetensors_types.safetensors"
    collectgarbage()
    local before = core.memory().count
    for n = 1, 60 do
      core.debug_fail_allocation(n)
      assert.equal(3.5, core.load_safetensors(types).scalar:item())
    end
    core.debug_fail_allocation(0)
    collectgarbage()
    assert.equal(before, core.memory().count)
    if not io.open "/proc/self/fd" then return end -- no way to see what is open
    local function still_open()
      local pipe = io.popen "ls -l /proc/$PPID/fd | grep -c '[.]safetensors$'"
      local n = tonumber(pipe:read "a")
      pipe:close()
      return n
    end
    local file = io.open(path, "wb")
    assert.equal(1, still_open())
    file:close()
    for _ = 1, 10 do
      pcall(load, "{}", "x")
      pcall(load, "{" .. entry("x", "I64", 1, 0, 8) .. "}", "\255\255\255\255\255\255\255\127")
    end
    collectgarbage()
    assert.equal(0, still_open())
  end)
end)

describe("save_safetensors", function()
  it("writes exactly this", function()
    local seven = core.tensor({ 7 }, { dtype = "uint8" })
    core.save_safetensors(path, { b = core.tensor{ 1, 2 }, a = seven, c = core.tensor(3) }, { z = "1", y = '"\n' })
    local header = '{"__metadata__":{"y":"\\"\\u000a","z":"1"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
      .. '"c":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"a":{"dtype":"U8","shape":[1],"data_offsets":[12,13]}}'
    header = header .. (" "):rep(-#header % 8)
    assert.equal(string.pack("<s8", header) .. string.pack("<fffB", 1, 2, 3, 7), read())
    core.save_safetensors(path, {})
    assert.equal(string.pack("<s8", "{}      "), read())
  end)

  it("gives back what it was given", function()
    local tensors, metadata = sample()
    core.save_safetensors(path, tensors, metadata)
    local first = read()
    local back, text = core.load_safetensors(path)
    assert.same(metadata, text)
    for name, t in pairs(tensors) do
      assert.same({ t.dtype, t.shape, t:to_string() }, { back[name].dtype, back[name].shape, back[name]:to_string() })
      tensors[name] = nil
    end
    for name in pairs(back) do tensors[name] = back[name] end
    core.save_safetensors(path, tensors, text)
    assert.equal(first, read())
  end)

  it("writes what Python reads #child", function()
    local python = "LD_PRELOAD= " .. (os.getenv "LATERNA_PYTHON" or "python3")
    if not os.execute(python .. " -c 'import safetensors.numpy' 2>/dev/null") then
      pending "needs Python with safetensors and numpy"
      return
    end
    core.save_safetensors(path, sample())
    assert.truthy(os.execute(("%s %ssafetensors_python.py check %s >/dev/null"):format(python, golden, path)))
  end)

  it("writes views from where they begin", function()
    local t = core.arange(1, 6):view(3, 2)
    core.save_safetensors(path, { row = t[2], rows = t[{ 2, 3 }] })
    local back = core.load_safetensors(path)
    assert.same({ 3, 4 }, back.row:totable())
    assert.same({ { 3, 4 }, { 5, 6 } }, back.rows:totable())
  end)

  it("names what is wrong with its arguments", function()
    local t = core.zeros(2)
    fails("bad argument #1 to 'save_safetensors' (path: expected string, got nil)", core.save_safetensors, nil, {})
    fails("path: a zero byte inside", core.save_safetensors, "a\0", {})
    fails("bad argument #2 to 'save_safetensors' (tensors: expected table, got tensor)", core.save_safetensors, path, t)
    fails("tensors: names are strings, got a number", core.save_safetensors, path, { t })
    fails("tensors: expected tensor for 'a', got number", core.save_safetensors, path, { a = 1 })
    local freed = core.zeros(2)
    freed:free()
    fails("tensors: expected tensor for 'a', got freed tensor", core.save_safetensors, path, { a = freed })
    fails("tensor name 'a\xFF' is not UTF-8", core.save_safetensors, path, { ["a\xFF"] = t })
    fails("'__metadata__' cannot be the name", core.save_safetensors, path, { __metadata__ = t })
    fails("bad argument #3 to 'save_safetensors' (metadata: expected table, got number)", core.save_safetensors, path,
          {}, 1)
    fails("metadata: expected string for 'step', got number", core.save_safetensors, path, {}, { step = 12 })
    fails("metadata: keys are strings, got a number", core.save_safetensors, path, {}, { "x" })
    fails("metadata 'k' is not UTF-8", core.save_safetensors, path, {}, { k = "\xFF" })
    assert.is_nil(io.open(path))
  end)

  it("leaves nothing behind when memory gives up #slow", function()
    local tensors, metadata = sample()
    collectgarbage()
    local before = core.memory().count
    for n = 1, 10 do
      core.debug_fail_allocation(n)
      core.save_safetensors(path, tensors, metadata)
    end
    core.debug_fail_allocation(0)
    assert.equal(before, core.memory().count)
  end)
end)
