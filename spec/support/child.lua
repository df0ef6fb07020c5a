-- Runs Lua in a process of its own, with this checkout's modules: for what may crash, hang, or must start afresh.

local lfs = require "lfs"
local sources = require "spec.support.sources"

local child = {}

local function absolute(path) return path:sub(1, 1) == "/" and path or lfs.currentdir() .. "/" .. path end

child.root = absolute(sources.root)
child.sanitized = os.getenv "LATERNA_SANITIZED" ~= nil

-- The folder that holds laterna/core.so.
function child.build()
  local so = assert(package.searchpath("laterna.core", package.cpath), "laterna.core is not built")
  return absolute(so):match("^(.*)/laterna/core%.so$")
end

function child.quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- Assignments that let a Lua find this checkout's modules, and nothing of another one.
function child.paths()
  local root = child.root
  return ("LUA_PATH=%s LUA_CPATH=%s"):format(
    child.quote(("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(root, root, root)),
    child.quote(child.build() .. "/?.so;;"))
end

-- The interpreter that runs this very process.
function child.interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

-- A folder of its own, which the caller removes with child.remove. Neither starts a process.
function child.folder()
  local path = os.tmpname()
  assert(os.remove(path))
  assert(lfs.mkdir(path))
  return path
end

-- What a file holds; "" where there is none.
function child.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

-- Writes a file below a folder, with the folders on its way. Returns its path.
function child.write(root, path, bytes)
  local so_far = root
  for part in path:gmatch "([^/]+)/" do
    so_far = so_far .. "/" .. part
    lfs.mkdir(so_far)
  end
  local file = assert(io.open(root .. "/" .. path, "wb"))
  file:write(bytes)
  file:close()
  return root .. "/" .. path
end

local function remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then remove(path .. "/" .. name) end
    end
  end
  os.remove(path)
end

function child.remove(path)
  assert(path:find "^/.+/.+")
  remove(path)
end

-- Runs Lua text. options: cd, seconds (60), megabytes (of address space; under sanitizers, of one allocation), env
-- (assignments), paths (another LUA_PATH and LUA_CPATH), flags (before the script), args (after it). Returns ok, output
-- (both streams), and how it ended.
function child.run(text, options)
  options = options or {}
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write(text)
  file:close()
  local paths = options.paths or child.paths()
  local limit = ""
  if options.megabytes and child.sanitized then
    limit = "export ASAN_OPTIONS=$ASAN_OPTIONS:max_allocation_size_mb=" .. options.megabytes .. "; "
  elseif options.megabytes then
    limit = "ulimit -v " .. options.megabytes * 1024 .. "; "
  end
  local command = ("cd %s && ( %sexec env %s %s timeout %d %s %s %s %s ) 2>&1 </dev/null"):format(
    child.quote(options.cd or "."), limit, paths, options.env or "", options.seconds or 60,
    child.interpreter(), options.flags or "", child.quote(script), options.args or "")
  local pipe = io.popen(command)
  local output = pipe:read "a"
  local ok, how, code = pipe:close()
  os.remove(script)
  return ok or false, output, how == "exit" and code == 124 and "time is up" or ("%s %d"):format(how, code)
end

--- How many files and folders a folder holds.
function child.count(folder)
  local n = 0
  for name in lfs.dir(folder) do n = n + (name:find "^%.%.?$" and 0 or 1) end
  return n
end

return child
