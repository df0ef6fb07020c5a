--- Pictures of one's own: a folder of PNG files with captions.
-- @module laterna.data.folder
local captions = require "laterna.data.folder.captions"
local check = require "laterna.check"
local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local new_report = require "laterna.data.folder.report"
local need = require "laterna.need"

local MOST = 4096

local function is_size(v)
  local sides = type(v) == "table" and v or { v, v }
  local ok = #sides == 2
  for _, side in ipairs(sides) do ok = ok and math.type(side) == "integer" and side >= 1 and side <= MOST end
  return ok, ("an integer from 1 to %d or {height, width}"):format(MOST)
end

local KNOWN = {
  size = { is_size, 32 }, channels = { "integer", 3, min = 1, max = 4 }, max_pixels = { "integer", nil, min = 1 },
  captions = { "string", "auto", one_of = { "auto", "txt", "jsonl", "folders" } },
  bad = { "string", "skip", one_of = { "skip", "error" } }, quiet = { "boolean", false },
  symlinks = { "boolean", false },
}

-- A picture of the wanted size, or nil and the reason.
local function load(path, o, height, width)
  local ok, result = pcall(function()
    return core.fit_picture(core.load_png(path, { channels = o.channels, max_pixels = o.max_pixels }), height, width)
  end)
  if ok then return result end
  if tostring(result):find "interrupted!" then error(result, 0) end
  return nil, check.reason(result, path)
end

local function fill(root, list, o, report)
  local height, width = o.size, o.size
  if type(o.size) == "table" then height, width = o.size[1], o.size[2] end
  local images, kept = nil, {}
  for _, picture in ipairs(list) do
    local x, reason = load(root .. "/" .. picture.name, o, height, width)
    if x then
      images = images or core.zeros({ #list, height, width, o.channels }, { dtype = "uint8" })
      kept[#kept + 1] = picture
      images[#kept] = x
      x:free()
    else
      report:add("bad", picture.name, reason)
    end
  end
  return images and images[{ 1, #kept }], kept
end

local function assemble(images, kept, classes, report)
  local text, lists, labels = {}, { names = {} }, classes and {}
  for i, picture in ipairs(kept) do
    text[i], lists.names[i] = picture.caption, picture.name
    if labels then labels[i] = picture.class end
    if picture.metadata then
      lists.metadata = lists.metadata or {}
      lists.metadata[i] = picture.metadata
    end
  end
  return dataset.new { images = images, captions = text, lists = lists, classes = classes, report = report,
    labels = labels and core.tensor(labels, { dtype = "int32" }) }
end

--- Loads a folder of PNG files with captions, in the order of their names. Three layouts are understood: `name.png`
-- beside `name.txt`; `metadata.jsonl` with one object a line, `{"file_name": "a/b.png", "text": "a caption"}`, in which
-- other keys are kept; and sub-folders whose names are the classes. Every picture is cut to the largest centred part of
-- the wanted proportions and resized, as lt.fit_picture does: with 2 and 4 channels colours are weighted by alpha,
-- and a pixel with alpha 0 has no colour of its own (all its channels are 0).
--
-- What is wrong with a folder is found in `dataset.report` and printed once on stderr: orphans (a picture without
-- caption, a caption without picture), bad files and rows (by name and line), empty captions (these are kept).
-- @function folder
-- @tparam string path
-- @tparam[opt] table options
-- @tparam[opt=32] integer|table options.size a side, or {height, width}
-- @tparam[opt=3] integer options.channels 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha
-- @tparam[opt="auto"] string options.captions "txt", "jsonl", "folders", or "auto": found out
-- @tparam[opt="skip"] string options.bad "error" refuses the folder when anything is bad or orphaned
-- @tparam[opt=false] boolean options.quiet print nothing
-- @tparam[opt=false] boolean options.symlinks follow symbolic links, which may lead out of the folder
-- @tparam[opt] integer options.max_pixels refuse larger pictures, as load_png does
-- @treturn Dataset with `names` (paths inside the folder), `report`; for "folders" `labels` and `classes`; for "jsonl"
-- `metadata`, for each picture a table of the other keys of its row
return function(path, options)
  check.type("folder", 1, "path", path, "string")
  local o = check.options("folder", 2, options, KNOWN)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local mode, why = lfs.attributes(path, "mode")
  if mode ~= "directory" then
    check.fail("folder", 1, "path: %s", mode and path .. " is not a folder" or why)
  end
  local report = new_report(path)
  local kind = o.captions == "auto" and captions.guess(path, o.symlinks) or o.captions
  local list, classes = captions[kind](path, o.symlinks, report)
  local images, kept = fill(path, list, o, report)
  report.pictures = #kept
  if o.bad == "error" and not report:complete() then error(tostring(report), 2) end
  if not images then error(tostring(report) .. "\nno picture with a caption is left", 2) end
  if not o.quiet and not (report:complete() and #report.empty == 0) then io.stderr:write(tostring(report), "\n") end
  return assemble(images, kept, classes, report)
end
