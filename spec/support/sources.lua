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

-- The words and signs of Lua text, comments left out: a list of { kind = "name", "string" or "sign", text =, line = }.
local function tokens(text)
  local list, at, line = {}, 1, 1
  local function take(kind, first, last, value)
    if kind then list[#list + 1] = { kind = kind, text = value or text:sub(first, last), line = line } end
    line = line + select(2, text:sub(at, last):gsub("\n", ""))
    at = last + 1
  end
  while at <= #text do
    local long = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    local c = text:sub(at, at)
    if long then
      local kind = c == "[" and "string" or nil
      local from = text:find("[", at + (kind and 1 or 3), true) + 1
      local last = select(2, text:find("]" .. long .. "]", from, true)) or #text
      take(kind, at, last, text:sub(from, last - #long - 2))
    elseif text:find("^%-%-", at) then
      take(nil, at, (text:find("\n", at, true) or #text + 1) - 1)
    elseif c == '"' or c == "'" then
      local last = at + 1
      while last < #text and text:sub(last, last) ~= c do last = last + (text:sub(last, last) == "\\" and 2 or 1) end
      take("string", at, last, text:sub(at + 1, last - 1))
    elseif c:find("[%a_]") then
      take("name", at, select(2, text:find("^[%w_]+", at)))
    elseif c:find("%s") then
      take(nil, at, select(2, text:find("^%s+", at)))
    else
      take("sign", at, text:find("^%.%.", at) and at + 1 or at)
    end
  end
  return list
end

local OPENS = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true } -- for and while have a do

-- Every `require` of Lua text, comments left out: { line =, late = within a function, name = } where the name is
-- written out, { prefix = } where it is put together from one, neither where it is computed. And a set of all strings.
function sources.required(text)
  local list, strings, open, depth = {}, {}, {}, 0
  local words = tokens(text)
  for i, word in ipairs(words) do
    local function after(n) return words[i + n] or { kind = "end", text = "" } end
    if word.kind == "string" then
      strings[word.text] = true
    elseif word.kind == "name" and OPENS[word.text] then
      open[#open + 1] = word.text
      if word.text == "function" then depth = depth + 1 end
    elseif word.kind == "name" and (word.text == "end" or word.text == "until") then
      if table.remove(open) == "function" then depth = depth - 1 end
    elseif word.kind == "name" and word.text == "require" then
      local entry, n = { line = word.line, late = depth > 0 }, after(1).text == "(" and 2 or 1
      if after(n).kind == "string" then
        entry[n == 2 and after(3).text == ".." and "prefix" or "name"] = after(n).text
      end
      list[#list + 1] = entry
    end
  end
  return list, strings
end

-- Modules that Lua text requires by a literal name.
function sources.requires(text)
  local names = {}
  for _, entry in ipairs((sources.required(text))) do names[#names + 1] = entry.name end
  return names
end

-- The rings of a graph { node = list of nodes }, one sentence each: "a -> b -> a".
function sources.rings(graph)
  local state, path, found, nodes = {}, {}, {}, {}
  local function visit(node)
    state[node] = "open"
    path[#path + 1] = node
    for _, other in ipairs(graph[node] or {}) do
      if state[other] == "open" then
        local first = #path
        while path[first] ~= other do first = first - 1 end
        found[#found + 1] = table.concat(path, " -> ", first) .. " -> " .. other
      elseif not state[other] then
        visit(other)
      end
    end
    path[#path] = nil
    state[node] = "done"
  end
  for node in pairs(graph) do nodes[#nodes + 1] = node end
  table.sort(nodes)
  for _, node in ipairs(nodes) do
    if not state[node] then visit(node) end
  end
  return found
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
