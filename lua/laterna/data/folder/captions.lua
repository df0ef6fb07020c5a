--- Three ways in which a folder can say what its pictures show. Each returns a list of `{ name =, caption = }`, with
-- `class` or `metadata` where there are some, in a fixed order, and reports what does not fit.
-- @module laterna.data.folder.captions
local files = require "laterna.data.folder.files"
local need = require "laterna.need"

local captions = {}

local function note_if_empty(report, name, caption)
  if caption == "" then report:add("empty", name, "an empty caption") end
end

--- name.png beside name.txt.
function captions.txt(root, follow, report)
  local found, text_of, out = files.list(root, "", follow, report), {}, {}
  for _, name in ipairs(found.texts) do text_of[name:sub(1, -5)] = name end
  for _, name in ipairs(found.pictures) do
    local stem = name:sub(1, -5)
    local text = text_of[stem]
    text_of[stem] = nil
    if not text then
      report:add("orphans", name, "no " .. stem .. ".txt")
    else
      local caption, reason = files.read_caption(root .. "/" .. text)
      if caption then
        note_if_empty(report, text, caption)
        out[#out + 1] = { name = name, caption = caption }
      else
        report:add("bad", text, reason)
      end
    end
  end
  for _, name in ipairs(found.texts) do
    if text_of[name:sub(1, -5)] == name then report:add("orphans", name, "no " .. name:sub(1, -5) .. ".png") end
  end
  return out
end

local LONGEST_ROW = 1 << 20

-- One line of metadata.jsonl -> name, caption, all else that it says; or nil, a reason and, where it is the picture
-- that is missing, its name.
local function row(json, root, line, follow)
  local ok, value, stop, reason = pcall(json.decode, line)
  if not ok then return nil, "not JSON: nested too deeply" end
  if reason or type(value) ~= "table" then return nil, "not a JSON object" .. (reason and ": " .. reason or "") end
  if line:find("%S", stop) then return nil, "text after the JSON object" end
  local name, why, missing = files.inside(root, value.file_name, follow)
  if not name then return nil, why, missing end
  if type(value.text) ~= "string" then return nil, "text: expected text, got " .. type(value.text) end
  local caption, fault = files.caption(value.text)
  if not caption then return nil, fault end
  value.file_name, value.text = nil, nil
  return name, caption, value
end

local function read_rows(root, follow, report)
  local json = need("dkjson", "lua-dkjson", "dkjson")
  local out, line_of = {}, {}
  for number, line in files.lines(root .. "/metadata.jsonl", LONGEST_ROW) do
    local where = "metadata.jsonl:" .. number
    if not line then
      report:add("bad", where, "a row longer than %d bytes", LONGEST_ROW)
    elseif line:find "%S" then
      local name, caption, more = row(json, root, line, follow)
      if not name then
        report:add(more and "orphans" or "bad", where, more and "no picture " .. more or caption)
      elseif line_of[name] then
        report:add("bad", where, "%s is named in line %d already", name, line_of[name])
      else
        line_of[name] = number
        note_if_empty(report, where, caption)
        out[#out + 1] = { name = name, caption = caption, metadata = more }
      end
    end
  end
  return out, line_of
end

--- metadata.jsonl: one object a line, with `file_name` and `text`, and whatever else.
function captions.jsonl(root, follow, report)
  local out, line_of = read_rows(root, follow, report)
  local folders, known = { "" }, { [""] = true }
  for _, picture in ipairs(out) do
    local folder = picture.name:match "^(.*)/" or ""
    if not known[folder] then folders[#folders + 1] = folder end
    known[folder] = true
  end
  for _, folder in ipairs(folders) do
    for _, name in ipairs(files.list(root, folder, follow, report).pictures) do
      if not line_of[name] then report:add("orphans", name, "not in metadata.jsonl") end
    end
  end
  table.sort(out, function(a, b) return a.name < b.name end)
  return out
end

--- Sub-folders as classes: their names are the captions.
function captions.folders(root, follow, report)
  local found, out, classes = files.list(root, "", follow, report), {}, {}
  for _, name in ipairs(found.pictures) do report:add("orphans", name, "not in a sub-folder") end
  for _, folder in ipairs(found.folders) do
    local caption, reason = files.caption(folder)
    local pictures = files.list(root, folder, follow, report).pictures
    if not caption then
      report:add("bad", folder, reason)
    elseif #pictures > 0 then
      classes[#classes + 1] = caption
      for _, name in ipairs(pictures) do out[#out + 1] = { name = name, caption = caption, class = #classes } end
    end
  end
  return out, classes
end

--- Which of the three a folder looks like: metadata.jsonl, else pictures beside texts, else sub-folders.
function captions.guess(root, follow)
  local f = io.open(root .. "/metadata.jsonl", "rb")
  if f then
    f:close()
    return "jsonl"
  end
  local ignored = { add = function() end }
  local found = files.list(root, "", follow, ignored)
  return #found.texts == 0 and #found.folders > 0 and "folders" or "txt"
end

return captions
