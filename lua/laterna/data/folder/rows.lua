--- What tables say: rows that name a picture and give it one caption or several. One object collects the rows of all
-- tables of a folder, and reports those that do not fit.
-- @module laterna.data.folder.rows
local files = require "laterna.data.folder.files"
local names = require "laterna.data.folder.names"
local splits = require "laterna.data.folder.splits"

local Rows = {}
Rows.__index = Rows

--- The columns in which people write names, captions, classes and splits; the first that is there counts.
Rows.COLUMNS = {
  name = { "file_name", "filename", "file", "image", "image_name", "image_path", "img", "picture", "path", "filepath",
    "file_path", "image_id" },
  text = { "text", "caption", "captions", "prompt", "description", "comment", "sentence" },
  class = { "label", "class", "class_name", "category" },
  split = { "split" },
}

--- The key among those of a row (or header) that is the column for `what`.
-- @tparam table has with the row's keys as keys
-- @tparam string what "name", "text", "class" or "split"
-- @treturn string|nil
function Rows.column(has, what)
  for _, key in ipairs(Rows.COLUMNS[what]) do
    if has[key] ~= nil then return key end
  end
end

--- Rows of a folder.
-- @tparam table set `index`, from names.index; `split`, the one that is wanted, or "all"; `report`
-- @treturn Rows
function Rows.new(set)
  return setmetatable({ index = set.index, split = set.split, report = set.report, list = {}, by_path = {},
    splits = {} }, Rows)
end

-- One text or a list of texts -> a list of captions, or nil and the reason.
local function captions_of(text, key)
  local list = type(text) == "table" and #text > 0 and text or { text }
  local out, known = {}, {}
  for i = 1, #list == 0 and 1 or #list do
    if type(list[i]) ~= "string" then return nil, key .. ": expected text, got " .. type(list[i]) end
    local caption, reason = files.caption(list[i])
    if not caption then return nil, reason end
    if not known[caption] then out[#out + 1] = caption end
    known[caption] = true
  end
  return out
end

-- Is a row of a split that is not wanted, or about a picture of one?
local function is_apart(self, split)
  return self.split ~= "all" and split ~= nil and split ~= self.split
end

local function join_captions(kept, captions)
  local known = {}
  for _, caption in ipairs(kept) do known[caption] = true end
  for _, caption in ipairs(captions) do
    if not known[caption] then kept[#kept + 1] = caption end
  end
end

--- Takes one row.
-- @tparam string where a path and a line, as in `metadata.jsonl:3`
-- @tparam table row `name`; `text`, a text or a list of them; `key`, what the text is called; `class`, `split`,
-- `metadata` where there are some; `below`, the folder of the table; `line`
-- @tparam[opt] boolean several further rows of one picture are further captions
function Rows:add(where, row, several)
  local file, reason, missing = names.find(self.index, row.below, row.name, row.split or self.split)
  if row.split then self.splits[row.split] = true end
  if file then file.split = file.split or row.split end
  if is_apart(self, row.split) or file and is_apart(self, file.split) then return end
  if not file then
    self.report:add(missing and "orphans" or "bad", where, missing and "no picture " .. missing or reason,
      missing and "no such picture")
    return
  end
  local captions, fault = captions_of(row.text, row.key or "text")
  if not captions then return self.report:add("bad", where, fault) end
  local known = self.by_path[file.path]
  if known and several then return join_captions(known.captions, captions) end
  if known then
    return self.report:add("bad", where, ("%s is named in line %d already"):format(file.path, known.line))
  end
  if captions[1] == "" and #captions == 1 then self.report:add("empty", where, "an empty caption") end
  known = { file = file, captions = captions, class = row.class, metadata = row.metadata, line = row.line }
  self.by_path[file.path] = known
  table.insert(self.list, known)
end

--- The split of a value in a row, or of the name of a table.
-- @param value
-- @tparam string stem
-- @treturn string|nil
function Rows.split_of(value, stem) return splits.of(value) or splits.in_name(stem) end

return Rows
