-- A tiny font of colour bitmaps, one 4x2 picture a glyph, made as OpenType 1.9 describes it; the parts can be replaced.
-- Glyphs 1, 2, 3 are U+1F534, U+1F535, U+200D; glyph 4 is the ligature 1 3 2, and glyph 5 the ligature 1 1.
local core = require "laterna.core"

local emoji_font = {}

local function u16(...) return string.pack(">" .. ("I2"):rep(select("#", ...)), ...) end
local function u32(...) return string.pack(">" .. ("I4"):rep(select("#", ...)), ...) end

-- A picture of 2 rows and 4 columns: opaque (r,g,b) on the left half, transparent on the right.
function emoji_font.png(r, g, b)
  local row = string.char(r, g, b, 255):rep(2) .. string.char(9, 9, 9, 0):rep(2)
  return core.encode_png(core.from_string(row .. row, { 2, 4, 4 }, { dtype = "uint8" }))
end

local COLOURS = { { 255, 0, 0 }, { 0, 0, 255 }, false, { 0, 255, 0 }, { 255, 255, 0 } }

local function cmap()
  local groups = { { 0x200D, 0x200D, 3 }, { 0x1F534, 0x1F535, 1 } }
  local body = ""
  for _, g in ipairs(groups) do body = body .. u32(g[1], g[2], g[3]) end
  return u16(0, 1) .. u16(3, 10) .. u32(12) .. u16(12, 0) .. u32(16 + #body, 0, #groups) .. body
end

-- One lookup of ligatures that begin with glyph 1, plain or behind an extension; coverage in format 1 or 2.
local function gsub(o)
  local coverage = o.coverage == 2 and u16(2, 1, 1, 1, 0) or u16(1, 1, 1)
  local joined, twice = u16(4, 3, 3, 2), u16(5, 2, 1)
  local set = u16(2, 6, 6 + #joined) .. joined .. twice
  local sub = u16(1, 8 + #set, 1, 8) .. set .. coverage
  local lookup = o.extension and u16(7, 0, 1, 8) .. u16(1, 4) .. u32(8) .. sub or u16(4, 0, 1, 8) .. sub
  return u16(1, 0, 0, 0, 10) .. u16(1, 4) .. lookup
end

-- CBLC and CBDT; o.index is the format of the index subtable (1 or 3), o.image that of the pictures (17, 18).
local function bitmaps(o)
  local data, offsets = u16(3, 0), {}
  local base = #data
  for i = 1, 5 do
    offsets[i] = #data - base
    local png = COLOURS[i] and emoji_font.png(table.unpack(COLOURS[i]))
    if png then data = data .. (o.image == 18 and ("\2\4\0\0\4\0\0\4") or "\2\4\0\0\4") .. u32(#png) .. png end
  end
  offsets[6] = #data - base
  local index = u16(o.index or 1, o.image or 17) .. u32(base)
  for i = 1, 6 do index = index .. (o.index == 3 and u16 or u32)(offsets[i]) end
  local record = u32(56, 8 + #index, 1, 0) .. ("\0"):rep(24) .. u16(1, 5) .. "\4\4\32\1"
  return u16(3, 0) .. u32(1) .. record .. u16(1, 5) .. u32(8) .. index, data
end

--- The bytes of the font. o: index, image, coverage, extension, and under `tables` bytes instead of a table, or false.
function emoji_font.build(o)
  o = o or {}
  local found = { cmap = cmap(), GSUB = gsub(o) }
  found.CBLC, found.CBDT = bitmaps(o)
  for tag, bytes in pairs(o.tables or {}) do found[tag] = bytes end
  local tags = {}
  for tag, bytes in pairs(found) do
    if bytes then tags[#tags + 1] = tag end
  end
  table.sort(tags)
  local head, body = "\0\1\0\0" .. u16(#tags, 0, 0, 0), ""
  for _, tag in ipairs(tags) do
    head = head .. tag .. u32(0, 12 + 16 * #tags + #body, #found[tag])
    body = body .. found[tag]
  end
  return head .. body
end

emoji_font.names = [[
# emoji-test.txt
# group: Shapes
# subgroup: round
1F534                  ; fully-qualified     # R E0.6 red circle
1F535                  ; fully-qualified     # B E0.6 blue circle
1F534 200D 1F535       ; fully-qualified     # RB E4.0 red: and blue
1F534 1F3FB            ; fully-qualified     # RS E4.0 red circle: light skin tone
# group: More & more
# subgroup: pairs
1F534 1F534            ; fully-qualified     # RR E1.0 two red circles
1F534 FE0F             ; fully-qualified     # RF E1.0 red circle with a selector
1F535 1F535            ; fully-qualified     # BB E1.0 two blue circles
1F534                  ; unqualified         # R E0.6 not this one
#EOF
]]

emoji_font.annotations = [[
<?xml version="1.0" encoding="UTF-8" ?>
<annotations>
	<annotation cp="🔴">circle | red |  R&amp;D &#x41;&#66; &what; | </annotation>
	<annotation cp="🔴" type="tts">red circle</annotation>
	<annotation cp="🔴‍🔵">both</annotation>
</annotations>
]]

return emoji_font
