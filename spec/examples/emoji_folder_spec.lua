-- The emoji of a font as a folder of pictures with captions, and what damaged fonts and lists of names end in.
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local emoji_font = require "spec.support.emoji_font"
local fails = require "spec.support.fails"
local lfs = require "lfs"
local sources = require "spec.support.sources"

local function part(name) return dofile(sources.root .. "/examples/shared/emoji_font/" .. name .. ".lua") end
local names, open_font = part "names", part "font"
local write_folder = dofile(sources.root .. "/examples/shared/emoji_folder.lua")

local REAL = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
local REAL_NAMES = "/usr/share/unicode/emoji/emoji-test.txt"

local function u16(...) return string.pack(">" .. ("I2"):rep(select("#", ...)), ...) end
local function u32(...) return string.pack(">" .. ("I4"):rep(select("#", ...)), ...) end

describe("a folder of emoji", function()
  local root, loads

  local function write(name, text) return child.write(root, name, text) end

  -- The folder of a font's bytes and the tiny list of names, read again, and the names of what is missing.
  local function load(bytes, options)
    options = options or {}
    options.font = write("font.ttf", bytes or emoji_font.build())
    options.names = options.names or write("names.txt", emoji_font.names)
    options.annotations = options.annotations or { write("en.xml", emoji_font.annotations) }
    loads = loads + 1
    local folder = root .. "/" .. loads
    local count, missing = write_folder(folder, { font = options.font, names = options.names,
      annotations = options.annotations, size = 16, skin_tones = options.skin_tones })
    local ds = data.folder(folder, { size = 16, captions = "jsonl", bad = "error", quiet = true })
    assert.equal(count, #ds)
    return ds, missing
  end

  before_each(function() root, loads = child.folder(), 0 end)
  after_each(function() child.remove(root) end)

  it("has pictures, names, keywords and groups in the order of the names", function()
    local ds, missing = load()
    assert.same({ "red circle", "blue circle", "red: and blue", "two red circles", "red circle with a selector" },
      ds.captions)
    assert.same({ "two blue circles" }, missing)
    local about = ds.metadata
    assert.same({ "circle", "red", "R&D AB &what;" }, about[1].keywords)
    assert.same({ {}, { "both" } }, { about[2].keywords, about[3].keywords })
    assert.same(about[1].keywords, about[5].keywords) -- with a selector or without
    assert.equal("\u{1F534}\u{200D}\u{1F535}", about[3].emoji)
    assert.same({ "Shapes", "More & more" }, { about[3].group, about[4].group })
    assert.same({ "round", "pairs" }, { about[1].subgroup, about[4].subgroup })
    assert.same({ 5, 16, 16, 3 }, ds.images.shape)
  end)

  -- The 4x2 picture lies in rows 2 and 3 of a 4x4 square, its left half opaque: enlarged to 16, the middle of that half
  -- is at (8,3) and (8,13) shows the white ground, as does the corner.
  it("has pictures on a white square", function()
    local images, white = load().images, { 255, 255, 255 }
    for i, colour in ipairs { { 255, 0, 0 }, { 0, 0, 255 }, { 0, 255, 0 }, { 255, 255, 0 }, { 255, 0, 0 } } do
      assert.same(colour, images[i][8][3]:totable())
      assert.same(white, images[i][8][13]:totable())
      assert.same(white, images[i][1][1]:totable())
    end
  end)

  it("reads every layout of its tables alike", function()
    local want = load().images:to_string()
    for _, o in ipairs { { index = 3 }, { image = 18 }, { coverage = 2 }, { extension = true },
      { index = 3, image = 18, coverage = 2, extension = true } } do
      assert.equal(want, load(emoji_font.build(o)).images:to_string())
    end
  end)

  it("has skin tones where they are asked for", function()
    local _, missing = load(nil, { skin_tones = true })
    assert.same({ "red circle: light skin tone", "two blue circles" }, missing)
  end)

  it("shows sequences without ligatures as missing", function()
    local ds = load(emoji_font.build { tables = { GSUB = false } })
    assert.same({ "red circle", "blue circle", "red circle with a selector" }, ds.captions)
  end)

  it("names the package where a file is missing", function()
    local gone = root .. "/gone"
    fails("gone: No such file or directory; install Debian's package fonts-noto-color-emoji", write_folder,
      root .. "/pictures", { font = gone })
    fails("install Debian's package unicode-data, or name the file: names = ...", load, nil, { names = gone })
    fails("package unicode-cldr-core", load, nil, { annotations = { gone } })
    assert.is_nil(lfs.attributes(root .. "/pictures"))
  end)

  describe("refuses damaged names:", function()
    for message, text in pairs {
      ["names.txt: no line of a fully-qualified emoji"] = "# nothing\n",
      ["names.txt: an empty file"] = "",
      ["names.txt:2: code points from 0 to 10FFFF expected"] = "\nFFFFFF ; fully-qualified # X E1.0 x",
      ["names.txt:1: no code points"] = " ; fully-qualified # X E1.0 x",
      ["names.txt:1: more than 32 code points"] = ("41 "):rep(33) .. "; fully-qualified # X E1.0 x",
      ["names.txt:1: no name after the version"] = "41 ; fully-qualified # X x",
      ["names.txt:1: not valid UTF-8"] = "41 ; fully-qualified # X E1.0 caf\xe9",
    } do
      it(message, function() fails(message, load, nil, { names = write("names.txt", text) }) end)
    end
  end)

  describe("refuses a damaged font:", function()
    local function cbdt(tables) return emoji_font.build { tables = tables } end
    local record = u32(56, 100, 1, 0) .. ("\0"):rep(24) .. u16(1, 5) .. "\4\4"
    for message, bytes in pairs {
      ["font.ttf: not an OpenType font"] = "not a font at all",
      ["font.ttf: 2 bytes at 4 lie outside its 4 bytes"] = "\0\1\0\0",
      ["font.ttf: 1048560 bytes at 12 lie outside"] = "\0\1\0\0" .. u16(65535, 0, 0, 0),
      ["font.ttf: no table CBLC: not a font of colour bitmaps"] = cbdt { CBLC = false },
      ["font.ttf: cmap: no map of all of Unicode"] = cbdt { cmap = u16(0, 1, 3, 1) .. u32(12) .. u16(4, 0) },
      ["font.ttf: cmap: 51539607540 bytes at 16 lie outside"] =
        cbdt { cmap = u16(0, 1, 3, 10) .. u32(12) .. u16(12, 0) .. u32(16, 0, 0xFFFFFFFF) },
      ["font.ttf: GSUB: more than 1024 subtables of ligatures"] =
        cbdt { GSUB = u16(1, 0, 0, 0, 10, 1, 4, 4, 0, 1025) .. u16(0):rep(1025) },
      ["font.ttf: GSUB: more than 65536 ligatures to compare with"] = cbdt {
        GSUB = u16(1, 0, 0, 0, 10, 1, 4, 4, 0, 2, 10, 10) .. u16(1, 8, 1, 14, 1, 1, 1) .. u16(30000) ..
          u16(30000 * 2 + 2):rep(30000) .. u16(9, 2, 99) },
      ["font.ttf: CBLC: 206158430160 bytes at 8 lie"] = cbdt { CBLC = u16(3, 0) .. u32(0xFFFFFFFF) },
      ["font.ttf: CBLC: no pictures of 32 bits a pixel"] = cbdt { CBLC = u16(3, 0) .. u32(1) .. record .. "\8\1" },
      ["font.ttf: CBLC: more than 65536 index subtables"] =
        cbdt { CBLC = u16(3, 0) .. u32(1) .. u32(56, 100, 0xFFFFFFFF) .. record:sub(13) .. "\32\1" },
      ["font.ttf: CBLC: index subtable 1 (glyphs 5 to 1) is out of order"] =
        cbdt { CBLC = u16(3, 0) .. u32(1) .. record .. "\32\1" .. u16(5, 1) .. u32(8) },
      ["font.ttf: CBLC: index subtable of format 4; known: 1, 2, 3"] =
        cbdt { CBLC = u16(3, 0) .. u32(1) .. record .. "\32\1" .. u16(1, 5) .. u32(8) .. u16(4, 17) .. u32(4) },
      ["font.ttf: CBDT: image of format 9; known: 17, 18, 19"] =
        cbdt { CBLC = u16(3, 0) .. u32(1) .. record .. "\32\1" .. u16(1, 5) .. u32(8) .. u16(1, 9) .. u32(4, 0, 9, 9) },
      ["font.ttf: CBDT: the picture of glyph 1 ends before it begins"] =
        cbdt { CBLC = u16(3, 0) .. u32(1) .. record .. "\32\1" .. u16(1, 5) .. u32(8) .. u16(1, 17) .. u32(4, 9, 5) },
      ["font.ttf: picture of red circle: "] = cbdt {
        CBLC = u16(3, 0) .. u32(1) .. record .. "\32\1" .. u16(1, 5) .. u32(8) .. u16(1, 17) .. u32(4, 0, 13),
        CBDT = u16(3, 0) .. "\2\4\0\0\4" .. u32(4) .. "oops" },
      ["font.ttf: shows none of 6 emoji"] = cbdt { cmap = u16(0, 1, 3, 10) .. u32(12) .. u16(12, 0) .. u32(16, 0, 0) },
    } do
      it(message, function() fails(message, load, bytes) end)
    end
  end)

  -- Whatever is cut off or flipped: pictures, or an error that names the file.
  it("survives cut and flipped fonts #slow", function()
    local whole = emoji_font.build { extension = true }
    local list = names.read(write("names.txt", emoji_font.names))
    local g, refused = core.generator(1), 0
    local function try(bytes)
      local ok, message = pcall(function()
        local font = open_font(write("font.ttf", bytes))
        for _, e in ipairs(list) do font.picture(e.codes) end
      end)
      if not ok then
        assert.matches("font.ttf: ", message, 1, true)
        refused = refused + 1
      end
    end
    for length = 1, #whole - 1, 7 do try(whole:sub(1, length)) end
    assert.is_true(refused > #whole // 8)
    refused = 0
    for _ = 1, 300 do
      local at = g:integer(1, #whole)
      try(whole:sub(1, at - 1) .. string.char(whole:byte(at) ~ 1 << g:integer(0, 7)) .. whole:sub(at + 1))
    end
    assert.is_true(refused > 30)
  end)

  it("survives flipped names and annotations", function()
    local g = core.generator(2)
    local function flip(s)
      local at = g:integer(1, #s)
      return s:sub(1, at - 1) .. string.char(s:byte(at) ~ 1 << g:integer(0, 7)) .. s:sub(at + 1)
    end
    for _ = 1, 100 do
      local ok, message = pcall(names.read, write("names.txt", flip(emoji_font.names)))
      assert.is_true(ok or message:find("names.txt:", 1, true) ~= nil, message)
      assert.is_true(names.keywords(write("en.xml", flip(emoji_font.annotations)), {}))
    end
  end)

  it("reads Noto Color Emoji where it is installed #slow", function()
    if not (lfs.attributes(REAL) and lfs.attributes(REAL_NAMES)) then return pending "not installed" end
    local count, missing = write_folder(root .. "/all", { size = 16 })
    local ds = data.folder(root .. "/all", { size = 16, bad = "error", quiet = true })
    assert.equal(count, #ds)
    local place = {}
    for i, caption in ipairs(ds.captions) do place[caption] = i end
    local function mean(name) return ds.images[assert(place[name], name)]:float():view(-1, 3):mean(1):totable() end
    local red, green = mean "red apple", mean "green apple"
    assert.is_true(red[1] > green[1] and red[2] < green[2] - 20)
    assert.equal("\u{1F34E}", ds.metadata[place["red apple"]].emoji)
    assert.equal("food-fruit", ds.metadata[place["red apple"]].subgroup)
    local flag = mean "flag: Japan" -- two letters that are one picture
    assert.is_true(flag[1] > flag[2] and math.abs(flag[2] - flag[3]) < 20)
    assert.is_true(#missing < #ds // 10)
  end)
end)
