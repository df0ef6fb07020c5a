-- From characters to the number of their picture in a font: table cmap (format 12) and the ligatures of GSUB, by which
-- a sequence such as flag letters, or several people and joiners, becomes one picture. OpenType 1.9, chapters "cmap"
-- and "GSUB". Contextual substitutions are passed over: fonts use them for what has no single picture.
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local function part(name) return dofile(here .. name .. ".lua") end
local file = part "file"

local glyphs = {}

local GROUP, RECORD = 12, 8
local LIGATURE, EXTENSION = 4, 7 -- types of lookups
local MOST_SUBTABLES = 1024      -- in all lookups of ligatures
local MOST_COMPARED = 1 << 16    -- ligatures, for one sequence: a font may not make a short one take for ever

-- Where there are several, the one that Windows or Unicode's full repertoire names.
local function full_map(cmap)
  local n = cmap:count(2, 2, 4, RECORD)
  for i = 0, n - 1 do
    local table_at = cmap:u32(4 + RECORD * i + 4)
    if cmap:u16(table_at) == 12 then return cmap:from(table_at) end
  end
  cmap:fail("no map of all of Unicode (format 12)")
end

--- A function from a code point to its glyph, 0 where the font has none.
-- @tparam View cmap
-- @treturn function
function glyphs.map(cmap)
  local map = full_map(cmap)
  local n = map:count(12, 4, 16, GROUP)
  return function(code)
    local found = file.search(n, function(i)
      local first, last = map:u32(16 + GROUP * i), map:u32(16 + GROUP * i + 4)
      return code < first and -1 or code > last and 1 or 0
    end)
    if not found then return 0 end
    local at = 16 + GROUP * found
    return map:u32(at + 8) + code - map:u32(at)
  end
end

-- The place of a glyph in a coverage table, from 0.
local function covered(coverage, glyph)
  local format = coverage:u16(0)
  if format == 1 then
    return file.search(coverage:count(2, 2, 4, 2), function(i) return glyph - coverage:u16(4 + 2 * i) end)
  elseif format ~= 2 then
    coverage:fail("coverage of format %d", format)
  end
  local found = file.search(coverage:count(2, 2, 4, 6), function(i)
    local first, last = coverage:u16(4 + 6 * i), coverage:u16(4 + 6 * i + 2)
    return glyph < first and -1 or glyph > last and 1 or 0
  end)
  return found and coverage:u16(4 + 6 * found + 4) + glyph - coverage:u16(4 + 6 * found)
end

local function agrees(ligature, rest, list, i)
  for k = 1, rest do
    if list[i + k] ~= ligature:u16(4 + 2 * (k - 1)) then return false end
  end
  return true
end

-- The ligature that begins at list[i]: its glyph, and how many more glyphs it takes up.
local function ligature_at(sub, list, i, work)
  local place = covered(sub:from(sub:u16(2)), list[i])
  if not place or place >= sub:count(4, 2, 6, 2) then return nil end
  local set = sub:from(sub:u16(6 + 2 * place))
  local n = set:count(0, 2, 2, 2)
  work.compared = work.compared + n
  if work.compared > MOST_COMPARED then sub:fail("more than %d ligatures to compare with", MOST_COMPARED) end
  for k = 0, n - 1 do
    local ligature = set:from(set:u16(2 + 2 * k))
    local rest = ligature:u16(2) - 1
    if rest >= 0 and rest <= #list - i and agrees(ligature, rest, list, i) then return ligature:u16(0), rest end
  end
end

local function apply(subs, list, work)
  local out, i = {}, 1
  while i <= #list do
    local glyph, rest
    for _, sub in ipairs(subs) do
      glyph, rest = ligature_at(sub, list, i, work)
      if glyph then break end
    end
    out[#out + 1] = glyph or list[i]
    i = i + 1 + (rest or 0)
  end
  return out
end

-- Appends the subtables of a lookup that are ligatures, also those that lie behind an extension's 32-bit offset, and
-- returns how many subtables there were so far.
local function collect(lookup, subs, count)
  local kind = lookup:u16(0)
  if kind ~= LIGATURE and kind ~= EXTENSION then return count end
  local n = lookup:count(4, 2, 6, 2)
  if count + n > MOST_SUBTABLES then lookup:fail("more than %d subtables of ligatures", MOST_SUBTABLES) end
  for k = 0, n - 1 do
    local sub, of = lookup:from(lookup:u16(6 + 2 * k)), kind
    if kind == EXTENSION then of, sub = sub:u16(2), sub:from(sub:u32(4)) end
    if of == LIGATURE then subs[#subs + 1] = sub end
  end
  return count + n
end

--- A function that joins a list of glyphs by the font's ligatures, all lookups in the font's order.
-- @tparam ?View gsub nil: nothing is joined
-- @treturn function
function glyphs.joiner(gsub)
  local lookups, count = {}, 0
  local list = gsub and gsub:from(gsub:u16(8))
  for i = 1, list and list:count(0, 2, 2, 2) or 0 do
    lookups[i] = {}
    count = collect(list:from(list:u16(2 * i)), lookups[i], count)
  end
  return function(sequence)
    local work = { compared = 0 }
    for _, subs in ipairs(lookups) do sequence = apply(subs, sequence, work) end
    return sequence
  end
end

return glyphs
