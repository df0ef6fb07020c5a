-- What a user can reach from `require "laterna"`, under the name that is typed: a list of { path, value }, sorted.
-- path: "lt.nn.UNet", "lt.tensor:sum"; value: the function, or the class that is called like one. Nothing is listed by
-- hand. Objects that functions return are not looked into, but for tensors and generators.
local lt = require "laterna"

local DEPTH <const> = 3 -- lt.flow.layers.Glow

-- Parts that load when they are first used: pairs brings all of them.
local function load_parts(v)
  local mt = getmetatable(v)
  if type(mt) == "table" and mt.__pairs then pairs(v) end
end

local function is_class(v) return type(v) == "table" and type(rawget(v, "__index")) == "table" end

local function is_called(v)
  local mt = type(v) == "table" and getmetatable(v)
  return type(v) == "function" or type(mt) == "table" and mt.__call ~= nil
end

local function is_method(v) return type(v) == "function" and debug.getlocal(v, 1) == "self" end

-- Classes write these for the module that all layers are.
local OWN <const> = { forward = true, describe = true }

local function names_in(v)
  local names = {}
  for name in next, v do names[#names + 1] = type(name) == "string" and name or nil end
  table.sort(names)
  return names
end

local function walk(list, path, v, depth, seen)
  if is_called(v) then list[#list + 1] = { path = path, value = v } end
  if type(v) ~= "table" or seen[v] or depth == 0 then return end
  seen[v] = true
  load_parts(v)
  for _, name in ipairs(names_in(v)) do
    local inner = rawget(v, name)
    if not name:find "^_" then
      if not is_class(v) or not is_method(inner) then
        walk(list, path .. "." .. name, inner, depth - 1, seen)
      elseif not OWN[name] then
        list[#list + 1] = { path = path .. ":" .. name, value = inner }
      end
    end
  end
end

return function()
  local list = {}
  walk(list, "lt", lt, DEPTH, {})
  for name, object in pairs { tensor = lt.ones(1), generator = lt.generator(1) } do
    for method, f in next, debug.getmetatable(object).methods do
      list[#list + 1] = { path = ("lt.%s:%s"):format(name, method), value = f }
    end
  end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end
