local core = require "laterna.core"
local pixels = require "laterna.show.pixels"

local function read(t, kind) return pixels.read("f", 1, "x", t, kind) end

describe("pixels", function()
  it("rounds and clamps floats as PNGs are written", function()
    local p = read(core.tensor { { -1, 1, 0, -7, 7, 0.5 } })
    assert.same({ 0, 255, 128, 0, 255, 191 }, { p.bytes:byte(1, -1) })
    assert.same({ 1, 6, 1, 0, "1x6" }, { p.h, p.w, p.c, p.nans, p.shape })
  end)

  it("counts NaN and shows it black, infinities at the ends", function()
    local p = read(core.tensor { { 0 / 0, 1 / 0, -1 / 0, 0 / 0 } })
    assert.equal(2, p.nans)
    assert.same({ 0, 255, 0, 0 }, { p.bytes:byte(1, -1) })
  end)

  it("gives the same bytes as core.encode_png for every level between", function()
    local t = core.linspace(-1.1, 1.1, 1001):view(1, 1001)
    local back = core.decode_png(core.encode_png(t))
    assert.equal(back:to_string(), read(t).bytes)
  end)

  it("lays alpha on a ground", function()
    local t = core.from_string("\0\255\0\128\100\0", { 1, 3, 2 }, { dtype = "uint8" })
    local p = read(t, 1)
    assert.equal(1, p.c)
    assert.same({ 0, 127, 255 }, { p.bytes:byte(1, -1) })
    assert.same({ 0, 76, 204 }, { read(t, "chequered").bytes:byte(1, -1) }) -- squares of one pixel: 204, 153, 204
    p = read(core.from_string("\10\20\30\0\10\20\30\255", { 1, 2, 4 }, { dtype = "uint8" }), 1)
    assert.same({ 255, 255, 255, 10, 20, 30 }, { p.bytes:byte(1, -1) })
    p = read(core.tensor { { { 0 / 0, 1 }, { 1, 0 / 0 } } }, 1)
    assert.same({ 2, 0, 255 }, { p.nans, p.bytes:byte(1, -1) })
  end)

  it("enlarges by whole factors", function()
    local p = pixels.enlarge({ h = 2, w = 2, c = 1, bytes = "abcd" }, 3)
    assert.equal("aaabbbaaabbbaaabbb" .. "cccdddcccdddcccddd", p.bytes)
    p = pixels.enlarge({ h = 1, w = 2, c = 3, bytes = "rgbRGB" }, 20)
    assert.equal((("rgb"):rep(20) .. ("RGB"):rep(20)):rep(20), p.bytes)
    assert.same({ 20, 40 }, { p.h, p.w })
  end)

  it("shrinks to the mean of the boxes", function()
    local p = pixels.shrink({ h = 2, w = 4, c = 1, bytes = "\0\10\20\30\40\50\60\70" }, 2, 1)
    assert.same({ 25, 45 }, { p.bytes:byte(1, -1) })
    p = pixels.shrink({ h = 1, w = 3, c = 1, bytes = "\1\2\7" }, 2, 1) -- boxes of 1 and 2 columns
    assert.same({ 1, 5 }, { p.bytes:byte(1, -1) })
  end)

  it("keeps the mean when shrinking by whole factors", function()
    local bytes = {}
    for k = 1, 12 * 12 * 3 do bytes[k] = string.char(k * 37 % 256) end
    local p = pixels.shrink({ h = 12, w = 12, c = 3, bytes = table.concat(bytes) }, 1, 1)
    for c = 1, 3 do
      local sum = 0
      for k = c, #bytes, 3 do sum = sum + bytes[k]:byte() end
      assert.equal(math.floor(sum / 144 + 0.5), p.bytes:byte(c))
    end
  end)

  it("names what is no picture", function()
    assert.has_error(function() read(core.zeros(3)) end,
      "bad argument #1 to 'f' (x: expected (h,w) or (h,w,c) with 1 to 4 channels, got (3))")
    assert.has_error(function() read(core.zeros(3, 3, 5)) end)
    assert.has_error(function() read(core.zeros(3, 3, 3, 3)) end)
    assert.has_error(function() read(core.zeros(2, 2, { dtype = "int32" })) end)
    assert.has_error(function() read("picture") end)
  end)
end)
