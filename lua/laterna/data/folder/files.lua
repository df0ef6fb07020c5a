--- Text out of files that nobody checked, in bounded pieces.
-- @module laterna.data.folder.files
local check = require "laterna.check"
local core = require "laterna.core"

local files = {}

local MOST <const> = 64 * 1024
local TOO_LONG <const> = ("caption: longer than %d bytes"):format(MOST)

--- A caption as it is kept: valid UTF-8, one line, no blanks around it.
-- @tparam string text
-- @treturn string|nil nil where it is no text
-- @treturn string the reason
function files.caption(text)
  local plain = text:match "^([!-~][ -~]*)\n?$" -- what most captions are
  if plain and not plain:find("  ", 1, true) and plain:byte(-1) ~= 32 and #plain < MOST then return plain end
  if #text > MOST then return nil, TOO_LONG end
  if text:find "^\xff\xfe" or text:find "^\xfe\xff" then return nil, "caption: UTF-16; save it as UTF-8" end
  if not utf8.len(text) then return nil, "caption: not valid UTF-8" end
  return (text:gsub("^\u{feff}", ""):gsub("[%s%c]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

local AT_ONCE <const> = 1024 -- files

--- Reads caption files, by all threads.
-- @tparam string root
-- @tparam {string,...} paths inside root
-- @treturn table by path the caption; what is no caption is not there
-- @treturn table by path the reason
function files.read_captions(root, paths)
  local captions, reasons = {}, {}
  for first = 1, #paths, AT_ONCE do
    local part = table.move(paths, first, math.min(first + AT_ONCE - 1, #paths), 1, {})
    local texts, faults = core.read_files(root, part, MOST)
    for i, path in ipairs(part) do
      if texts[i] then
        captions[path], reasons[path] = files.caption(texts[i])
      else
        local reason = check.reason(faults[i], root .. "/" .. path)
        reasons[path] = reason:find "more than the limit" and TOO_LONG or reason
      end
    end
  end
  return captions, reasons
end

--- Reads a whole file of at most so many bytes.
-- @tparam string path
-- @tparam integer most
-- @treturn string|nil the text, or nil and the reason
function files.read(path, most)
  local f, reason = io.open(path, "rb")
  if not f then return nil, check.reason(reason, path) end
  local size = f:seek "end"
  if not size or size > most then
    f:close()
    return nil, ("larger than %d bytes"):format(most)
  end
  f:seek "set"
  local text, why = f:read(size)
  f:close()
  return text or why == nil and "" or nil, why
end

--- Iterates over the lines of a file: number and text, or number and false where a line is longer than `most` bytes.
-- However long a line is, no more than `most` and a block of it is held.
-- @tparam string path
-- @tparam integer most
-- @treturn function
function files.lines(path, most)
  local f, reason = io.open(path, "rb")
  if not f then error("folder: " .. reason, 0) end
  local buffer, place, number, ended = "", 1, 0, false
  local function more()
    local block = f:read(65536)
    if block then
      buffer, place = buffer:sub(place) .. block, 1
    else
      ended = true
      f:close()
    end
  end
  return function()
    local stop, long = buffer:find("\n", place, true), false
    while not stop and not ended do
      if #buffer - place >= most then long, place = true, #buffer + 1 end
      more()
      stop = buffer:find("\n", place, true)
    end
    if not stop and place > #buffer and not long then return nil end
    local line = buffer:sub(place, (stop or #buffer + 1) - 1)
    place = (stop or #buffer) + 1
    number = number + 1
    return number, not long and #line <= most and line
  end
end

return files
