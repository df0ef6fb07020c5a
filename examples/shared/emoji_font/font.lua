-- A font's colour bitmaps by characters: {path =, picture = function(codes) -> PNG bytes or nil}.
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local function part(name) return dofile(here .. name .. ".lua") end
local bitmaps = part "bitmaps"
local file = part "file"
local glyphs = part "glyphs"

local MOST = 128 << 20         -- bytes of a font file
local SELECTOR = 0xFE0F        -- asks for the picture and not the letter: nothing that a font of pictures has to know

-- The tables of an OpenType file: tag -> View.
local function tables(path, bytes)
  local whole = file.view(bytes, path, 0, #bytes)
  local version = whole:u32(0)
  if version ~= 0x00010000 and version ~= 0x4F54544F then whole:fail "not an OpenType font" end
  local found = {}
  for i = 0, whole:count(4, 2, 12, 16) - 1 do
    local at = 12 + 16 * i
    local tag, first, size = whole:text(at, 4), whole:u32(at + 8), whole:u32(at + 12)
    whole:check(first, size)
    found[tag] = file.view(bytes, path .. ": " .. tag:gsub("[^%w/ ]", "?"), first, size)
  end
  for _, tag in ipairs { "cmap", "CBLC", "CBDT" } do
    if not found[tag] then whole:fail("no table %s: not a font of colour bitmaps", tag) end
  end
  return found
end

--- Opens a font of colour bitmaps.
-- @tparam string path
-- @treturn ?table nil where there is no such file
-- @treturn ?string the reason
return function(path)
  local bytes, reason = file.read(path, MOST)
  if not bytes then return nil, reason end
  local found = tables(path, bytes)
  local glyph_of, join = glyphs.map(found.cmap), glyphs.joiner(found.GSUB)
  local png_of = bitmaps.reader(found.CBLC, found.CBDT)

  -- The bytes of the PNG file that shows a list of code points, nil where the font has no single picture of it.
  local function picture(codes)
    local list = {}
    for _, code in ipairs(codes) do
      local glyph = glyph_of(code)
      if glyph ~= 0 then
        list[#list + 1] = glyph
      elseif code ~= SELECTOR then
        return nil
      end
    end
    list = join(list)
    if #list ~= 1 then return nil end
    return png_of(list[1])
  end
  return { path = path, picture = picture }
end
