--- Deep copies of modules.
-- @module laterna.nn.clone
local check = require "laterna.check"
local core = require "laterna.core"
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

--- A copy of a module that shares no parameter and no buffer with it. Modules, plain tables and tensors are copied;
-- functions and other objects (a tokenizer, a generator) are shared.
-- @function clone
-- @tparam module module
-- @treturn module
return function(module)
  if not walk.is_module(module) then
    check.fail("clone", 1, "module: expected a module, got %s", check.describe(module))
  end
  return copy(module, {})
end
