-- Reads the sources of this checkout as text, for the specs that keep the house in order.

local lfs = require "lfs"

local sources = {}

-- The checkout that this very file is part of.
sources.root = (debug.getinfo(1, "S").source:match("^@(.*)/spec/support/sources%.lua$")) or "."

-- All files under a folder whose names end in one of the extensions: sorted paths, relative to the checkout.
function sources.files(folder, ...)
  local wanted, found = {}, {}
  for _, ext in ipairs{ ... } do wanted[ext] = true end
  local function walk(path)
    for name in lfs.dir(sources.root .. "/" .. path) do
      local inner = path .. "/" .. name
      if name:sub(1, 1) == "." then goto continue end
      if lfs.attributes(sources.root .. "/" .. inner, "mode") == "directory" then
        walk(inner)
      elseif wanted[name:match("%.(%w+)$") or ""] then
        found[#found + 1] = inner
      end
      ::continue::
    end
  end
  if lfs.attributes(sources.root .. "/" .. folder, "mode") == "directory" then walk(folder) end
  table.sort(found)
  return found
end

function sources.read(path)
  local file = assert(io.open(sources.root .. "/" .. path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function sources.lines(text)
  local lines = {}
  for line in (text:gsub("\n?$", "\n")):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

-- Lua text without its comments (long ones too): requires in prose do not count.
function sources.without_comments(text)
  text = text:gsub("%-%-%[(=*)%[.-%]%1%]", "")
  return (text:gsub("%-%-[^\n]*", ""))
end

-- Modules that Lua text requires by a literal name.
function sources.requires(text)
  local names = {}
  for name in sources.without_comments(text):gmatch("require%s*%(?%s*[\"']([%w_%.]+)[\"']") do
    names[#names + 1] = name
  end
  return names
end

-- Files that C text includes: quoted ones, then bracketed ones.
function sources.includes(text)
  local quoted, bracketed = {}, {}
  for kind, name in text:gmatch("#%s*include%s*([\"<])([^\">]+)[\">]") do
    local list = kind == "<" and bracketed or quoted
    list[#list + 1] = name
  end
  return quoted, bracketed
end

return sources
