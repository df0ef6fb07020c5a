--- The folder of a run.
-- @module laterna.train.folder
local need = require "laterna.need"

local folder = {}

--- Does a file exist?
function folder.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
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
function folder.set_aside(path)
  if not folder.exists(path) then return end
  local ok, why = os.rename(path, path .. ".previous")
  if not ok then error(("cannot set %s aside: %s"):format(path, why), 0) end
end

return folder
