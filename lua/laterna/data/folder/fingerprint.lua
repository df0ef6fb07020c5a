--- What a data set of a folder was made of: options and files. A cache is used only where they are the same.
-- @module laterna.data.folder.fingerprint
local blob = require "laterna.data.folder.blob"
local core = require "laterna.core"

local fingerprint = {}

local function text_of(v)
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  for i, part in ipairs(v) do parts[i] = text_of(part) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Options that decide what is read, as texts by name, and what else decides it.
-- @tparam table o
-- @treturn table
function fingerprint.options(o)
  return { size = ("%dx%d"):format(o.height, o.width), channels = text_of(o.channels), fit = o.fit,
    background = text_of(o.background), max_pixels = text_of(o.max_pixels), captions = o.captions,
    key = text_of(o.key), split = text_of(o.split), repeats = text_of(o.repeats), ignore = text_of(o.ignore),
    symlinks = text_of(o.symlinks), ["formats of this build"] = text_of(core.info().formats) }
end

-- Of files that are no pictures, texts or tables only the names count: nobody reads them.
local function is_read(file) return file.kind ~= "other" and not file.aside end

--- The files of a walk, as bytes: path, size and time of each; and what the walk could not enter.
-- @tparam table found from tree.walk
-- @tparam Report report of the walk
-- @treturn string
function fingerprint.files(found, report)
  local out, noted = {}, {}
  for i, file in ipairs(found.files) do
    local read = is_read(file)
    out[i] = ("<s4i8i8"):pack(file.path, read and file.size or -1, read and file.time or -1)
  end
  for _, list in ipairs { "bad", "unused", "apart" } do
    for _, problem in ipairs(report[list]) do noted[#noted + 1] = { list, problem.name, problem.reason } end
  end
  return blob.encode { table.concat(out), noted }
end

-- By path the size and time of each file, as bytes.
local function by_path(files)
  local all, value = {}, blob.decode(files)
  local text, place = type(value) == "table" and value[1], 1
  while type(text) == "string" and place <= #text do
    local ok, path, after = pcall(string.unpack, "<s4", text, place)
    if not ok then break end
    all[path], place = text:sub(after, after + 15), after + 16
  end
  return all
end

local function counted(names, what)
  table.sort(names)
  return ("%d %s (%s%s)"):format(#names, what, names[1], #names > 1 and ", ..." or "")
end

local function different_files(was, is)
  local before, now = by_path(was), by_path(is)
  local changed, new, gone, parts = {}, {}, {}, {}
  for path, v in pairs(now) do
    if not before[path] then new[#new + 1] = path elseif before[path] ~= v then changed[#changed + 1] = path end
  end
  for path in pairs(before) do
    if not now[path] then gone[#gone + 1] = path end
  end
  for what, names in pairs { changed = changed, new = new, gone = gone } do
    if #names > 0 then parts[#parts + 1] = counted(names, what) end
  end
  table.sort(parts, function(a, b) return a:match "%a+" < b:match "%a+" end)
  return #parts > 0 and "files: " .. table.concat(parts, ", ") or "links, or what cannot be listed, are others"
end

--- Why two fingerprints differ, in words; nil where they do not.
-- @tparam table was `options`, `files`
-- @tparam table is the same of now
-- @treturn string|nil
function fingerprint.difference(was, is)
  local names = {}
  for name in pairs(is.options) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local before = was.options[name]
    if before ~= is.options[name] then
      return ("%s is %s, was %s"):format(name, is.options[name], tostring(before))
    end
  end
  return was.files ~= is.files and different_files(was.files, is.files) or nil
end

return fingerprint
