--- The generators that a run draws from: each is part of what a checkpoint has to hold, wherever a script keeps it. An
-- augmentation may have one in a field, a time sampler in the scope of its function, a loop's body in a local variable.
--
-- They are found by walking from the run's own objects (`model.augment.generator`), then from the local variables of
-- the script's function that makes the run (`g`), over tables and what functions have in their scope; nearest first, so
-- that names are short, and in the natural order of names, so that they are the same in the next sitting. The default
-- generator is not among them: checkpoints hold it by itself. What the walk cannot find is Lua's own math.random, a
-- coroutine's local variables, and keys of tables that are neither texts nor numbers.
-- @module laterna.train.generators
local check = require "laterna.check"
local core = require "laterna.core"
local walk = require "laterna.nn.walk"

local generators = {}

local HOME = debug.getinfo(1, "S").source:match "^(.*)train/generators%.lua$" or "?"
local MOST = 200000 -- values that are looked at: a walk over all of somebody's data would take its time

-- What the walk does not enter: loaded modules and the globals, where everything leads to everything.
local function closed_values()
  local seen = { [_G] = true, [package.loaded] = true }
  for _, module in next, package.loaded do
    if type(module) == "table" or type(module) == "function" then seen[module] = true end
  end
  return seen
end

local function leads_on(v)
  local kind = type(v)
  return kind == "table" or kind == "function" or kind == "userdata" and check.is_generator(v)
end

-- f(key, value) for what is in a table, in natural order of its names.
local function each_field(t, f)
  local keys = {}
  for key, v in next, t do
    if leads_on(v) and (type(key) == "string" or math.type(key)) then keys[#keys + 1] = key end
  end
  if #keys > 1 then table.sort(keys, walk.before) end
  for _, key in ipairs(keys) do f(key, rawget(t, key)) end
end

local function each_upvalue(fn, f)
  for i = 1, debug.getinfo(fn, "u").nups do
    local name, v = debug.getupvalue(fn, i)
    if name ~= "_ENV" and leads_on(v) then f(name == "" and i or name, v) end
  end
end

-- Breadth first from roots {name, value}; what is found is added to the list, under a name that nobody has there.
local function search(roots, seen, list, own)
  local queue, first, taken = {}, 1, {}
  for _, entry in ipairs(list) do taken[entry.name] = entry.own == own end
  local function meet(name, v)
    if not leads_on(v) or seen[v] or #queue > MOST then return end
    seen[v] = true
    if type(v) ~= "userdata" then
      queue[#queue + 1] = { name, v }
      return
    end
    while taken[name] do name = name .. "'" end
    taken[name] = true
    list[#list + 1] = { name = name, generator = v, own = own }
  end
  for _, root in ipairs(roots) do meet(root[1], root[2]) end
  while queue[first] do
    local name, v = queue[first][1], queue[first][2]
    local each = type(v) == "table" and each_field or each_upvalue
    each(v, function(key, inner) meet(("%s.%s"):format(name, key), inner) end)
    queue[first] = false
    first = first + 1
  end
end

-- The level of the nearest function in Lua outside the library, counted for the caller of this one.
local function script_level()
  for level = 2, math.huge do
    local info = debug.getinfo(level, "S")
    if not info then return nil end
    if info.what ~= "C" and info.source:sub(1, #HOME) ~= HOME then return level - 1 end
  end
end

-- Variables that the script's function can use: its locals, of which a later one hides an earlier of the same name, and
-- what it has in its scope; of the globals the generators alone.
local function variables(level)
  local by_name, out = {}, {}
  for i = 1, math.huge do
    local name, v = debug.getlocal(level + 1, i)
    if not name then break end
    if name:sub(1, 1) ~= "(" then by_name[name] = v end
  end
  each_upvalue(debug.getinfo(level + 1, "f").func, function(name, v)
    if by_name[name] == nil then by_name[name] = v end
  end)
  for name, v in next, _G do
    if type(name) == "string" and type(v) == "userdata" and by_name[name] == nil then by_name[name] = v end
  end
  each_field(by_name, function(name, v) out[#out + 1] = { name, v } end)
  return out
end

--- Generators of a run and of the script's function that called the library.
-- @tparam {table,...} objects the run's own: {name, value}
-- @tparam {table,...} functions of the script's that the run calls: {name, value}
-- @tparam[opt] {table,...} earlier what an earlier search has found, which keeps its names
-- @treturn {table,...} {name, generator, own = whether the run's own objects lead to it}, the earlier ones first
function generators.find(objects, functions, earlier)
  local list, seen = table.move(earlier or {}, 1, #(earlier or {}), 1, {}), closed_values()
  seen[core.default_generator()] = true
  for _, entry in ipairs(list) do seen[entry.generator] = true end
  search(objects, seen, list, true)
  local level = script_level()
  local others = level and variables(level) or {}
  search(table.move(others, 1, #others, #functions + 1, table.move(functions, 1, #functions, 1, {})), seen, list, false)
  return list
end

return generators
