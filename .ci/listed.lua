-- Looks for every public name in the pages that LDoc wrote: `lua5.4 .ci/listed.lua doc`. LDoc leaves out, without a
-- word, what it cannot read.
local lfs = require "lfs"
local public = dofile((arg[0]:match "^(.*/)" or "") .. "public.lua")()

local text, folder = {}, arg[1] .. "/modules"
for name in lfs.dir(folder) do
  if name:find "%.html$" then
    local file = assert(io.open(folder .. "/" .. name))
    text[#text + 1] = file:read "a"
    file:close()
  end
end
text = table.concat(text)

local missing = {}
for _, p in ipairs(public) do
  if not text:find(('<a name = "%s">'):format(p.path), 1, true) then missing[#missing + 1] = p.path end
end
if #missing > 0 then
  io.stderr:write("public names that the pages leave out: ", table.concat(missing, ", "), "\n")
  os.exit(1)
end
print(#public .. " public names, all of them listed")
