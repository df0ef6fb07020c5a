--- What lies in a folder: names in a fixed order, and only what is really inside it.
-- @module laterna.data.folder.files
local need = require "laterna.need"

local files = {}

local function join(a, b) return a == "" and b or a .. "/" .. b end

--- Lists one folder below `root`: pictures (*.png), texts (*.txt) and sub-folders, each sorted by name; hidden ones are
-- passed over. Symbolic links are reported as bad unless `follow`.
-- @tparam string root
-- @tparam string below "" or a path inside root
-- @treturn table `pictures`, `texts`, `folders`: lists of paths inside root
function files.list(root, below, follow, report)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local names, found = {}, { pictures = {}, texts = {}, folders = {} }
  for name in lfs.dir(join(root, below)) do
    if name:sub(1, 1) ~= "." then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local inside = join(below, name)
    local path = join(root, inside)
    local link = lfs.symlinkattributes(path, "mode") == "link"
    local mode, ending = lfs.attributes(path, "mode"), name:lower():match "%.(%w+)$"
    local list = mode == "directory" and "folders" or
      mode == "file" and (ending == "png" and "pictures" or ending == "txt" and "texts") or nil
    if link and list and not follow then
      report:add("bad", inside, "a symbolic link; symlinks = true follows it")
    elseif list then
      table.insert(found[list], inside)
    elseif ending == "png" then
      report:add("bad", inside, link and "a symbolic link that leads nowhere" or "not a file")
    end
  end
  return found
end

-- The first symbolic link on the way from root to root/inside.
local function link_on_the_way(lfs, root, inside)
  local path = root
  for part in inside:gmatch "[^/]+" do
    path = path .. "/" .. part
    if lfs.symlinkattributes(path, "mode") == "link" then return path end
  end
end

--- Is `name`, which somebody wrote into a file, a picture inside root? Returns the cleaned path, or nil and the reason.
function files.inside(root, name, follow)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  if type(name) ~= "string" or name == "" then return nil, "file_name: expected text, got " .. type(name) end
  if name:find "%z" then return nil, "file_name: holds a zero byte" end
  if name:find "^[/\\]" or name:find "^%a:" then return nil, "file_name: absolute paths are refused" end
  for part in name:gmatch "[^/\\]+" do
    if part == ".." then return nil, "file_name: leads out of the folder" end
  end
  local clean = name:gsub("/+", "/"):gsub("^%./", ""):gsub("/%./", "/"):gsub("/$", "")
  if not clean:lower():find "%.png$" then return nil, "file_name: not a .png file" end
  local link = not follow and link_on_the_way(lfs, root, clean)
  if link then return nil, "file_name: passes a symbolic link; symlinks = true follows it" end
  if lfs.attributes(root .. "/" .. clean, "mode") ~= "file" then return nil, "file_name: no such file", clean end
  return clean
end

local MOST = 64 * 1024

--- A caption as it is kept: valid UTF-8, one line, no blanks around it. Returns nil and the reason when it is not text.
function files.caption(text)
  if #text > MOST then return nil, ("caption: longer than %d bytes"):format(MOST) end
  if not utf8.len(text) then return nil, "caption: not valid UTF-8" end
  return (text:gsub("^\u{feff}", ""):gsub("[%s%c]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- Reads a caption file.
function files.read_caption(path)
  local f, reason = io.open(path, "rb")
  if not f then return nil, reason end
  local text, why = f:read(MOST + 1)
  f:close()
  if not text and why then return nil, why end
  return files.caption(text or "")
end

--- Iterates over the lines of a file: number and text, or number and false where a line is longer than `most` bytes.
-- However long a line is, no more than `most` and a block of it is held.
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
