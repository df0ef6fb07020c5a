-- Pictures of every format: Pillow's pixels, and what nobody may trust. Where the build has no library for a format,
-- its files are refused by one sentence.
local cases = require "spec.golden.pictures_pillow"
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local png = require "spec.support.png"
local unbase64 = require "spec.support.base64"

local SENTENCE = {
  jpeg = "a JPEG file, which this build of laterna does not read: install libjpeg (Debian: libjpeg-dev)",
  webp = "a WebP file, which this build of laterna does not read: install libwebp (Debian: libwebp-dev)",
  gif = "a GIF file, which this build of laterna does not read: install giflib (Debian: libgif-dev)",
}

local reads, file, pixels = {}, {}, {}
for _, name in ipairs(core.info().formats) do reads[name] = true end
for _, case in ipairs(cases) do file[case.name], pixels[case.name] = unbase64(case.file), unbase64(case.pixels) end

-- Ends a spec whose format this build does not read, after its sentence has been asked for.
local function absent(format, name)
  if reads[format] then return false end
  fails(SENTENCE[format], core.decode_picture, file[name or format])
  return true
end

local function patched(bytes, at, new) return bytes:sub(1, at - 1) .. new .. bytes:sub(at + #new) end

-- Where a JPEG's frame header is: its size and, at + 5, height and width.
local function frame(bytes) return (assert(bytes:find "\xFF[\xC0\xC1\xC2\xC9\xCA]\0")) end

-- A picture, or an error in words.
local function tried(bytes, what)
  local ok, t = pcall(core.decode_picture, bytes, { max_pixels = 1 << 14 })
  if ok then
    assert.is_true(t.shape[1] * t.shape[2] <= 1 << 14 and t.shape[3] <= 4, what)
    t:free()
  else
    assert.matches("decode_picture: [%w']", t)
  end
  return ok
end

describe("decode_picture", function()
  -- The same library gives the same numbers; others may round JPEG's and lossy WebP's colours another way.
  for _, case in ipairs(cases) do
    it("reads what Pillow reads: " .. case.name, function()
      if absent(case.name:match "^%w+", case.name) then return end
      local t = core.decode_picture(file[case.name])
      assert.same({ case.shape, "uint8" }, { t.shape, t.dtype })
      local ours, theirs = t:to_string(), pixels[case.name]
      local channels, most = case.shape[3], 0
      for i = 1, #theirs do
        local alpha = (i - 1) // channels * channels + 4
        if channels < 4 or i == alpha or theirs:byte(alpha) > 0 then -- the colour of what is transparent is nobody's
          most = math.max(most, math.abs(ours:byte(i) - theirs:byte(i)))
        end
      end
      assert.is_true(most <= (case.name:find "^webp lossless" and 0 or 1), "off by " .. most)
      if case.name:find "^webp lossless" then assert.equal(theirs, ours) end
    end)
  end

  it("knows a file by its first bytes", function()
    local row = { 10, 20, 30 }
    local bytes = png.encode{ width = 3, height = 1, depth = 8, colour = 0, rows = { row } }
    assert.same({ { { 10 }, { 20 }, { 30 } } }, core.decode_picture(bytes):totable())
    fails("not a picture: it is empty", core.decode_picture, "")
    fails("not a picture of a format that laterna knows (PNG, JPEG, WebP, GIF)", core.decode_picture, "<html>")
    fails("not a picture of a format that laterna knows", core.decode_picture, "\xFF\xD8")
    fails("BMP is not read: laterna reads PNG, JPEG, WebP and GIF", core.decode_picture, "BM" .. ("\0"):rep(60))
    fails("TIFF is not read", core.decode_picture, "II*\0" .. ("\0"):rep(60))
    fails("AVIF is not read", core.decode_picture, "\0\0\0\x1cftypavif" .. ("\0"):rep(60))
    fails("not a sound PNG file", core.decode_picture, "\x89PNG")
  end)

  it("gives the channels and the type that are asked for, as decode_png does", function()
    for _, name in ipairs { "jpeg grey", "jpeg", "jpeg of colour, turned 6", "webp lossless", "webp lossless, alpha",
                            "webp turned 6", "gif", "gif transparent" } do
      if not absent(name:match "^%w+", name) then
        local same = core.encode_png(core.decode_picture(file[name]))
        for channels = 1, 4 do
          for _, dtype in ipairs { "uint8", "float32" } do
            local options = { channels = channels, dtype = dtype, background = -0.5 }
            local ours, theirs = core.decode_picture(file[name], options), core.decode_png(same, options)
            assert.same({ theirs.shape, dtype }, { ours.shape, ours.dtype })
            assert.equal(theirs:to_string(), ours:to_string(), ("%s, %d %s"):format(name, channels, dtype))
          end
        end
      end
    end
  end)

  it("refuses a file that is cut anywhere #slow", function()
    for _, case in ipairs(cases) do
      local bytes, name = file[case.name], case.name
      if not absent(name:match "^%w+", name) then
        local last = #bytes - 1
        if name:find "^gif" then last = last - 1 end -- the byte that says that no more frames come
        for n = 0, last do
          local message = fails("", core.decode_picture, bytes:sub(1, n))
          assert.matches(n < 12 and "not a" or "^.*not a sound %u%w+ file: ", message)
        end
        assert.is_true(tried(bytes .. "what follows is not looked at", name))
      end
    end
  end)

  it("gives a picture or an error whatever bit is flipped #slow", function()
    for _, name in ipairs { "jpeg", "jpeg progressive", "jpeg arithmetic, progressive", "jpeg cmyk", "jpeg turned 5",
                            "webp lossless, alpha", "webp lossy, alpha", "webp turned 3", "webp that moves",
                            "gif transparent" } do
      if not absent(name:match "^%w+", name) then
        local bytes = file[name]
        for i = 1, #bytes do
          for bit = 0, 7 do
            local flipped = patched(bytes, i, string.char(bytes:byte(i) ~ 1 << bit))
            tried(flipped, ("%s: bit %d of byte %d"):format(name, bit, i))
          end
        end
      end
    end
  end)

  it("refuses pictures larger than max_pixels from their header", function()
    for name, size in pairs { jpeg = "11x9", ["webp lossy"] = "11x9", gif = "11x9", ["gif on a canvas"] = "16x12",
                               ["webp that moves"] = "20x16" } do
      if not absent(name:match "^%w+", name) then
        local w, h = size:match "(%d+)x(%d+)"
        assert.equal(h + 0, core.decode_picture(file[name], { max_pixels = w * h }).shape[1])
        fails(("a picture of %s pixels is larger than max_pixels = %d"):format(size, w * h - 1),
              core.decode_picture, file[name], { max_pixels = w * h - 1 })
      end
    end
  end)

  it("leaves nothing behind when a library gives up, or memory does #slow", function()
    for _, name in ipairs { "jpeg progressive", "jpeg cmyk", "jpeg of colour, turned 6", "webp lossy, alpha",
                            "webp turned 6", "webp that moves", "gif transparent" } do
      if not absent(name:match "^%w+", name) then
        local shape = core.decode_picture(file[name], { dtype = "float32" }).shape
        collectgarbage()
        local before = core.memory().count
        for n = 1, #file[name], 7 do pcall(core.decode_picture, file[name]:sub(1, n), { dtype = "float32" }) end
        for n = 1, 20 do -- one failure is tried again after a collection
          core.debug_fail_allocation(n)
          assert.same(shape, core.decode_picture(file[name], { dtype = "float32" }).shape)
        end
        core.debug_fail_allocation(0)
        collectgarbage()
        assert.equal(before, core.memory().count, name)
      end
    end
  end)
end)

describe("a JPEG", function()
  local SCAN = "\xFF\xDA"

  it("of a kind that is not read is named", function()
    if absent "jpeg" then return end
    local at = frame(file.jpeg)
    fails("a kind of JPEG that is not read", core.decode_picture, patched(file.jpeg, at + 4, "\12")) -- bits a channel
    fails("a kind of JPEG that is not read", core.decode_picture, patched(file.jpeg, at + 1, "\xC5")) -- differential
    assert.is_false(tried(patched(file.jpeg, at + 9, "\2"))) -- channels, of which three are described
  end)

  it("may hold bytes that belong to nothing before its pixels, not after them", function()
    if absent "jpeg" then return end
    local tables = file.jpeg:find "\xFF\xDB"
    local odd = file.jpeg:sub(1, tables - 1) .. "12345" .. file.jpeg:sub(tables)
    assert.equal(core.decode_picture(file.jpeg):to_string(), core.decode_picture(odd):to_string())
    fails("not a sound JPEG file: Corrupt JPEG data: ", core.decode_picture,
          file.jpeg:sub(1, -3) .. "12345" .. file.jpeg:sub(-2))
  end)

  it("that promises more than its bytes can hold is refused before memory is taken #child", function()
    if absent "jpeg" then return end
    local ok, output = child.run([[
      local core, unbase64 = require "laterna.core", require "spec.support.base64"
      local function refused(text, name, height, width, options)
        local bytes
        for _, case in ipairs(require "spec.golden.pictures_pillow") do
          if case.name == name then bytes = unbase64(case.file) end
        end
        local at = bytes:find "\xFF[\xC0\xC1\xC2\xC9\xCA]\0"
        bytes = bytes:sub(1, at + 4) .. string.pack(">I2I2", height, width) .. bytes:sub(at + 9)
        local ok, message = pcall(core.decode_picture, bytes, options)
        assert(not ok and message:find(text, 1, true), message)
      end
      refused("larger than max_pixels", "jpeg", 65500, 65500)
      refused("larger than max_pixels", "jpeg arithmetic", 8192, 8193)
      for _, name in ipairs { "jpeg", "jpeg progressive", "jpeg grey", "jpeg cmyk" } do
        refused("cannot hold 8192x8192 pixels", name, 8192, 8192)
        refused("cannot hold", name, 65500, 65500, { max_pixels = 1 << 40 })
      end
      refused("not a sound JPEG file", "jpeg", 65535, 65535)
      refused("not a sound JPEG file", "jpeg", 0, 11)
      refused("not a sound JPEG file", "jpeg", 9, 0)
      refused("not a sound JPEG file", "jpeg", 300, 600) -- rows that do not come
      assert(core.memory().peak < 1 << 20)
    ]], { megabytes = 1500, env = "OPENBLAS_NUM_THREADS=1" })
    assert(ok, output)
  end)

  it("of very many scans is refused", function()
    if absent "jpeg" then return end
    local bytes = file["jpeg grey, progressive"]
    local first = bytes:find(SCAN, 1, true)
    local second = bytes:find("\xFF[\xC4\xDA]", first + 4)
    -- the first scan says all that there is of each block's mean; once more, it says the same
    local scan = patched(bytes:sub(first, second - 1), 10, "\0")
    local function repeated(n) return bytes:sub(1, first - 1) .. scan:rep(n) .. "\xFF\xD9" end
    assert.equal(core.decode_picture(repeated(1)):to_string(), core.decode_picture(repeated(90)):to_string())
    fails("it has more than 100 scans", core.decode_picture, repeated(150))
  end)

  it("is not turned by an EXIF that is damaged", function()
    if absent("jpeg", "jpeg turned 6") then return end
    local bytes = file["jpeg turned 6"]
    local at = bytes:find("Exif\0\0", 1, true)
    local length = string.unpack(">I2", bytes, at - 2)
    local tiff, rest = bytes:sub(at + 6, at + length - 3), bytes:sub(at + length - 2)
    local upright = core.decode_picture(file["jpeg grey"])
    local function with(exif)
      return bytes:sub(1, at - 3) .. string.pack(">I2", #exif + 8) .. "Exif\0\0" .. exif .. rest
    end
    assert.same({ 11, 9, 1 }, core.decode_picture(with(tiff)).shape)
    for n = 0, 21 do -- head, number of entries, the first entry
      assert.equal(upright:to_string(), core.decode_picture(with(tiff:sub(1, n))):to_string(), "cut at " .. n)
    end
    for i = 1, #tiff do
      for _, byte in ipairs { "\0", "\xFF", "\x7F", "\1" } do
        local shape = core.decode_picture(with(patched(tiff, i, byte))).shape
        assert.is_true(shape[1] * shape[2] == 99)
      end
    end
  end)
end)

describe("a WebP", function()
  it("with a frame that is not where it should be is refused", function()
    if absent("webp", "webp that moves") then return end
    local bytes = file["webp that moves"]
    local at = bytes:find("ANMF", 1, true) + 8 -- left, top, width, height
    for _, place in ipairs { 0, 3, 6, 9 } do
      fails("a frame of another size than its place", core.decode_picture, patched(bytes, at + place, "\9"))
    end
    fails("no frame", core.decode_picture, (bytes:gsub("ANMF", "XXXX")))
  end)

  it("that promises too much is refused", function()
    if absent("webp", "webp lossless") then return end
    local bytes = file["webp lossless"]
    local at = bytes:find("VP8L", 1, true) + 9 -- 14 bits each of width and height, less one
    fails("a picture of 16384x16384 pixels is larger than max_pixels", core.decode_picture,
          patched(bytes, at, "\xFF\xFF\xFF" .. string.char(bytes:byte(at + 3) | 15)))
    fails("not a sound WebP file", core.decode_picture, patched(bytes, at - 1, "\0")) -- the byte that begins the data
  end)
end)

describe("a GIF", function()
  it("without a picture, a palette or a colour is refused", function()
    if absent "gif" then return end
    local bytes = file["gif on a canvas"]
    fails("not a sound GIF file: it has no picture", core.decode_picture, "GIF89a\1\0\1\0\0\0\0;")
    local at = bytes:find(",\2\0\1\0\11\0\9\0", 1, true)
    local head = "GIF89a\16\0\12\0\0\0\0"
    fails("not a sound GIF file: no palette", core.decode_picture, head .. bytes:sub(at))
    fails("not a sound GIF file: a frame of 0x9 pixels", core.decode_picture, patched(bytes, at + 5, "\0"))
    -- a palette of two colours
    fails("of a palette of 2", core.decode_picture, "GIF89a\16\0\12\0\x80\0\0abcdef" .. bytes:sub(at))
  end)
end)

describe("load_picture and save_png", function()
  local folder
  before_each(function() folder = child.folder() end)
  after_each(function() child.remove(folder) end)

  local function write(name, bytes) return child.write(folder, name, bytes) end

  it("go by content, not by ending", function()
    local path = write("a.png", file["jpeg grey"])
    if reads.jpeg then
      assert.same({ 9, 11, 3 }, core.load_picture(path, { channels = 3 }).shape)
    else
      fails("'" .. path .. "': " .. SENTENCE.jpeg, core.load_picture, path)
    end
    fails("'" .. path .. "': not a sound PNG file", core.load_png, path)
    core.save_png(folder .. "/b", core.ones({ 2, 2 }, { dtype = "uint8" }))
    assert.same({ 2, 2, 1 }, core.load_picture(folder .. "/b").shape)
  end)

  it("name the file, and what is wrong with arguments", function()
    local path = write("a.jpg", "")
    fails("'" .. path .. "': not a picture: it is empty", core.load_picture, path)
    fails("cannot open '/nowhere/a.jpg': No such file or directory", core.load_picture, "/nowhere/a.jpg")
    fails("path: a zero byte", core.load_picture, "a\0b")
    fails('unknown option "chanels", did you mean "channels"?', core.load_picture, path, { chanels = 3 })
    fails("channels: expected 1 to 4, got 5", core.decode_picture, "", { channels = 5 })
    fails("bytes: expected string, got nil", core.decode_picture, nil)
  end)

  it("write PNG, and nothing under another format's name", function()
    local t = core.ones({ 2, 2 }, { dtype = "uint8" })
    for _, name in ipairs { "x.jpg", "x.JPEG", "x.webp", "a.b.gif" } do
      local path = folder .. "/" .. name
      fails("bad argument #1 to 'save_png' (path: laterna writes PNG: expected a name that ends in .png, got '" .. path,
            core.save_png, path, t)
      assert.is_nil(io.open(path))
    end
    for _, name in ipairs { "x.PNG", "x", ".hidden", "jpg", "x.2" } do core.save_png(folder .. "/" .. name, t) end
  end)
end)

describe("info", function()
  it("lists formats that are read, PNG first", function()
    assert.equal("png", core.info().formats[1])
    for name in pairs(reads) do assert.is_true(name == "png" or SENTENCE[name] ~= nil, name) end
  end)
end)
