local core = require "laterna.core"
local grid = require "laterna.show.grid"

local function flat(v) return core.full({ 2, 2, 1 }, v) end

local function rows_of(t)
  local out = {}
  for y, row in ipairs(t:totable()) do
    out[y] = {}
    for x, pixel in ipairs(row) do out[y][x] = #pixel == 1 and pixel[1] or pixel end
  end
  return out
end

local function message(...)
  local ok, err = pcall(grid, ...)
  assert.is_false(ok)
  return (err:gsub("^[^:]*:%d+: ", ""))
end

describe("grid", function()
  it("lays a batch out row by row", function()
    local batch = core.arange(1, 3):view(3, 1, 1, 1)
    assert.same({ { 9, 9, 9, 9, 9 }, { 9, 1, 9, 2, 9 }, { 9, 9, 9, 9, 9 }, { 9, 3, 9, 9, 9 }, { 9, 9, 9, 9, 9 } },
      (function()
        local t = rows_of(grid(batch, { columns = 2, pad = 1, background = 0.5 }))
        for _, row in ipairs(t) do
          for x, v in ipairs(row) do row[x] = v == 0.5 and 9 or v end
        end
        return t
      end)())
  end)

  it("has two white pixels between by default, and eight columns", function()
    local t = grid(core.zeros(9, 3, 4, 3))
    assert.same({ 2 + 2 * (3 + 2), 2 + 8 * (4 + 2), 3 }, t.shape)
    assert.equal(1, t[1][1][1]:item())
    assert.equal(0, t[3][3][1]:item())
  end)

  it("takes a list of pictures, and lists of rows", function()
    local list = grid({ flat(0), flat(0.5), core.zeros(2, 2) }, { pad = 0 })
    assert.same({ 2, 6, 1 }, list.shape)
    local nested = grid({ { flat(0.25), flat(0.5) }, { flat(-0.25) } }, { pad = 0 })
    assert.same({ { 0.25, 0.25, 0.5, 0.5 }, { 0.25, 0.25, 0.5, 0.5 }, { -0.25, -0.25, 1, 1 }, { -0.25, -0.25, 1, 1 } },
      rows_of(nested))
    local batches = grid({ core.zeros(3, 2, 2, 1), core.ones(2, 2, 2, 1), flat(0) }, { pad = 0 })
    assert.same({ 6, 6, 1 }, batches.shape)
  end)

  it("keeps every bit of floats, NaN included, and of bytes", function()
    local t = core.randn(2, 3, 5, 3)
    local back = grid(t, { pad = 0, columns = 1 })
    assert.equal(t:to_string(), back:to_string())
    local nan = grid(core.tensor { { 0 / 0 } }, { pad = 0 }):item()
    assert.is_true(nan ~= nan)
    local bytes = core.from_string("\1\2\3\4", { 1, 2, 2, 1 }, { dtype = "uint8" })
    local out = grid(bytes, { pad = 1, background = -1 })
    assert.equal("uint8", out.dtype)
    assert.equal("\0\0\0\0" .. "\0\1\2\0" .. "\0\3\4\0" .. "\0\0\0\0", out:to_string())
  end)

  it("makes grey and colour, bytes and floats alike", function()
    local byte = core.from_string("\255", { 1, 1, 1 }, { dtype = "uint8" })
    local colour = core.tensor { { { 0.1, 0.2, 0.3 } } }
    local out = grid({ byte, colour }, { pad = 0 })
    assert.equal("float32", out.dtype)
    assert.same({ 1, 2, 3 }, out.shape)
    assert.same({ 1, 1, 1 }, out[1][1]:totable())
    assert.equal(colour:to_string(), out[1][2]:to_string())
  end)

  it("centres smaller pictures", function()
    local out = grid({ core.zeros(3, 3), core.zeros(1, 1) }, { pad = 0 })
    assert.same({ { 0, 0, 0, 1, 1, 1 }, { 0, 0, 0, 1, 0, 1 }, { 0, 0, 0, 1, 1, 1 } }, rows_of(out))
  end)

  it("enlarges as asked", function()
    local out = grid(core.tensor { { { { 0.5 }, { -0.5 } } } }, { pad = 0, scale = 2 })
    assert.same({ { 0.5, 0.5, -0.5, -0.5 }, { 0.5, 0.5, -0.5, -0.5 } }, rows_of(out))
  end)

  it("makes room for captions, and writes them", function()
    local plain = grid(core.zeros(2, 64, 64, 1))
    local below = grid(core.zeros(2, 64, 64, 1), { labels = { "bag", "ankle boot" }, scale = 1 })
    assert.equal(plain.shape[2], below.shape[2])
    assert.is_true(below.shape[1] > plain.shape[1] + 10)
    local strip = below[{ 69, below.shape[1] - 2 }]
    assert.is_true(strip:min():item() < -0.5) -- dark ink
    assert.equal(1, strip:max():item())
    local beside = grid(core.zeros(2, 64, 64, 1), { row_labels = { "originals" }, background = -1 })
    assert.equal(plain.shape[1], beside.shape[1])
    assert.is_true(beside.shape[2] > plain.shape[2] + 30)
    assert.is_true(beside:max():item() > 0.5) -- light ink on black
    local above = grid(core.zeros(2, 64, 64, 1), { column_labels = { "euler", "heun" } })
    assert.is_true(above.shape[1] > plain.shape[1] + 10)
    assert.equal(0, above[above.shape[1] - 10][10]:item())
  end)

  it("enlarges small pictures so that captions fit", function()
    assert.same({ 2 + 112 + 2, 2 + 112 + 2, 1 }, grid(core.zeros(28, 28), { labels = {} }).shape)
    assert.same({ 2 + 84 + 2, 2 + 84 + 2, 1 }, grid(core.zeros(28, 28), { column_labels = {} }).shape)
    assert.same({ 2 + 28 + 2, 2 + 28 + 2, 1 }, grid(core.zeros(28, 28), { labels = {}, scale = 1 }).shape)
  end)

  it("copes with captions of any kind #slow", function()
    for _, text in ipairs { "", "   ", "\0\27[31m", "\255\254", ("w"):rep(1000), "ein süßer Käfer", "靴", "a\nb" } do
      local t = grid(core.zeros(8, 8), { labels = { text }, row_labels = { text }, column_labels = { text } })
      assert.is_true(t.shape[1] >= 68 and t.shape[2] < 400)
    end
  end)

  it("records nothing on the tape", function()
    for c = 1, 4 do
      local t = core.zeros(2, 2, 2, c, { requires_grad = true })
      assert.is_false(grid(t).requires_grad)
    end
  end)

  describe("of pictures with alpha", function()
    local nothing = core.from_string(("\7\7\7\0"):rep(16 * 16), { 16, 16, 4 }, { dtype = "uint8" })

    it("has light and dark squares where they are transparent", function()
      local t = grid(nothing, { pad = 0 }):totable()
      for y = 1, 16 do
        for x = 1, 16 do
          local light = ((y - 1) // 2 + (x - 1) // 2) % 2 == 0 -- an eighth of 16 pixels
          assert.same(light and { 204, 204, 204 } or { 153, 153, 153 }, t[y][x])
        end
      end
      t = grid(core.zeros(200, 200, 2) - 1, { pad = 0 }) -- at most 16 pixels
      assert.same({ 200, 200, 1 }, t.shape)
      assert.same({ 204, 153, 204 }, (t * 127.5 + 127.5):round():byte()[1]:index(
        core.tensor({ 16, 17, 33 }, { dtype = "int32" })):view(3):totable())
    end)

    it("mixes by alpha, and keeps every bit of what is opaque", function()
      local g = core.generator(1)
      local x = core.rand({ 3, 5, 6, 4 }, { generator = g }) * 2 - 1
      local colours, alpha = x:narrow(4, 1, 3), (x:narrow(4, 4, 1) + 1) / 2
      local on_grey = colours * alpha + 0.25 * (1 - alpha)
      local t = grid(x, { pad = 0, columns = 1, ground = 0.25 })
      assert.is_true((t:view(3, 5, 6, 3) - on_grey):abs():max():item() < 1e-6)
      local opaque = core.cat({ colours, core.ones(3, 5, 6, 1) }, 4)
      for _, ground in ipairs { -1, 0.3, "chequered" } do
        assert.equal(grid(colours, { ground = ground }):to_string(), grid(opaque, { ground = ground }):to_string())
      end
      local bytes = ((opaque + 1) * 127.5):byte()
      assert.equal(grid(bytes:narrow(4, 1, 3)):to_string(), grid(bytes):to_string())
      -- half a byte is the most that rounding costs
      bytes = ((x + 1) * 127.5):byte()
      local exact = grid(bytes:float() / 127.5 - 1)
      assert.is_true((exact * 127.5 + 127.5 - grid(bytes):float()):abs():max():item() <= 0.5 + 1e-3)
    end)

    it("lies among others: grey, colour, other types", function()
      assert.same({ 16, 32, 3 }, grid({ nothing, core.zeros(16, 16) }, { pad = 0 }).shape)
      assert.same({ 16, 32, 3 }, grid({ core.zeros(16, 16, 2), core.zeros(16, 16, 3) }, { pad = 0 }).shape)
      assert.same({ 16, 32, 1 }, grid({ core.zeros(16, 16, 2), core.zeros(16, 16, 1) }, { pad = 0 }).shape)
    end)

    it("stays transparent with ground = \"none\", between the pictures too", function()
      local x = core.rand({ 3, 4, 4, 4 }, { generator = core.generator(2) }) * 2 - 1
      local t = grid(x, { ground = "none", pad = 1, columns = 3 })
      assert.same({ 6, 16, 4 }, t.shape)
      assert.equal(x[2]:to_string(), t:narrow(1, 2, 4):narrow(2, 7, 4):to_string())
      assert.same({ -1, -1, -1, -1 }, t[1][1]:totable())
      t = grid({ nothing, core.full({ 16, 16 }, 9):byte(), core.full({ 8, 8, 3 }, 9):byte() },
        { ground = "none", pad = 0 })
      assert.equal("uint8", t.dtype)
      assert.same({ { 7, 7, 7, 0 }, { 9, 9, 9, 255 }, { 0, 0, 0, 0 }, { 9, 9, 9, 255 } },
        t[8]:index(core.tensor({ 16, 17, 33, 38 }, { dtype = "int32" })):totable())
      assert.same({ 6, 6, 2 }, grid(core.zeros(2, 2, 1), { ground = "none" }).shape)
    end)

    it("names a ground that is none", function()
      assert.matches('ground: expected "chequered", "none" or a grey from %-1 to 1, got "checkered"',
        message(nothing, { ground = "checkered" }))
      assert.matches("ground: expected", message(nothing, { ground = 2 }))
      assert.matches("ground: expected", message(nothing, { ground = 0 / 0 }))
      for _, o in ipairs { { labels = { "a" } }, { row_labels = {} }, { background = 1 } } do
        o.ground = "none"
        assert.matches("^bad argument #2 to 'grid' %(%a+_?%a*: with ground = \"none\"", message(nothing, o))
      end
    end)
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'grid' (pictures: expected tensor, got nil)", message(nil))
    assert.equal("bad argument #1 to 'grid' (pictures: expected a tensor or a list of tensors, got an empty table)",
      message {})
    assert.equal("bad argument #1 to 'grid' (pictures[2]: expected tensor, got 7)", message { flat(0), 7 })
    assert.equal("bad argument #1 to 'grid' (pictures[1][1]: expected tensor, got table)", message { { {} } })
    assert.equal("bad argument #1 to 'grid' (pictures[1]: expected at least one picture)", message { {} })
    assert.equal("bad argument #1 to 'grid' (pictures: expected (h,w), (h,w,c) or (n,h,w,c) with 1 to 4 channels, "
      .. "got (2,3,3,5))", message(core.zeros(2, 3, 3, 5)))
    assert.equal([[bad argument #2 to 'grid' (unknown option "colums", did you mean "columns"? known: background, ]]
      .. "column_labels, columns, ground, labels, pad, row_labels, scale)", message(flat(0), { colums = 2 }))
    assert.equal("bad argument #2 to 'grid' (labels: expected at most 1, got 2)",
      message(flat(0), { labels = { "a", "b" } }))
    assert.equal("bad argument #2 to 'grid' (labels: expected a list of strings, got table)",
      message(flat(0), { labels = { 3 } }))
    assert.equal("bad argument #2 to 'grid' (columns: the pictures already come in rows)",
      message({ { flat(0) } }, { columns = 2 }))
    assert.matches("pictures: the result would be %d+x%d+, at most 32768 a side",
      message(core.zeros(600, 600), { scale = 64 }))
    for _, o in ipairs { { pad = -1 }, { pad = 0 / 0 }, { pad = 1e9 }, { columns = 0 }, { scale = 0.5 },
      { background = 2 }, { background = 0 / 0 }, 3, "x" } do
      assert.matches("^bad argument #2 to 'grid'", message(flat(0), o))
    end
    local freed = flat(0)
    freed:free()
    assert.equal("bad argument #1 to 'grid' (pictures[2]: expected tensor, got freed tensor)",
      message { flat(0), freed })
    local mt = { __index = function() return flat(1) end, __len = function() return 1e9 end }
    local odd = setmetatable({ flat(0) }, mt)
    assert.same({ 2, 2, 1 }, grid(odd, { pad = 0 }).shape) -- metamethods have no say
    assert.matches("expected float32 or uint8, got int32", message(core.zeros(2, 2, { dtype = "int32" })))
  end)
end)
