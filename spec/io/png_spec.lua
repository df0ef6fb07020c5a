local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local png = require "spec.support.png"

local function picture(bytes, shape) return core.from_string(bytes, shape, { dtype = "uint8" }) end

-- Numbers that depend on nothing but the seed.
local function samples(seed, n, most)
  local out, state = {}, seed
  for i = 1, n do
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    out[i] = (state >> 8) % (most + 1)
  end
  return out
end

local function bytes_of(list) return string.char(table.unpack(list)) end

-- A random picture of one kind, and what it must decode to: a list of {channels of a pixel, 0..1}.
local function specimen(colour, depth, interlace, transparent)
  local width, height, most = 11, 9, (1 << depth) - 1
  local per = png.CHANNELS[colour]
  local p = { width = width, height = height, depth = depth, colour = colour, interlace = interlace, rows = {} }
  for y = 1, height do p.rows[y] = samples(y * 7919 + depth, width * per, most) end
  local palette, alphas = samples(5, 3 * (most + 1), 255), samples(6, most + 1, 255)
  if colour == 3 then p.palette = bytes_of(palette) end
  local key = { table.unpack(p.rows[2], 1, per) } -- the first pixel of row 2 is the transparent colour
  if transparent then
    p.transparency = colour == 3 and bytes_of(alphas) or string.pack((">I2"):rep(per), table.unpack(key))
  end
  local pixels = {}
  for _, row in ipairs(p.rows) do
    for x = 0, width - 1 do
      local pixel, same = {}, true
      for c = 1, per do
        local v = row[x * per + c]
        pixel[c], same = v / most, same and v == key[c]
      end
      if colour == 3 then
        local i = row[x + 1]
        pixel = { palette[3 * i + 1] / 255, palette[3 * i + 2] / 255, palette[3 * i + 3] / 255 }
        if transparent then pixel[4] = alphas[i + 1] / 255 end
      elseif transparent then
        pixel[#pixel + 1] = same and 0 or 1
      end
      pixels[#pixels + 1] = pixel
    end
  end
  return png.encode(p), pixels, height, width
end

local function check(bytes, pixels, height, width)
  local byte, number = core.decode_png(bytes), core.decode_png(bytes, { dtype = "float32" })
  assert.same({ height, width, #pixels[1] }, byte.shape)
  assert.same({ height, width, #pixels[1] }, number.shape)
  assert.same({ "uint8", "float32" }, { byte.dtype, number.dtype })
  local i, raw, floats = 0, byte:to_string(), number:to_string()
  for _, pixel in ipairs(pixels) do
    for _, v in ipairs(pixel) do
      assert.equal(math.floor(v * 255 + 0.5), raw:byte(i + 1))
      assert.near(2 * v - 1, string.unpack("<f", floats, 4 * i + 1), 2e-7)
      i = i + 1
    end
  end
  assert.equal(#raw, i)
end

describe("decode_png", function()
  local DEPTHS = { [0] = { 1, 2, 4, 8, 16 }, [2] = { 8, 16 }, [3] = { 1, 2, 4, 8 }, [4] = { 8, 16 }, [6] = { 8, 16 } }
  for colour, depths in pairs(DEPTHS) do
    it("reads colour type  #slow" .. colour .. " in every depth, interlaced, with a transparent colour", function()
      for _, depth in ipairs(depths) do
        for _, interlace in ipairs{ false, true } do
          check(specimen(colour, depth, interlace, false))
          if colour < 4 then check(specimen(colour, depth, interlace, true)) end
        end
      end
    end)
  end

  it("converts to the channels that are asked for", function()
    local function as(colour, values, options)
      local t = core.decode_png(png.encode{ width = 1, height = 1, depth = 8, colour = colour, rows = { values } },
                                options)
      return { t:to_string():byte(1, -1) }
    end
    assert.same({ 100, 100, 100 }, as(0, { 100 }, { channels = 3 }))
    assert.same({ 100, 255 }, as(0, { 100 }, { channels = 2 }))
    assert.same({ 9, 8, 7, 255 }, as(2, { 9, 8, 7 }, { channels = 4 }))
    assert.same({ 76 }, as(2, { 255, 0, 0 }, { channels = 1 }))
    assert.same({ 150 }, as(2, { 0, 255, 0 }, { channels = 1 }))
    assert.same({ 29 }, as(2, { 0, 0, 255 }, { channels = 1 }))
    assert.same({ 29, 66 }, as(6, { 0, 0, 255, 66 }, { channels = 2 }))
    for v = 0, 255 do assert.same({ v }, as(2, { v, v, v }, { channels = 1 })) end
    -- 200 * a + 255 * (1 - a), and over black, for a = 128/255
    assert.same({ 227 }, as(4, { 200, 128 }, { channels = 1 }))
    assert.same({ 100 }, as(4, { 200, 128 }, { channels = 1, background = -1 }))
    assert.same({ 255, 255, 255 }, as(6, { 1, 2, 3, 0 }, { channels = 3 }))
    assert.same({ 1, 2, 3 }, as(6, { 1, 2, 3, 255 }, { channels = 3 }))
    assert.same({ 1, 2, 3, 0 }, as(6, { 1, 2, 3, 0 }))
    -- the same in numbers
    local function numbers(options)
      options.dtype = "float32"
      return core.decode_png(png.encode{ width = 1, height = 1, depth = 16, colour = 6,
                                         rows = { { 65535, 0, 13107, 32768 } } }, options):totable()[1][1]
    end
    local a = 32768 / 65535
    local r, g, b = 2 * (a + 1 - a) - 1, 2 * (1 - a) - 1, 2 * (0.2 * a + 1 - a) - 1
    for i, v in ipairs(numbers{ channels = 3 }) do assert.near(({ r, g, b })[i], v, 3e-7) end
    assert.near(2 * (0.299 + 0.2 * 0.114) - 1, numbers{ channels = 2 }[1], 3e-7)
  end)

  it("ignores gamma, profiles, text and what follows the end", function()
    local extra = png.chunk("gAMA", string.pack(">I4", 45455)) .. png.chunk("sRGB", "\0") .. png.chunk("tEXt", "a\0b")
      .. png.chunk("iCCP", "x\0\0" .. png.zlib "nonsense") .. png.chunk("zzZz", "?")
    local bytes = png.encode{ width = 2, height = 1, depth = 8, colour = 0, rows = { { 7, 200 } }, extra = extra }
    assert.same({ { { 7 }, { 200 } } }, core.decode_png(bytes):totable())
    assert.same({ { { 7 }, { 200 } } }, core.decode_png(bytes .. "trailing"):totable())
  end)

  it("refuses a file that is cut anywhere, or has any bit flipped", function()
    for _, interlace in ipairs{ false, true } do
      local bytes = specimen(3, 4, interlace, true)
      for n = 0, #bytes - 1 do
        assert.is_false((pcall(core.decode_png, bytes:sub(1, n))), "cut at " .. n)
      end
      for i = 1, #bytes do
        for bit = 0, 7 do
          local flipped = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ 1 << bit) .. bytes:sub(i + 1)
          assert.is_false((pcall(core.decode_png, flipped)), ("bit %d of byte %d"):format(bit, i))
        end
      end
    end
  end)

  it("refuses damage that checksums do not show", function()
    local head = png.SIGNATURE .. png.header(4, 4, 8, 0)
    local function with(idat, ending) return head .. png.chunk("IDAT", idat) .. (ending or png.chunk("IEND", "")) end
    local whole = png.zlib(("\0abcd"):rep(4))
    assert.same({ 4, 4, 1 }, core.decode_png(with(whole)).shape)
    fails("not a sound PNG file", core.decode_png, with(png.zlib(("\0abcd"):rep(3)))) -- a row is missing
    fails("not a sound PNG file", core.decode_png, with(whole:sub(1, 12)))            -- the stream is cut
    fails("not a sound PNG file", core.decode_png, with("\x78\x01\x07nonsense"))      -- a block of no known type
    fails("not a sound PNG file", core.decode_png, with(png.zlib(("\9abcd"):rep(4)))) -- a filter of no known type
    fails("not a sound PNG file", core.decode_png, head .. png.chunk("IEND", ""))
    fails("not a sound PNG file", core.decode_png, with(whole, ""))
    fails("not a sound PNG file", core.decode_png, png.SIGNATURE .. png.header(4, 4, 3, 0) .. png.chunk("IDAT", whole))
    fails("not a sound PNG file", core.decode_png, png.SIGNATURE .. png.header(0, 4, 8, 0) .. png.chunk("IDAT", whole))
    -- colour type 3 without a palette
    fails("not a sound PNG file", core.decode_png, png.SIGNATURE .. png.header(4, 4, 8, 3) .. png.chunk("IDAT", whole))
    fails("not a sound PNG file", core.decode_png, "")
    fails("not a sound PNG file", core.decode_png, "GIF89a")
  end)

  it("refuses pictures larger than max_pixels from their header", function()
    local row = { 1, 2, 3, 4, 5 }
    local bytes = png.encode{ width = 5, height = 2, depth = 8, colour = 0, rows = { row, row } }
    assert.same({ 2, 5, 1 }, core.decode_png(bytes, { max_pixels = 10 }).shape)
    fails("a picture of 5x2 pixels is larger than max_pixels = 9", core.decode_png, bytes, { max_pixels = 9 })
  end)

  it("takes no memory for a bomb #child", function()
    local ok, output = child.run([[
      local core, png = require "laterna.core", require "spec.support.png"
      local function refused(text, width, height, options)
        local bytes = png.SIGNATURE .. png.header(width, height, 16, 6) .. png.chunk("IDAT", png.zlib "") ..
          png.chunk("IEND", "")
        local ok, message = pcall(core.decode_png, bytes, options)
        assert(not ok and message:find(text, 1, true), message)
      end
      refused("larger than max_pixels", 0x7FFFFFFF, 0x7FFFFFFF)
      refused("larger than max_pixels", 8193, 8192)
      refused("cannot hold", 8192, 8192)
      refused("cannot hold", 1 << 20, 1 << 20, { max_pixels = 1 << 40 })
      refused("not a sound", 0x80000000, 1)
      assert(core.memory().peak < 1 << 20)
    ]], { megabytes = 1500, env = "OPENBLAS_NUM_THREADS=1" })
    assert(ok, output)
  end)

  it("leaves nothing behind when libpng gives up, or memory does #slow", function()
    local good = specimen(2, 16, true, false)
    collectgarbage()
    local before = core.memory().count
    for n = 1, #good, 13 do pcall(core.decode_png, good:sub(1, n)) end
    for n = 1, 60 do -- one failure is tried again after a collection
      core.debug_fail_allocation(n)
      assert.same({ 9, 11, 3 }, core.decode_png(good).shape)
    end
    core.debug_fail_allocation(0)
    collectgarbage()
    assert.equal(before, core.memory().count)
  end)

  it("names what is wrong with its arguments", function()
    fails("bad argument #1 to 'decode_png' (bytes: expected string, got nil)", core.decode_png, nil)
    fails('unknown option "chanels", did you mean "channels"?', core.decode_png, "", { chanels = 3 })
    fails("channels: expected 1 to 4, got 5", core.decode_png, "", { channels = 5 })
    fails('dtype: expected "uint8" or "float32", got "int32"', core.decode_png, "", { dtype = "int32" })
    fails("background: expected -1.0 to 1.0, got 2.0", core.decode_png, "", { background = 2 })
    fails("max_pixels", core.decode_png, "", { max_pixels = 0 })
    fails("path: a zero byte", core.load_png, "a\0b")
    fails("cannot open '/nowhere/a.png': No such file or directory", core.load_png, "/nowhere/a.png")
    fails("cannot open '/': it is a directory", core.load_png, "/")
    fails("it is not a regular file", core.load_png, "/dev/null")
  end)
end)

describe("encode_png", function()
  it("gives back what it was given", function()
    for channels = 1, 4 do
      local t = picture(bytes_of(samples(channels, 13 * 7 * channels, 255)), { 13, 7, channels })
      local back = core.decode_png(core.encode_png(t))
      assert.same(t.shape, back.shape)
      assert.equal(t:to_string(), back:to_string())
    end
    local flat = picture("abcdef", { 2, 3 })
    assert.same({ 2, 3, 1 }, core.decode_png(core.encode_png(flat)).shape)
    local window = picture("abcdefgh", { 4, 2 })[{ 2, 3 }] -- a view that does not start where its memory does
    assert.equal("cdef", core.decode_png(core.encode_png(window)):to_string())
  end)

  it("rounds numbers to bytes, and reads them back as they were", function()
    local list = {}
    for v = 0, 255 do list[v + 1] = v end
    local ramp = picture(bytes_of(list), { 16, 16 })
    local bytes = core.encode_png(ramp)
    local numbers = core.decode_png(bytes, { dtype = "float32" })
    assert.equal(-1, numbers:totable()[1][1][1])
    assert.equal(1, numbers:totable()[16][16][1])
    assert.equal(bytes, core.encode_png(numbers))
    local odd = core.tensor{ { -math.huge, -1.5, -1, -0.9961, -0.9960, 0, 1, 7, math.huge } }
    local back = core.decode_png(core.encode_png(odd))
    assert.same({ 0, 0, 0, 0, 1, 128, 255, 255, 255 }, { back:to_string():byte(1, -1) })
  end)

  it("refuses what is not a picture", function()
    fails("bad argument #1 to 'encode_png' (picture: NaN in row 2, column 1)", core.encode_png,
          core.tensor{ { 0, 0 }, { 0 / 0, 0 } })
    fails("picture: NaN in row 1, column 2", core.encode_png, core.tensor{ { { 0, 0, 0 }, { 0, 0, 0 / 0 } } })
    fails("picture: expected (h,w) or (h,w,1..4), got (2,2,5)", core.encode_png, core.zeros(2, 2, 5))
    fails("picture: expected (h,w) or (h,w,1..4), got (2)", core.encode_png, core.zeros(2))
    fails("picture: expected (h,w) or (h,w,1..4), got (1,2,2,3)", core.encode_png, core.zeros(1, 2, 2, 3))
    fails("picture: expected uint8 or float32, got int32", core.encode_png, core.zeros({ 2, 2 }, { dtype = "int32" }))
    fails("picture: expected sides of 1", core.encode_png, core.zeros(0, 2, 3))
    fails("expected tensor, got table", core.encode_png, {})
    local freed = core.zeros(2, 2)
    freed:free()
    fails("freed", core.encode_png, freed)
  end)

  it("leaves nothing behind when memory gives up #slow", function()
    local t = core.zeros(9, 9, 3)
    local bytes = core.encode_png(t)
    collectgarbage()
    local before = core.memory().count
    for n = 1, 40 do
      core.debug_fail_allocation(n)
      assert.equal(bytes, core.encode_png(t))
    end
    core.debug_fail_allocation(0)
    collectgarbage()
    assert.equal(before, core.memory().count)
  end)
end)

describe("load_png and save_png", function()
  local folder
  before_each(function() folder = child.folder() end)
  after_each(function() child.remove(folder) end)

  it("go through files", function()
    local path = folder .. "/ä picture.png"
    local t = picture(bytes_of(samples(1, 60, 255)), { 4, 5, 3 })
    core.save_png(path, t)
    assert.equal(t:to_string(), core.load_png(path):to_string())
    assert.same({ 4, 5, 1 }, core.load_png(path, { channels = 1, dtype = "float32" }).shape)
  end)

  it("name the file that is damaged", function()
    local path = folder .. "/bad.png"
    local file = io.open(path, "wb")
    file:write "\x89PNG nonsense"
    file:close()
    fails("'" .. path .. "': not a sound PNG file", core.load_png, path)
  end)
end)
