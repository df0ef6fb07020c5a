local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

local UBYTE, BYTE, SHORT, INT, FLOAT, DOUBLE = 8, 9, 11, 12, 13, 14
local FORMAT = { [UBYTE] = "B", [BYTE] = "b", [SHORT] = ">i2", [INT] = ">i4", [FLOAT] = ">f", [DOUBLE] = ">d" }

local function idx(type, shape, values)
  local out = { string.pack(">BBBB", 0, 0, type, #shape) }
  for _, size in ipairs(shape) do out[#out + 1] = string.pack(">I4", size) end
  for _, v in ipairs(values) do out[#out + 1] = string.pack(FORMAT[type], v) end
  return table.concat(out)
end

local function gzip(bytes)
  local path = os.tmpname()
  local file = io.open(path, "wb")
  file:write(bytes)
  file:close()
  local pipe = io.popen("gzip -nc " .. path, "r")
  local packed = pipe:read "a"
  assert(pipe:close(), "gzip is missing")
  os.remove(path)
  return packed
end

local CASES = {
  { type = UBYTE, dtype = "uint8", values = { 0, 1, 127, 128, 254, 255 } },
  { type = BYTE, dtype = "int32", values = { 0, -1, 127, -128, 5, 6 } },
  { type = SHORT, dtype = "int32", values = { 0, -1, 32767, -32768, 256, -257 } },
  { type = INT, dtype = "int32", values = { 0, -1, 2147483647, -2147483648, 65536, 1 } },
  { type = FLOAT, dtype = "float32", values = { 0, -1.5, 2 ^ 127, 2 ^ -149, math.huge, -math.huge } },
  { type = DOUBLE, dtype = "float32", values = { 0, -1.5, 2 ^ 127, 2 ^ -149, math.huge, -math.huge } },
}

describe("decode_idx #child", function()
  it("reads every type, packed and plain", function()
    for _, case in ipairs(CASES) do
      local plain = idx(case.type, { 2, 3 }, case.values)
      for _, bytes in ipairs{ plain, gzip(plain) } do
        local t = core.decode_idx(bytes)
        assert.equal(case.dtype, t.dtype)
        assert.same({ 2, 3 }, t.shape)
        assert.same(case.values, t:view(6):totable())
      end
    end
  end)

  it("reads more than a piece at a time, and gzip files in several parts", function()
    local values = {}
    for i = 1, 30000 do values[i] = (i * 7919) % 65536 - 32768 end
    local plain = idx(SHORT, { 300, 100 }, values)
    assert.same(values, core.decode_idx(plain):view(30000):totable())
    local parts = gzip(plain:sub(1, 5)) .. gzip(plain:sub(6, 40000)) .. gzip "" .. gzip(plain:sub(40001))
    assert.same(values, core.decode_idx(parts):view(30000):totable())
  end)

  it("reads empty sets, and up to eight axes", function()
    assert.same({ 0, 28, 28 }, core.decode_idx(idx(UBYTE, { 0, 28, 28 }, {})).shape)
    assert.same({ 1, 1, 1, 1, 1, 1, 1, 2 }, core.decode_idx(idx(UBYTE, { 1, 1, 1, 1, 1, 1, 1, 2 }, { 1, 2 })).shape)
    fails("not such a file", core.decode_idx, idx(UBYTE, { 1, 1, 1, 1, 1, 1, 1, 1, 2 }, { 1, 2 }))
    fails("not such a file", core.decode_idx, idx(UBYTE, {}, { 1 }))
  end)

  it("refuses a header that lies", function()
    fails("the header says (2,3), 6 bytes; the file holds 5", core.decode_idx, idx(UBYTE, { 2, 3 }, { 1, 2, 3, 4, 5 }))
    fails("the header says (2,3), 6 bytes; the file holds 7", core.decode_idx,
          idx(UBYTE, { 2, 3 }, { 1, 2, 3, 4, 5, 6, 7 }))
    fails("ends too early", core.decode_idx, gzip(idx(UBYTE, { 2, 3 }, { 1, 2, 3, 4, 5 })))
    fails("too many at the end", core.decode_idx, gzip(idx(UBYTE, { 2, 3 }, { 1, 2, 3, 4, 5, 6, 7 })))
    fails("6 bytes too many at the end", core.decode_idx, gzip(idx(UBYTE, { 1 }, { 1 })) .. "spam\0\0")
    local most = 0xFFFFFFFF
    for _, shape in ipairs{ { most }, { most, most, most }, { 65536, 65536, 65536, 65536 }, { most, most, 0, most } } do
      fails("", core.decode_idx, idx(DOUBLE, shape, { 1 }))
      fails("", core.decode_idx, gzip(idx(DOUBLE, shape, { 1 })))
    end
    fails("starts with 89 50 4e 47", core.decode_idx, "\x89PNG....")
    fails("starts with 00 00 0a 01", core.decode_idx, "\0\0\10\1\0\0\0\1x") -- no type has this number
  end)

  it("refuses a file that is cut anywhere", function()
    for _, case in ipairs(CASES) do
      local plain = idx(case.type, { 2, 3 }, case.values)
      for _, bytes in ipairs{ plain, gzip(plain) } do
        for n = 0, #bytes - 1 do
          assert.is_false((pcall(core.decode_idx, bytes:sub(1, n))), "cut at " .. n)
        end
      end
    end
  end)

  it("refuses flipped bits in packed data, and never crashes on them in plain data", function()
    local plain = idx(FLOAT, { 2, 3 }, CASES[5].values)
    local packed, values = gzip(plain), core.decode_idx(plain):to_string()
    local head = 10 -- of gzip: flags, time and system are no data
    for i = 1, #packed do
      for bit = 0, 7 do
        local ok, t = pcall(core.decode_idx, packed:sub(1, i - 1) .. string.char(packed:byte(i) ~ 1 << bit) ..
                            packed:sub(i + 1))
        -- a bit that fills up the last byte of the stream has no meaning
        assert.is_true(not ok or i <= head or t:to_string() == values, ("bit %d of byte %d"):format(bit, i))
      end
    end
    for i = 1, #plain do
      for bit = 0, 7 do
        local ok, t = pcall(core.decode_idx, plain:sub(1, i - 1) .. string.char(plain:byte(i) ~ 1 << bit) ..
                            plain:sub(i + 1))
        assert.is_true(not ok or t:numel() == 6, ("bit %d of byte %d"):format(bit, i))
      end
    end
  end)

  it("refuses numbers that float32 cannot hold", function()
    fails("1e+300 is too large for float32", core.decode_idx, idx(DOUBLE, { 1 }, { 1e300 }))
  end)

  it("unpacks no more than the header says", function()
    local ok, output = child.run([==[
      local core = require "laterna.core"
      local header = [[printf '\000\000\010\001\000\000\000\012']]
      local pipe = io.popen("( " .. header .. "; head -c 100000000 /dev/zero ) | gzip -1")
      local bomb = pipe:read "a"
      pipe:close()
      local ok, message = pcall(core.decode_idx, bomb)
      assert(not ok and message:find("too many at the end", 1, true), message)
      -- what could not be in there is refused before memory is taken
      ok, message = pcall(core.decode_idx, "\0\0\8\3\255\255\255\255\255\255\255\255\255\255\255\255")
      assert(not ok and message:find("the file holds 0", 1, true), message)
      assert(core.memory().peak < 1 << 20)
    ]==], { megabytes = 1500, env = "OPENBLAS_NUM_THREADS=1" })
    assert(ok, output)
  end)

  it("leaves nothing behind", function()
    local bytes = gzip(idx(SHORT, { 2, 3 }, CASES[3].values))
    collectgarbage()
    local before = core.memory().count
    for n = 1, #bytes do pcall(core.decode_idx, bytes:sub(1, n - 1)) end
    for n = 1, 10 do
      core.debug_fail_allocation(n)
      assert.same({ 2, 3 }, core.decode_idx(bytes).shape)
    end
    core.debug_fail_allocation(0)
    collectgarbage()
    assert.equal(before, core.memory().count)
  end)
end)

describe("load_idx #child", function()
  it("reads files, and names them when they are bad", function()
    local path = os.tmpname()
    local function write(bytes)
      local file = io.open(path, "wb")
      file:write(bytes)
      file:close()
    end
    write(gzip(idx(UBYTE, { 3 }, { 1, 2, 3 })))
    assert.same({ 1, 2, 3 }, core.load_idx(path):totable())
    write(idx(UBYTE, { 3 }, { 1, 2 }))
    fails("'" .. path .. "': IDX: the header says (3), 3 bytes; the file holds 2", core.load_idx, path)
    os.remove(path)
    fails("cannot open '" .. path .. "'", core.load_idx, path)
    fails("bad argument #1 to 'load_idx' (path: expected string, got number)", core.load_idx, 3)
  end)
end)
