--- Deep copies of modules.
-- @module laterna.nn.clone
local check = require "laterna.check"
local core = require "laterna.core"
local recipe = require "laterna.nn.recipe"
local walk = require "laterna.nn.walk"

local copy

local function copy_tensor(t)
  local out = core.no_grad(t.clone, t)
  if t.requires_grad then out:requires_grad_(true) end
  return out
end

local function copy_table(t, copies)
  local out = {}
  copies[t] = out
  for key, v in next, t do out[key] = copy(v, copies) end
  return setmetatable(out, getmetatable(t))
end

-- `copies` keeps sharing as it was: a tensor that two layers share is shared by their copies.
function copy(v, copies)
  if copies[v] ~= nil then return copies[v] end
  if check.is_tensor(v) then
    copies[v] = copy_tensor(v)
    return copies[v]
  end
  if walk.is_module(v) or type(v) == "table" and getmetatable(v) == nil then return copy_table(v, copies) end
  return v
end

-- The name of what f has in its scope, where that is a module or a parameter of which there is a copy.
local function holds(f, copies)
  for i = 1, debug.getinfo(f, "u").nups do
    local name, v = debug.getupvalue(f, i)
    if v ~= nil and copies[v] and (walk.is_module(v) or check.is_tensor(v) and v.requires_grad) then return name end
  end
end

-- A function cannot be copied. One that has the original's layers in its scope would go on using them, in silence.
local function refuse_holders(copies)
  for t in next, copies do
    for key, f in next, type(t) == "table" and t or {} do
      local name = type(f) == "function" and holds(f, copies)
      if name then
        check.fail("clone", 1, "%s: a function with %s in its scope, which is being copied: the copy would use the "
          .. "original's; pass it as an argument", key, name)
      end
    end
  end
end

-- Recipes name the copies. What only a recipe holds is copied here, and then has its turn.
local function copy_recipes(copies, done)
  local list = {}
  for _, v in next, copies do
    if walk.is_module(v) and not done[v] then list[#list + 1] = v end
  end
  for _, m in ipairs(list) do
    done[m] = true
    recipe.copied(m, function(v) return copy(v, copies) end)
  end
  if #list > 0 then return copy_recipes(copies, done) end
end

--- A copy of a module that shares no parameter and no buffer with it. Modules, plain tables and tensors are copied;
-- functions and other objects (a tokenizer, a generator) are shared. A function in whose scope is a module or a
-- parameter that is copied raises an error, for the copy would go on using the original's. A copy can be saved like
-- the module that it was made from (laterna.nn.recipe).
-- @function clone
-- @tparam module module
-- @treturn module
return function(module)
  if not walk.is_module(module) then
    check.fail("clone", 1, "module: expected a module, got %s", check.describe(module))
  end
  local copies = {}
  local out = copy(module, copies)
  refuse_holders(copies)
  copy_recipes(copies, {})
  return out
end
