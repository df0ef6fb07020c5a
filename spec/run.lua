-- Runs specs with busted under this very Lua: `lua5.4 spec/run.lua [--quick] [busted options] [files or folders]`.
-- --quick leaves out what has a tag in its name: #training, #slow, #child (starts other processes), #isas (does so for
-- every instruction set).
-- Ends with a line "N passed, N failed" and a status to match.

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
  for name in require "lfs".dir(folder) do
    if name:match "%.lua$" then
      pcall(require, (prefix .. name:gsub("%.lua$", "")):gsub("%.init$", ""))
    elseif not name:match "^%." then
      read(folder .. "/" .. name, prefix .. name .. ".")
    end
  end
end
read(root .. "/lua", "")

local quick = arg[1] == "--quick" and table.remove(arg, 1) ~= nil
local asked = false
for i, a in ipairs(arg) do
  asked = asked or (a:sub(1, 1) ~= "-" and not (arg[i - 1] or ""):match("^%-%w$"))
end
-- The specs of memory collect garbage some thousand times: they come first, while there is little.
if not asked then
  for _, a in ipairs { "/spec/memory_spec.lua", "/spec/base/memory_spec.lua", "/spec" } do
    table.insert(arg, root .. a)
  end
  table.insert(arg, "--exclude-pattern=^memory_spec")
end
if quick then table.insert(arg, 1, "--exclude-tags=training,slow,child,isas") end
table.insert(arg, 1, "--helper=spec.support." .. (quick and "quick" or "summary"))

runner{ standalone = false }
