-- Calls every function of the core, and every method of tensors, with tensors that have no element and an endless axis.
-- Before each call the file "last" says which it is: what hangs is the last one. Run in a process of its own, with a
-- limit of time (see empty_spec).
local core = require "laterna.core"
local recipes = require "spec.support.hostile_recipes"

local LONG <const> = 1 << 40
local SHAPES <const> = {
  { 0, LONG }, { LONG, 0 }, { 0, 0, 3 }, { LONG, 0, 3 }, { 0, LONG, 3 }, { 3, 0, LONG }, { LONG }, { 0, 4, 4, LONG },
  { LONG, 4, 4, 0 }, { 0, LONG, LONG }, { LONG, 4, 0, 4 },
}

local last = assert(io.open("last", "wb"))
local calls, worked = 0, 0

local function is_tensor(v) return type(v) == "userdata" and pcall(function() return v.dtype end) end

local function empty_like(t, shape)
  local x = core.zeros(shape, { dtype = t.dtype })
  return t.dtype == "float32" and x:requires_grad_(true) or x
end

-- Backward, and what a prompt does with a result.
local function use(y)
  if not is_tensor(y) then return end
  tostring(y)
  pcall(y.totable, y)
  if y.requires_grad then pcall(function() core.grad(y, { y }, { grad_output = y }) end) end
  if y.requires_grad then pcall(function() y:backward(y:detach(), { create_graph = true }) end) end
end

local function call(name, f, shape, args)
  calls = calls + 1
  local text = ("%s of (%s)"):format(name, table.concat(shape, ","))
  last:seek "set"
  last:write(text, (" "):rep(150 - #text), "\n")
  last:flush()
  local results = table.pack(pcall(f, table.unpack(args, 1, args.n)))
  worked = worked + (results[1] and 1 or 0)
  for i = 2, results.n do use(results[i]) end
end

-- The recipe's arguments with empty tensors: all of them, or just the first.
local function arguments(recipe, shape, only_first)
  local args, first = table.pack(recipe()), true
  for i = 1, args.n do
    if is_tensor(args[i]) and (first or not only_first) then
      args[i], first = empty_like(args[i], shape), false
    elseif type(args[i]) == "table" then
      for key, v in pairs(args[i]) do
        if is_tensor(v) then args[i][key] = empty_like(v, shape) end
      end
    end
  end
  return args
end

local function sweep(name, f)
  local recipe = recipes[name] or function() return core.ones(2, 3) end
  for _, shape in ipairs(SHAPES) do
    if pcall(core.zeros, shape) then
      for _, only_first in ipairs { true, false } do
        call(name, f, shape, arguments(recipe, shape, only_first))
        for i = 1, arguments(recipe, shape, only_first).n do -- numbers may be axes, or sizes
          for _, axis in ipairs { 1, 2, 3, LONG } do
            local args = arguments(recipe, shape, only_first)
            if math.type(args[i]) ~= "integer" then break end
            args[i] = axis
            call(name, f, shape, args)
          end
        end
      end
    end
  end
end

-- What has nothing to do with tensors, or asks the terminal.
local SKIP <const> = { terminal_size = true, limit_memory = true, debug_fail_allocation = true }

-- Methods that are no functions of the core are where the index metamethod looks for them.
local metatable = debug.getmetatable(core.ones(1))
local _, methods = debug.getupvalue(metatable.__index, 3)
assert(type(methods) == "table" and methods.totable)

local functions = {}
for _, source in ipairs { core, methods } do
  for name, f in pairs(source) do
    if type(f) == "function" and not name:find "^__" and not SKIP[name] then functions[name] = f end
  end
end
local names = {}
for name in pairs(functions) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do sweep(name, functions[name]) end
print(("%d functions, %d calls, %d worked"):format(#names, calls, worked))
