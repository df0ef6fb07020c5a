--- The ways in which a folder can say what its pictures show. Each returns a list of `{ file =, captions = }`, with
-- `class`, `repeats` or `metadata` where there are some, and how the layout is called; or nil and why there is nothing
-- to read. It reports what does not fit.
-- @module laterna.data.folder.captions
local classes = require "laterna.data.folder.classes"
local coco = require "laterna.data.folder.coco"
local files = require "laterna.data.folder.files"
local join = require("laterna.data.folder.tree").join
local Rows = require "laterna.data.folder.rows"
local splits = require "laterna.data.folder.splits"
local tables = require "laterna.data.folder.tables"

local captions = {}

local function one(set, file, caption)
  local found = set.classes
  return { file = file, captions = { caption }, class = found.of[file],
    repeats = found.repeats and found.repeats[file] }
end

-- Texts by the path, without its ending, that a picture beside them has. Of name.txt and name.caption the first counts.
local function texts_by_stem(set)
  local by_stem = {}
  for _, ending in ipairs { "txt", "caption" } do
    for _, text in ipairs(set.texts) do
      local stem = join(text.folder, text.stem)
      if text.ending == ending then
        local first = by_stem[stem]
        if first then
          set.report:add("unused", text.path, first.name .. " is there too")
        else
          by_stem[stem] = text
        end
      end
    end
  end
  return by_stem
end

-- Texts in a folder without pictures, images/a.png and captions/a.txt: by the path below the top folder, or by a name
-- that no other has.
local function texts_elsewhere(set, taken)
  local by_tail, by_stem, with_pictures = {}, {}, { [""] = true }
  for _, file in ipairs(set.tree.picture) do with_pictures[file.folder] = true end
  local function put(t, key, text) t[key] = t[key] == nil and text end
  for _, text in ipairs(set.texts) do
    if not taken[text] and not with_pictures[text.folder] and not set.report.noted[text.path] then
      local path = join(text.folder, text.stem)
      put(by_tail, path:gsub("^[^/]*/", ""), text)
      put(by_stem, text.stem, text)
    end
  end
  return function(file)
    return by_tail[join(file.folder, file.stem):gsub("^[^/]*/", "")] or by_stem[file.stem] or nil
  end
end

