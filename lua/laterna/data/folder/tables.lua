--- Captions in tables: metadata.jsonl, one object a line, and comma-, semicolon- or tab-separated values.
-- @module laterna.data.folder.tables
local csv = require "laterna.data.folder.csv"
local files = require "laterna.data.folder.files"
local json = require "laterna.data.folder.json"
local names = require "laterna.data.folder.names"
local Rows = require "laterna.data.folder.rows"

local tables = {}

local LONGEST_ROW <const>, LARGEST <const> = 1 << 20, 1 << 28

-- Texts that may be tables.
local LISTS = { captions = true, labels = true, metadata = true, annotations = true, prompts = true, list = true }

-- An object of metadata.jsonl -> a row; what is neither name nor caption is kept as its metadata.
local function row_of(value, key)
  local name_key = Rows.column(value, "name") or "file_name"
  local text_key = key or Rows.column(value, "text") or "text"
  local row = { name = value[name_key], text = value[text_key], key = text_key, split = nil, metadata = value }
  row.split = Rows.split_of(value.split, "")
  value[name_key], value[text_key] = nil, nil
  return row
end

--- Reads metadata.jsonl into rows.
-- @tparam table file of the tree
-- @tparam Rows rows
-- @tparam table o `key`: which field is the caption; `root`
function tables.jsonl(file, rows, o)
  for number, line in files.lines(o.root .. "/" .. file.path, LONGEST_ROW) do
    local where = file.path .. ":" .. number
    if not line then
      rows.report:add("bad", where, ("a row longer than %d bytes"):format(LONGEST_ROW))
    elseif line:find "%S" then
      local value, reason = json.decode(line)
      if value then
        local row = row_of(value, o.key)
        row.line, row.below, row.split = number, file.folder, row.split or file.of_split
        rows:add(where, row)
      else
        rows.report:add("bad", where, reason, "not a JSON object")
      end
    end
  end
end

local function trimmed(text) return (text:gsub("^[%s\u{feff}]+", ""):gsub("%s+$", "")) end

-- A header -> the places of name, text, class and split, and the names of all columns; or nil.
local function header(fields, key)
  local place, titles = {}, {}
  for i, title in ipairs(fields) do
    titles[i] = trimmed(title)
    place[titles[i]:lower()] = i
  end
  local function of(what) return place[Rows.column(place, what) or ""] end
  local text = key and place[key:lower()] or not key and of "text" or nil
  local head = { name = of "name", text = text or of "class", class = of "class", split = of "split", titles = titles }
  return head.name and head.text and head.name ~= head.text and head or nil
end

-- Which separator gives columns for names and captions? Without a header the first column has to name a picture.
local function dialect(text, index, file, key)
  for _, separator in ipairs { ",", ";", "\t", "|" } do
    local _, fields = csv.rows(text, separator)()
    local head = fields and header(fields, key)
    if head then return separator, head end
  end
  for _, separator in ipairs { "\t", ",", ";", "|" } do
    local _, fields = csv.rows(text, separator)()
    if fields and #fields == 2 and names.find(index, file.folder, trimmed(fields[1])) then
      return separator, { name = 1, text = 2, titles = {}, none = true }
    end
  end
end

-- The beginning of a file, to find out what it is.
local function beginning(path)
  local f = io.open(path, "rb")
  local text = f and f:read(65536)
  if f then f:close() end
  return text or ""
end

--- Is this a table with names of pictures and captions?
-- @tparam table file of the tree
-- @tparam table index from names.index
-- @tparam table o
-- @treturn boolean
function tables.is_csv(file, index, o)
  if file.kind == "text" and not LISTS[file.stem:lower():gsub("[^%a].*$", "")] then return false end
  return (file.ending == "csv" or file.ending == "tsv" or file.kind == "text") and
    dialect(beginning(o.root .. "/" .. file.path), index, file, o.key) ~= nil
end

--- The same of lines of JSON: metadata.jsonl always is one, another where its first line has a name and a caption.
-- @tparam table file of the tree
-- @tparam table o
-- @treturn boolean
function tables.is_jsonl(file, o)
  if file.ending ~= "jsonl" then return false end
  if file.name == "metadata.jsonl" then return true end
  local value = json.decode(beginning(o.root .. "/" .. file.path):match "^%s*([^\n]*)" or "")
  return value ~= nil and Rows.column(value, "name") ~= nil and (value[o.key or Rows.column(value, "text")]) ~= nil
end

local function csv_row(head, fields)
  local row = { name = trimmed(fields[head.name] or ""), text = fields[head.text], class = fields[head.class] }
  for i, title in ipairs(head.titles) do
    if i ~= head.name and i ~= head.text then
      row.metadata = row.metadata or {}
      row.metadata[title] = fields[i]
    end
  end
  row.split = Rows.split_of(fields[head.split], "")
  return row
end

--- Reads a table of separated values into rows; several rows of one picture are several captions.
-- @tparam table file of the tree
-- @tparam Rows rows
-- @tparam table o `key`: which column is the caption; `root`
function tables.csv(file, rows, o)
  local text, reason = files.read(o.root .. "/" .. file.path, LARGEST)
  if not text then return rows.report:add("bad", file.path, reason) end
  local separator, head = dialect(text, rows.index, file, o.key)
  if not separator then return rows.report:add("bad", file.path, "no columns for names and captions") end
  local first = not head.none
  for number, fields, fault in csv.rows(text, separator) do
    local where = file.path .. ":" .. number
    if not fields then
      rows.report:add("bad", where, fault)
    elseif not first and (#fields > 1 or fields[1]:find "%S") then
      local row = csv_row(head, fields)
      row.line, row.below, row.split = number, file.folder, row.split or file.of_split
      rows:add(where, row, true)
    end
    first = false
  end
end

return tables
