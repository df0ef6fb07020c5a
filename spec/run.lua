-- Runs specs with busted under this very Lua:
--   lua5.4 spec/run.lua [--quick] [--part=1/2] [busted options] [files or folders]
-- --quick leaves out what has a tag in its name: #training, #slow, #child (starts other processes), #isas (does so for
-- every instruction set). --part takes every second file, from the first or from the second one on; or every third.
-- Ends with a line "N passed, N failed" and a status to match.

local lfs = require "lfs"

local root = arg[0]:match("^(.*)/spec/run%.lua$") or "."
local build = os.getenv("LATERNA_BUILD") or root .. "/build"

-- This checkout comes first; a module installed somewhere else only serves where nothing has been built here.
package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;%s"):format(root, root, root, package.path)
package.cpath = ("%s;%s/?.so"):format(package.cpath, build)

local ok, runner = pcall(require, "busted.runner")
if not ok then
  io.stderr:write("busted for Lua 5.4 is missing: apt-get install lua-busted\n",
                  "elsewhere: luarocks --lua-version 5.4 install busted\n")
  os.exit(1)
end

-- busted forgets between files what was required in them. The library stays, as in a user's program: read anew by every
-- file, it would be there two hundred times before the last.
local function read(folder, prefix)
  for name in lfs.dir(folder) do
    if name:match "%.lua$" then
      pcall(require, (prefix .. name:gsub("%.lua$", "")):gsub("%.init$", ""))
    elseif not name:match "^%." then
      read(folder .. "/" .. name, prefix .. name .. ".")
    end
  end
end
read(root .. "/lua", "")

-- All files of specs at a path, or below it.
local function specs(path, found)
  if lfs.attributes(path, "mode") ~= "directory" then
    found[#found + 1] = path
    return
  end
  for name in lfs.dir(path) do
    local inner = path .. "/" .. name
    if name:match "_spec%.lua$" or (name:match "^[^.]" and lfs.attributes(inner, "mode") == "directory") then
      specs(inner, found)
    end
  end
end

local options, found, quick, first, step = {}, {}, false, 1, 1
for i, a in ipairs(arg) do
  if a == "--quick" then
    quick = true
  elseif a:match "^%-%-part=" then
    first, step = a:match "(%d+)/(%d+)$"
  elseif a:match "^%-" or (arg[i - 1] or ""):match "^%-%w$" then
    options[#options + 1] = a
  else
    specs(a, found)
  end
end
if #found == 0 then specs(root .. "/spec", found) end
-- The specs of memory collect garbage some thousand times: they come first, while there is little.
local function order(path) return (path:match "memory_spec" and "0" or "1") .. path end
table.sort(found, function(a, b) return order(a) < order(b) end)
local chosen = {}
for i, word in pairs(arg) do chosen[i] = i <= 0 and word or nil end -- how Lua was called
table.move(options, 1, #options, 1, chosen)
for i = math.tointeger(first), #found, math.tointeger(step) do chosen[#chosen + 1] = found[i] end
if #chosen == #options then -- for busted that would mean all of them
  print "0 passed, 0 failed"
  os.exit(0)
end
if quick then table.insert(chosen, 1, "--exclude-tags=training,slow,child,isas") end
table.insert(chosen, 1, "--helper=spec.support." .. (quick and "quick" or "summary"))

arg = chosen -- luacheck: ignore (busted reads it)
runner{ standalone = false }
