--- Emoji: small pictures with names. The colour bitmaps of a font such as Noto Color Emoji, called as in Unicode's
-- emoji-test.txt, with keywords of CLDR where they are installed.
-- @module laterna.data.emoji
local check = require "laterna.check"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local names = require "laterna.data.emoji.names"
local open_font = require "laterna.data.emoji.font"

local FONT = { "font", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "fonts-noto-color-emoji" }
local NAMES = { "names", "/usr/share/unicode/emoji/emoji-test.txt", "unicode-data" }
local ANNOTATIONS = {
  "/usr/share/unicode/cldr/common/annotations/en.xml", "/usr/share/unicode/cldr/common/annotationsDerived/en.xml",
}
local MOST_PIXELS = 1 << 20 -- of one bitmap

local function is_strings(v)
  local ok = type(v) == "table" and rawlen(v) > 0
  for i = 1, ok and rawlen(v) or 0 do ok = ok and type(rawget(v, i)) == "string" end
  return ok, "a list of strings"
end

-- The same, out of reach of metamethods: a list may pretend to go on for ever.
local function copied(v)
  local list = {}
  for i = 1, v and rawlen(v) or 0 do list[i] = rawget(v, i) end
  return v and list
end

local function is_background(v)
  local parts = type(v) == "table" and v or { v, v, v }
  local ok = rawlen(parts) == 3
  for i = 1, 3 do
    local k = rawget(parts, i)
    ok = ok and type(k) == "number" and k >= -1 and k <= 1
  end
  return ok, "a grey from -1 to 1, or {red, green, blue}"
end

local KNOWN = {
  size = { "integer", 48, min = 16, max = 128 }, background = { is_background, 1 }, font = "string", names = "string",
  annotations = is_strings, groups = is_strings, skin_tones = { "boolean", false },
}

-- What a reader of this file gives, or an error that names the package that brings the file.
local function installed(of, given, read)
  local result, reason = read(given or of[2])
  if result then return result end
  error(("emoji: %s; install Debian's package %s, or name the file: %s = ..."):format(reason, of[3], of[1]), 0)
end

-- The entries of the wanted groups, with skin tones or without.
local function chosen(list, o)
  local known, order, wanted, out = {}, {}, {}, {}
  for _, e in ipairs(list) do
    if not known[e.group] then known[e.group], order[#order + 1] = true, e.group end
  end
  for i, group in ipairs(o.groups or order) do
    if not known[group] then
      check.fail("emoji", 1, "groups[%d]: no group %s; known: %s", i, check.describe(group), table.concat(order, ", "))
    end
    wanted[group] = true
  end
  for _, e in ipairs(list) do
    if wanted[e.group] and (o.skin_tones or not e.toned) then out[#out + 1] = e end
  end
  return out
end

-- On a transparent square, so that nothing of a picture that is wider than high is cut off; then on the background,
-- and to the size. Composing before areas are averaged is exact: a pixel that nobody sees lends its colour to none.
local function painted(png, background, size)
  local x = core.decode_png(png, { channels = 4, dtype = "float32", max_pixels = MOST_PIXELS })
  local h, w = x:size(1), x:size(2)
  local rows, columns = math.max(0, w - h), math.max(0, h - w)
  x = core.pad(x, { { rows // 2, rows - rows // 2 }, { columns // 2, columns - columns // 2 } }, -1)
  local alpha = (x:narrow(3, 4, 1) + 1) * 0.5
  x = x:narrow(3, 1, 3) * alpha + (1 - alpha) * background
  return core.fit_picture((x * 127.5 + 127.5):byte(), size, size)
end

local function pictures(list, font, o)
  local b = type(o.background) == "table" and o.background or { o.background, o.background, o.background }
  local background = core.tensor { b[1], b[2], b[3] }
  local images = core.zeros({ #list, o.size, o.size, 3 }, { dtype = "uint8" })
  local kept, missing = {}, {}
  for _, e in ipairs(list) do
    local png = font.picture(e.codes)
    if png then
      local ok, x = pcall(painted, png, background, o.size)
      if not ok then error(("%s: picture of %s: %s"):format(font.path, e.name, x), 0) end
      kept[#kept + 1] = e
      images[#kept] = x
    else
      missing[#missing + 1] = e.name
    end
  end
  if #kept == 0 then error(("%s: shows none of %d emoji"):format(font.path, #list), 0) end
  return images[{ 1, #kept }], kept, missing
end

--- Loads emoji, in the order of their file of names.
-- @function emoji
-- @tparam[opt] table options
-- @tparam[opt=48] integer options.size side of the pictures, 16 to 128; averaged over areas
-- @tparam[opt=1] number|table options.background what lies behind them: a grey from -1 to 1, or {red, green, blue}
-- @tparam[opt] table options.groups some of the groups only: "Smileys & Emotion", "People & Body",
-- "Animals & Nature", "Food & Drink", "Travel & Places", "Activities", "Objects", "Symbols", "Flags"
-- @tparam[opt=false] boolean options.skin_tones also the variants of people with a skin tone
-- @tparam[opt] string options.font a font with colour bitmaps (tables CBLC and CBDT), by default that of Debian's
-- package fonts-noto-color-emoji
-- @tparam[opt] string options.names a file like emoji-test.txt, by default that of Debian's package unicode-data
-- @tparam[opt] table options.annotations files of CLDR's annotations; by default those of Debian's package
-- unicode-cldr-core, where it is installed
-- @treturn Dataset images (n,size,size,3); captions: the names; and for each picture `texts` (the emoji itself),
-- `keywords` (a list, empty where none are known), `groups` and `subgroups`. `report` is {pictures = n, font = path,
-- missing = {names that the font has no picture of}}
-- @raise a file that is missing, with the package that brings it; what is wrong in a damaged one, and where
return function(options)
  local o = check.options("emoji", 1, options, KNOWN)
  o.groups, o.annotations = copied(o.groups), copied(o.annotations)
  local font = installed(FONT, o.font, open_font)
  local list = chosen(installed(NAMES, o.names, names.read), o)
  local known = {}
  for _, path in ipairs(o.annotations or ANNOTATIONS) do
    if not names.keywords(path, known) and o.annotations then
      error(("emoji: %s: cannot be read; annotations come with Debian's package unicode-cldr-core"):format(path), 0)
    end
  end
  local images, kept, missing = pictures(list, font, o)
  local captions, lists = {}, { texts = {}, keywords = {}, groups = {}, subgroups = {} }
  for i, e in ipairs(kept) do
    captions[i], lists.texts[i], lists.keywords[i] = e.name, e.text, names.of(known, e.text)
    lists.groups[i], lists.subgroups[i] = e.group, e.subgroup
  end
  return dataset.new { images = images, captions = captions, lists = lists,
    report = { pictures = #kept, font = font.path, missing = missing } }
end
