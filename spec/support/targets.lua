-- Everything that there is to call: a list, by path, of {path, f, recipe, names, method}; recipe() gives arguments that
-- work.
local core = require "laterna.core"
local lt = require "laterna"
local recipes = require "spec.support.hostile_recipes"
local sources = require "spec.support.sources"

local targets, seen, objects = {}, {}, {}

local SKIP = {
  ["terminal_size"] = true, -- asks the terminal
  ["train.arguments"] = true, -- reads the command line, and ends the process when that is wrong
}

-- Functions that pass on what others raise.
local OTHERS = { show = "show load_png load_picture" }

local function add(path, f, recipe, names, method)
  if seen[f] or SKIP[path] then return end
  seen[f] = true
  targets[#targets + 1] = { path = path, f = f, recipe = recipe, names = names or OTHERS[path] or path:match "[%w_]+$",
                            method = method }
end

local function callable(v)
  local mt = type(v) == "table" and getmetatable(v)
  return mt and mt.__call ~= nil
end

-- Classes are called, and so are the methods of what they make.
local function walk(path, v, depth)
  if type(v) == "function" then
    add(path, v, recipes[path] or recipes[path:match "[%w_]+$"])
  elseif type(v) == "table" and depth > 0 and not seen[v] then
    if callable(v) then
      add(path, v, recipes[path])
      if recipes[path] and rawget(v, "__index") then objects[path] = function() return v(recipes[path]()) end end
    end
    seen[v] = true
    for key, inner in next, v do
      local class_method = rawget(v, "__index") ~= nil and type(inner) == "function"
      if type(key) == "string" and not key:find "^__" and not class_method then
        walk(path == "" and key or path .. "." .. key, inner, depth - 1)
      end
    end
  end
end

-- Methods, on an object that works and on everything else.
local function walk_methods(path, make, methods)
  for name, f in pairs(methods) do
    if type(f) == "function" and not name:find "^__" then
      local recipe = recipes[path .. ":" .. name] or function() return make() end
      add(path .. ":" .. name, f, recipe, name .. " " .. path, true)
    end
  end
end

walk("", core, 2)
local methods = getmetatable(core.ones(1))
for _, name in ipairs{ "__add", "__sub", "__mul", "__div", "__pow", "__unm", "__len", "__index", "__newindex", "__eq",
                       "__tostring", "__close", "__gc", "__call", "__concat", "__lt", "__le", "__mod", "__idiv" } do
  if methods[name] then
    add("tensor." .. name, methods[name], function() return core.ones(2, 3), 1, 2 end,
        name:sub(3) .. " " .. "index tensor add sub mul div pow neg select")
  end
end
-- The parts that load when they are used have to be asked for by name.
local parts = 0
for part in sources.read("lua/laterna/init.lua"):gmatch "([%w_]+) = \"laterna%.[%w_%.]+\"" do
  walk(part, assert(lt[part], part), 3)
  parts = parts + 1
end
assert(parts > 10)

function objects.dataset() return lt.data.scenes{ n = 4, size = 16, seed = 1 } end
function objects.batches() return objects.dataset():batches(2) end
objects.sampler = recipes.sampler
for name, make in pairs(objects) do
  local class = getmetatable(make())
  while type(class) == "table" do
    walk_methods(name, make, class)
    local index = rawget(class, "__index")
    if type(index) == "table" and index ~= class then walk_methods(name, make, index) end
    class = getmetatable(class)
  end
end

table.sort(targets, function(a, b) return a.path < b.path end)

return targets