-- By picture its text, and by text whether a picture has it. Found once.
local function pairs_of(set)
  if set.text_of then return set.text_of, set.taken end
  local by_stem, text_of, taken, lonely = texts_by_stem(set), {}, {}, {}
  for _, file in ipairs(set.pictures) do
    local text = by_stem[join(file.folder, file.stem)] or by_stem[file.path]
    text_of[file] = text
    if text then taken[text] = true else lonely[#lonely + 1] = file end
  end
  local elsewhere = #lonely > 0 and texts_elsewhere(set, taken)
  for _, file in ipairs(lonely) do
    local text = elsewhere(file)
    text_of[file] = text
    if text then taken[text] = true end
  end
  set.text_of, set.taken = text_of, taken
  return text_of, taken
end

local BYSTANDERS = {}
for word in ([[readme license licence copying changelog changes notice authors citation credits attribution sources todo
  requirements about]]):gmatch "%S+" do BYSTANDERS[word] = true end

local function lone_text(report, text)
  if BYSTANDERS[text.stem:lower()] then return report:add("unused", text.path, "not a caption") end
  report:add("orphans", text.path, ("no %s.png"):format(text.stem), "no picture of that name")
end

-- The captions of all texts that pictures have, by path; and by path why a text is none.
local function read_texts(set, text_of)
  local paths, known = {}, {}
  for _, file in ipairs(set.pictures) do
    local text = text_of[file]
    if text and not known[text] then paths[#paths + 1], known[text] = text.path, true end
  end
  return files.read_captions(set.root, paths)
end

--- name.png beside name.txt or name.caption, at any depth.
-- @tparam table set as captions.find makes it
-- @treturn table the list
-- @treturn string
function captions.txt(set)
  local text_of, taken = pairs_of(set)
  local out, reported, texts, reasons = {}, {}, read_texts(set, text_of)
  for _, file in ipairs(set.pictures) do
    local text = text_of[file]
    if not text then
      set.report:add("orphans", file.path, ("no %s.txt"):format(file.stem), "no text of that name")
    else
      local caption = texts[text.path]
      if not reported[text] then
        if not caption then set.report:add("bad", text.path, reasons[text.path]) end
        if caption == "" then set.report:add("empty", text.path, "an empty caption") end
        reported[text] = true
      end
      if caption then
        out[#out + 1] = one(set, file, caption)
        out[#out].text = text
      else
        set.report:add("orphans", file.path, text.name .. " is bad", "its text is bad")
      end
    end
  end
  for _, text in ipairs(set.texts) do
    if not taken[text] and not set.report.noted[text.path] then lone_text(set.report, text) end
  end
  return out, "texts beside the pictures" .. (set.classes.repeats and ", kohya's folders with repeats" or "")
end

-- The splits of tables, by their folders and names. Where all tables are of one split, and nobody asked for another, it
-- is that one which is read.
local function split_tables(set, list)
  local first, same = nil, true
  for i, file in ipairs(list) do
    file.of_split = file.split or splits.in_name(file.stem)
    if file.of_split then set.there[file.of_split] = true end
    if i == 1 then first = file.of_split end
    same = same and file.of_split == first
  end
  if same and first and not set.split_asked then set.split = first end
end

-- What all tables say; pictures that none of them names are orphans.
local function from_tables(set, list, read)
  split_tables(set, list)
  local rows, shown = Rows.new(set), {}
  for _, file in ipairs(list) do
    if set.split == "all" or not file.of_split or file.of_split == set.split then
      file.used, shown[#shown + 1] = true, file.path
    else
      set.report:add("apart", file.path, "split " .. file.of_split)
    end
    read(file, rows, set)
  end
  local what = #shown > 2 and ("%s and %d more"):format(shown[1], #shown - 1) or table.concat(shown, ", ")
  for split in pairs(rows.splits) do set.there[split] = true end
  for _, file in ipairs(set.pictures) do
    if not rows.by_path[file.path] and (set.split == "all" or file.split == nil or file.split == set.split) then
      set.report:add("orphans", file.path, "not in " .. (#shown == 1 and list[1].name or "the tables"))
    end
  end
  for _, row in ipairs(rows.list) do
    row.repeats = set.classes.repeats and set.classes.repeats[row.file]
    row.class = row.class or set.classes.of[row.file]
  end
  return rows.list, what
end

local function no_table(what) return nil, ("no %s: No such file, or no names and captions in it"):format(what) end

--- metadata.jsonl: one object a line, with `file_name` and `text`, and whatever else; one in each folder, too.
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.jsonl(set)
  local list = set.candidates.jsonl
  if #list == 0 then return no_table "metadata.jsonl" end
  return from_tables(set, list, tables.jsonl)
end

--- Comma-, semicolon- or tab-separated values with a column of names and one of captions.
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.csv(set)
  local list = set.candidates.csv
  if #list == 0 then return no_table "captions.csv" end
  return from_tables(set, list, tables.csv)
end

--- Captions in JSON files, COCO's among them; several a picture.
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.coco(set)
  local list = {}
  for file in pairs(set.parsed()) do list[#list + 1] = file end
  table.sort(list, function(a, b) return a.path < b.path end)
  if #list == 0 then return no_table "JSON file with captions" end
  return from_tables(set, list, function(file, rows) coco.read(file, rows, set.parsed()[file]) end)
end

--- Sub-folders as classes: their names are the captions.
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.folders(set)
  local out, found = {}, set.classes
  for _, file in ipairs(set.pictures) do
    local class = found.of[file]
    local caption, reason = classes.caption(class or "")
    if not class then
      set.report:add("orphans", file.path, "not in a sub-folder")
    elseif not caption then
      set.report:add("bad", file.path, "the folder's name: " .. reason)
    else
      out[#out + 1] = one(set, file, caption)
    end
  end
  return out, ("names of %d folders%s"):format(found.count, found.repeats and ", kohya's, with repeats" or "")
end

--- File names as captions: "a red star_001.png" -> "a red star".
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.names(set)
  local out = {}
  for _, file in ipairs(set.pictures) do
    local caption, reason = files.caption((file.stem:gsub("[%s_%-]*%(?%d+%)?$", ""):gsub("[_%-]+", " ")))
    if caption then
      if caption == "" then set.report:add("empty", file.path, "an empty caption") end
      out[#out + 1] = one(set, file, caption)
    else
      set.report:add("bad", file.path, "the file's name: " .. reason)
    end
  end
  return out, "names of the files"
end

--- No captions at all: each is empty.
-- @tparam table set
-- @treturn table the list
-- @treturn string
function captions.none(set)
  local out = {}
  for i, file in ipairs(set.pictures) do out[i] = one(set, file, "") end
  return out, "none"
end

local function is_flat(set)
  local found = set.classes
  local inside = #set.pictures - #found.direct
  if inside == 0 or inside < #found.direct then return true end
  for _, class in pairs(found.of) do
    if found.count > 1 or not splits.is_plain(class) then return false end
  end
  return true
end

--- Which of them a folder looks like; nil where nothing says what the pictures show.
-- @tparam table set
-- @treturn string|nil
function captions.guess(set)
  if #set.candidates.jsonl > 0 then return "jsonl" end
  if #set.candidates.csv > 0 then return "csv" end
  if next(set.parsed()) then return "coco" end
  if next((pairs_of(set))) then return "txt" end
  return not is_flat(set) and "folders" or nil
end

return captions
