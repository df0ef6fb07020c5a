-- Emoji as a folder of pictures with captions: the colour bitmaps of a font such as Noto Color Emoji, called as in
-- Unicode's emoji-test.txt, with keywords of CLDR where they are installed.
local json = require "dkjson"
local lfs = require "lfs"
local lt = require "laterna"
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local function part(name) return dofile(here .. "emoji_font/" .. name .. ".lua") end
local names, open_font = part "names", part "font"

local FONT = { "font", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "fonts-noto-color-emoji" }
local NAMES = { "names", "/usr/share/unicode/emoji/emoji-test.txt", "unicode-data" }
local ANNOTATIONS = {
  "/usr/share/unicode/cldr/common/annotations/en.xml", "/usr/share/unicode/cldr/common/annotationsDerived/en.xml",
}
local MOST_PIXELS = 1 << 20 -- of one bitmap

-- What a reader of this file gives, or an error that names the package that brings the file.
local function installed(of, path, read)
  local result, reason = read(path or of[2])
  if result then return result end
  error(("emoji: %s; install Debian's package %s, or name the file: %s = ..."):format(reason, of[3], of[1]), 0)
end

-- Keywords by emoji, from the files that are named, which must be there, or from those that are installed.
local function keywords(paths)
  local known = {}
  for _, path in ipairs(paths or ANNOTATIONS) do
    if not names.keywords(path, known) and paths then
      error(("emoji: %s: cannot be read; annotations come with Debian's package unicode-cldr-core"):format(path), 0)
    end
  end
  return known
end

-- On a transparent square, so that nothing of a picture that is wider than high is cut off; then on white, and to the
-- size. Composing before areas are averaged is exact: a pixel that nobody sees lends its colour to none.
local function painted(png, size)
  local x = lt.decode_png(png, { channels = 4, dtype = "float32", max_pixels = MOST_PIXELS })
  local h, w = x:size(1), x:size(2)
  local rows, columns = math.max(0, w - h), math.max(0, h - w)
  x = lt.pad(x, { { rows // 2, rows - rows // 2 }, { columns // 2, columns - columns // 2 } }, -1)
  local alpha = (x:narrow(3, 4, 1) + 1) * 0.5
  x = x:narrow(3, 1, 3) * alpha + (1 - alpha)
  return lt.fit_picture((x * 127.5 + 127.5):byte(), size, size)
end

-- Writes the picture of each emoji that the font has; returns their rows of metadata, and the names of the others.
local function pictures(folder, list, font, known, size)
  local rows, missing = {}, {}
  for _, e in ipairs(list) do
    local png = font.picture(e.codes)
    if png then
      local ok, x = pcall(painted, png, size)
      if not ok then error(("%s: picture of %s: %s"):format(font.path, e.name, x), 0) end
      local name = ("%04d.png"):format(#rows + 1)
      lt.save_png(folder .. "/" .. name, x)
      rows[#rows + 1] = json.encode({ file_name = name, text = e.name, emoji = e.text, group = e.group,
        subgroup = e.subgroup, keywords = names.of(known, e.text) }, { keyorder = { "file_name", "text" } })
    else
      missing[#missing + 1] = e.name
    end
  end
  if #rows == 0 then error(("%s: shows none of %d emoji"):format(font.path, #list), 0) end
  return rows, missing
end

-- Writes emoji, in the order of their file of names, as lt.data.folder reads them: PNG files and metadata.jsonl, whose
-- rows also have `emoji`, `group`, `subgroup` and `keywords`. The rows come last: a folder that has them is whole.
-- folder: made where there is none, its parent being there. o: size (48), a side; skin_tones (false): also people with
-- a skin tone; font, names, annotations: other files than those of Debian's packages.
-- Returns how many there are, and the names of those that the font has no picture of.
return function(folder, o)
  o = o or {}
  local font = installed(FONT, o.font, open_font)
  local list, known = {}, keywords(o.annotations)
  for _, e in ipairs(installed(NAMES, o.names, names.read)) do
    if o.skin_tones or not e.toned then list[#list + 1] = e end
  end
  if lfs.attributes(folder, "mode") ~= "directory" then assert(lfs.mkdir(folder)) end
  os.remove(folder .. "/metadata.jsonl")
  local rows, missing = pictures(folder, list, font, known, o.size or 48)
  local f = assert(io.open(folder .. "/metadata.jsonl", "wb"))
  assert(f:write(table.concat(rows, "\n"), "\n"))
  assert(f:close())
  return #rows, missing
end
