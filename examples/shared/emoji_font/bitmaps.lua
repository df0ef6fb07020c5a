-- The colour bitmaps of a font: tables CBLC (where they are) and CBDT (PNG files, one a glyph). OpenType 1.9, chapters
-- "CBLC" and "CBDT". Of several sizes the largest is taken.
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local function part(name) return dofile(here .. name .. ".lua") end
local file = part "file"

local bitmaps = {}

local SIZE_RECORD, INDEX_RECORD = 48, 8
local METRICS = { [17] = 5, [18] = 8, [19] = 0 } -- bytes before the PNG's length, by format of the image
local MOST_INDEXES = 65536                       -- each is of one glyph at least

-- The record of the largest pictures of 32 bits a pixel.
local function largest(cblc)
  local best, most
  for i = 0, cblc:count(4, 4, 8, SIZE_RECORD) - 1 do
    local record = cblc:from(8 + SIZE_RECORD * i, SIZE_RECORD)
    local high = record:u8(45)
    if record:u8(46) == 32 and (not best or high > most) then best, most = record, high end
  end
  return best or cblc:fail "no pictures of 32 bits a pixel"
end

-- The index subtables: {first, last, view}, in order of their glyphs.
local function indexes(cblc)
  local record = largest(cblc)
  local array, n = cblc:from(record:u32(0)), record:u32(8)
  if n > MOST_INDEXES then cblc:fail("more than %d index subtables", MOST_INDEXES) end
  array:check(0, n * INDEX_RECORD)
  local list = {}
  for i = 0, n - 1 do
    local at = INDEX_RECORD * i
    local one = { first = array:u16(at), last = array:u16(at + 2), view = array:from(array:u32(at + 4)) }
    if one.last < one.first or i > 0 and one.first <= list[i].last then
      cblc:fail("index subtable %d (glyphs %d to %d) is out of order", i + 1, one.first, one.last)
    end
    list[i + 1] = one
  end
  return list
end

-- First and last offset of a glyph's image in CBDT, and its format.
local function place(index, glyph)
  local view, i = index.view, glyph - index.first
  local kind, image, base = view:u16(0), view:u16(2), view:u32(4)
  if kind == 1 then return image, base + view:u32(8 + 4 * i), base + view:u32(12 + 4 * i) end
  if kind == 3 then return image, base + view:u16(8 + 2 * i), base + view:u16(10 + 2 * i) end
  if kind == 2 then return image, base + view:u32(8) * i, base + view:u32(8) * (i + 1) end
  view:fail("index subtable of format %d; known: 1, 2, 3", kind)
end

--- A function from a glyph to the bytes of its PNG file, nil where it has no picture.
-- @tparam View cblc
-- @tparam View cbdt
-- @treturn function
function bitmaps.reader(cblc, cbdt)
  local list = indexes(cblc)
  return function(glyph)
    local found = file.search(#list, function(i)
      local one = list[i + 1]
      return glyph < one.first and -1 or glyph > one.last and 1 or 0
    end)
    if not found then return nil end
    local image, first, last = place(list[found + 1], glyph)
    if first == last then return nil end
    local metrics = METRICS[image] or cbdt:fail("image of format %d; known: 17, 18, 19", image)
    if last < first then cbdt:fail("the picture of glyph %d ends before it begins", glyph) end
    local picture = cbdt:from(first, last - first)
    return picture:text(metrics + 4, picture:u32(metrics))
  end
end

return bitmaps
