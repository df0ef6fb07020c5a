--- How a module prints: its tree, and the number of its parameters.
--
--     Net(
--       (fc): Linear(4 -> 32)
--     ) 160 parameters
--
-- @module laterna.nn.describe
local core = require "laterna.core"
local walk = require "laterna.nn.walk"

local describe = {}

-- Sequential takes functions as well: those of the library are shown by name.
local function function_name(f)
  for name, value in pairs(core) do
    if value == f then return name end
  end
  return "function"
end

-- What is worth a line in the tree: modules, functions in a list, and tables that lead to a module.
local function shown(v, path)
  if walk.is_module(v) then return not path[v] end
  if type(v) ~= "table" or getmetatable(v) ~= nil or path[v] then return false end
  path[v] = true
  local found = false
  for _, inner in next, v do
    if shown(inner, path) then found = true break end
  end
  path[v] = nil
  return found
end

local function children(t, path)
  local keys = {}
  for key, v in next, t do
    local listed = math.type(key) == "integer" and type(v) == "function"
    if (type(key) == "string" or type(key) == "number") and (listed or shown(v, path)) then keys[#keys + 1] = key end
  end
  table.sort(keys, walk.before)
  return keys
end

local function lines(t, indent, path, out)
  path[t] = true
  for _, key in ipairs(children(t, path)) do
    local v = t[key]
    local label = ("%s(%s): "):format(indent, math.type(key) == "integer" and key - 1 or key)
    if type(v) == "function" then
      out[#out + 1] = label .. function_name(v)
    else
      local head = walk.is_module(v) and getmetatable(v).__name or "list"
      local words = walk.is_module(v) and v.describe and v:describe() or ""
      local start = #out + 1
      out[start] = label .. head .. "(" .. words
      lines(v, indent .. "  ", path, out)
      if #out == start then out[start] = out[start] .. ")" else out[#out + 1] = indent .. ")" end
    end
  end
  path[t] = nil
end

local function thousands(n)
  local text = tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

--- The tree as text.
-- @tparam module m
-- @treturn string
function describe.tree(m)
  if not walk.is_module(m) then return "module class" end
  local count = 0
  for _, entry in ipairs(walk.survey("tostring", m).tensors) do
    if not entry.buffer then count = count + entry.tensor:numel() end
  end
  local out = { getmetatable(m).__name .. "(" .. (m.describe and m:describe() or "") }
  lines(m, "  ", {}, out)
  if #out == 1 then out[1] = out[1] .. ")" else out[#out + 1] = ")" end
  return ("%s %s parameter%s"):format(table.concat(out, "\n"), thousands(count), count == 1 and "" or "s")
end

return describe
