--- The folder of a run.
-- @module laterna.train.folder
local need = require "laterna.need"

local folder = {}

local NOT_THERE = { [2] = true, [20] = true } -- ENOENT, ENOTDIR

local function attributes(path)
  return need("lfs", "lua-filesystem", "luafilesystem").attributes(path, "size")
end

--- How many bytes a file has; nil where there is none. A file that may not be looked at is an error: it is there.
-- @tparam string path
-- @treturn ?integer
function folder.size(path)
  local size, why, code = attributes(path)
  if size or NOT_THERE[code] then return size end
  error(("cannot look at %s: %s"):format(path, why), 0)
end

--- Does a file exist, readable or not?
function folder.exists(path)
  return folder.size(path) ~= nil
end

--- Makes a folder, and those above it.
-- @tparam string path
function folder.make(path)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local so_far = path:sub(1, 1) == "/" and "/" or ""
  for part in path:gmatch "[^/]+" do
    so_far = so_far .. part
    local ok, why = lfs.mkdir(so_far)
    if not ok and lfs.attributes(so_far, "mode") ~= "directory" then
      error(("cannot make the folder %s: %s"):format(so_far, why), 0)
    end
    so_far = so_far .. "/"
  end
  if so_far == "" then error("the folder to save in has no name", 0) end
end

--- Renames a file, if there is one, to <path>.previous.
-- @tparam string path
-- @tparam[opt] boolean all keep what has that name already: then <path>.previous-2, -3, ..
-- @treturn ?string the new name
function folder.set_aside(path, all)
  if not folder.exists(path) then return end
  local name, n = path .. ".previous", 1
  while all and folder.exists(name) do
    n = n + 1
    name = ("%s.previous-%d"):format(path, n)
  end
  local ok, why = os.rename(path, name)
  if not ok then error(("cannot set aside %s"):format(why), 0) end
  return name
end

return folder
