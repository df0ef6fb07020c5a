--- Captions in one JSON file: COCO's `images` and `annotations`, Karpathy's `images` with `sentences`, a list of
-- objects, or an object with names of pictures as keys. Chen et al., "Microsoft COCO Captions", 2015.
-- @module laterna.data.folder.coco
local files = require "laterna.data.folder.files"
local json = require "laterna.data.folder.json"
local names = require "laterna.data.folder.names"
local Rows = require "laterna.data.folder.rows"

local coco = {}

local LARGEST <const> = 1 << 28

local function is_list(v) return type(v) == "table" and v[1] ~= nil end

-- { images = {{ id =, file_name = }}, annotations = {{ image_id =, caption = }} } -> rows, in the order of the images.
local function from_coco(value, key)
  local by_id, rows = {}, {}
  for _, image in ipairs(value.images) do
    if type(image) == "table" and (type(image.id) == "number" or type(image.id) == "string") then
      local row = { name = image.file_name, text = {}, split = Rows.split_of(image.split, "") }
      by_id[image.id], rows[#rows + 1] = row, row
    end
  end
  local any = false
  for _, annotation in ipairs(value.annotations) do
    local row = type(annotation) == "table" and annotation.image_id ~= nil and by_id[annotation.image_id]
    local caption = row and annotation[key or "caption"]
    if type(caption) == "string" then
      any = true
      table.insert(row.text, caption)
    end
  end
  return any and rows or nil
end

local function from_karpathy(value)
  local rows, any = {}, false
  for i, image in ipairs(value.images) do
    if type(image) ~= "table" or type(image.sentences) ~= "table" then return nil end
    local texts = {}
    for _, sentence in ipairs(image.sentences) do
      texts[#texts + 1] = type(sentence) == "table" and sentence.raw or sentence
    end
    any = any or #texts > 0
    rows[i] = { name = image.filename or image.file_name, text = texts, split = Rows.split_of(image.split, "") }
  end
  return any and rows or nil
end

local function from_list(value, key)
  local rows = {}
  for i, object in ipairs(value) do
    if type(object) ~= "table" then return nil end
    local name_key, text_key = Rows.column(object, "name"), key or Rows.column(object, "text")
    if i == 1 and not (name_key and object[text_key]) then return nil end
    rows[i] = { name = object[name_key or "file_name"], text = object[text_key or "text"],
      split = Rows.split_of(object.split, "") }
  end
  return rows
end

-- { ["a.png"] = "a caption" }, a list of them, or an object with a caption, as kohya's scripts write.
local function from_map(value, key, index, below)
  local keys, rows, found = {}, {}, false
  for name in pairs(value) do
    if type(name) ~= "string" then return nil end
    keys[#keys + 1] = name
  end
  table.sort(keys)
  for i, name in ipairs(keys) do
    local text = value[name]
    if type(text) == "table" and not is_list(text) then text = text[key or Rows.column(text, "text") or "tags"] end
    rows[i] = { name = name, text = text }
    found = found or text ~= nil and names.find(index, below, name) ~= nil
  end
  return found and rows or nil
end

local function rows_of(value, o, index, below)
  if is_list(value.images) and is_list(value.annotations) then return from_coco(value, o.key) end
  if is_list(value.images) then return from_karpathy(value) end
  if is_list(value) then return from_list(value, o.key) end
  return from_map(value, o.key, index, below)
end

--- The rows of a JSON file.
-- @tparam table file of the tree
-- @tparam table index from names.index
-- @tparam table o `root`, and `key`: which field is the caption
-- @treturn table|nil rows, or nil where it holds no captions
-- @treturn string|nil the reason, where it is no JSON
function coco.parse(file, index, o)
  local text, reason = files.read(o.root .. "/" .. file.path, LARGEST)
  if not text then return nil, reason end
  -- COCO's boxes and outlines are large files; whether there are captions in one is seen before it is parsed.
  local key = ('"%s"'):format(o.key or "caption")
  if text:find('"annotations"', 1, true) and not text:find(key, 1, true) then return nil end
  local value, fault = json.decode(text)
  if not value then return nil, fault end
  return rows_of(value, o, index, file.folder)
end

--- Hands the rows of a JSON file on; several captions of a picture are kept. Rows without a caption say nothing: their
-- pictures are reported like those that no row names.
-- @tparam table file of the tree
-- @tparam Rows rows
-- @tparam table parsed from coco.parse
function coco.read(file, rows, parsed)
  for i, row in ipairs(parsed) do
    row.line, row.below, row.split = i, file.folder, row.split or file.of_split
    if type(row.text) == "table" and #row.text == 0 then row.text = nil end
    if row.text ~= nil then rows:add(file.path .. ":" .. i, row, true) end
  end
end

return coco
