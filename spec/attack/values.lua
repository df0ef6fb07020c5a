-- What random programs compute with: tensors of all styles, and arguments that are like those of a recipe but not the
-- same. Everything is drawn from math.random, so a seed gives the same values again.
local check = require "laterna.check"
local core = require "laterna.core"
local hostile = require "spec.support.hostile_values"

local values = {}

local random = math.random

local function one_of(list) return list[random(#list)] end

--- true, once in n.
function values.once_in(n) return random(n) == 1 end

local SIZES = { 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 9, 16, 17, 33 }

function values.size() return values.once_in(30) and 0 or one_of(SIZES) end

local function count(shape)
  local n = 1
  for _, s in ipairs(shape) do n = n * s end
  return n
end

-- How numbers may be: each takes a shape, and gives a float tensor.
local EXTREMES = { 0, -0.0, 1, -1, 1 / 0, -1 / 0, 0 / 0, 1e20, -1e20, 3e38, 1e-40, -1e-45, 1e-20, 100, -100 }
local STYLES = {
  function(shape) return core.zeros(shape) end,
  function(shape) return core.ones(shape) end,
  function(shape) return core.full(shape, one_of(EXTREMES)) end,
  function(shape) return core.randn(shape) * 1e20 end,
  function(shape) return core.randn(shape) * 1e-20 end,
  function(shape) return core.randn(shape):round() end,
  function(shape) -- one number in it is extreme
    local t = core.randn(shape):flatten()
    if #t > 0 then t[random(#t)] = one_of(EXTREMES) end
    return t:view(shape)
  end,
}

--- A float tensor of a shape, most often of normal numbers; it may want a gradient, be a result, or share memory.
function values.tensor(shape)
  local t
  if count(shape) > 1 << 16 or not values.once_in(4) then
    t = core.randn(shape)
  else
    t = one_of(STYLES)(shape)
  end
  if values.once_in(2) then t:requires_grad_(true) end
  if values.once_in(4) then t = t * 1 end
  if #shape > 0 and values.once_in(8) then t = core.cat({ t, t }, 1):narrow(1, 1, shape[1]) end
  return t
end

-- Whole numbers of the kind and range of a tensor's.
local function whole(t)
  if t:numel() == 0 then return t end
  local low, high = t:float():min():item(), t:float():max():item()
  return core.randint(math.tointeger(low), math.tointeger(high) + (values.once_in(20) and 2 or 0), t.shape,
                      { dtype = t.dtype })
end

local Pool = {}
Pool.__index = Pool

--- A pool of tensors, the latest first to be taken.
function values.pool() return setmetatable({}, Pool) end

function Pool:add(v)
  if not check.is(v, "tensor") or v:numel() > 1 << 16 then return end
  if #self >= 24 then self[random(24)] = v else self[#self + 1] = v end
end

--- A tensor of the pool, or a new one.
function Pool:any()
  local t = #self > 0 and not values.once_in(3) and self[random(#self)]
  if t and check.is(t, "tensor") then return t end
  local shape = {}
  for i = 1, random(0, 4) do shape[i] = values.size() end
  t = values.tensor(shape)
  self:add(t)
  return t
end

-- One of the pool that has the shape, or a new one.
function Pool:shaped(shape)
  local wanted = table.concat(shape, ",")
  for _ = 1, 4 do
    local t = #self > 0 and self[random(#self)]
    if t and check.is(t, "tensor") and t.dtype == "float32" and table.concat(t.shape, ",") == wanted then return t end
  end
  return values.tensor(shape)
end

local vary

local function vary_tensor(t, pool, sizes)
  if not check.is(t, "tensor") then return t end
  local shape = t.shape
  for i, s in ipairs(shape) do
    if sizes and sizes[s] == nil then sizes[s] = values.size() end
    shape[i] = sizes and sizes[s] or s
  end
  if t.dtype ~= "float32" then return sizes and t or whole(t) end
  if count(shape) > 1 << 16 or values.once_in(4) and not sizes then return t end
  return pool:shaped(shape)
end

local function vary_number(v)
  if not values.once_in(6) then return v end
  if math.type(v) == "integer" then return math.max(0, v + random(-2, 3)) end
  return one_of { v * 2, v * 0.5, v + 1, 0.0, v * random() }
end

-- A callback that misbehaves: raises, yields, or computes something else first.
local function vary_function(f, pool)
  if not values.once_in(8) then return f end
  return one_of {
    function() error "attack: callback" end,
    function() error { attack = true } end,
    function(...)
      coroutine.yield("attack", ...)
      return f(...)
    end,
    function(...)
      pool:add(pool:any():exp():sum())
      collectgarbage "step"
      return f(...)
    end,
    function() end,
  }
end

local function vary_table(t, pool, sizes)
  if getmetatable(t) ~= nil then return t end
  local keys, out = {}, {}
  for key in next, t do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
    return type(a) < type(b)
  end)
  for _, key in ipairs(keys) do
    if type(key) ~= "string" or not values.once_in(8) then out[key] = vary(t[key], pool, sizes) end
  end
  return out
end

--- A value like v. sizes: nil, or a table in which new sizes of axes are kept, so that those that fit go on to fit.
function vary(v, pool, sizes)
  if values.once_in(60) then
    local h = one_of(hostile)
    if h.name ~= "deep table" and h.name ~= "cyclic table" then return h.make() end
  end
  if check.is_tensor(v) then return vary_tensor(v, pool, sizes) end
  if check.is_generator(v) then return core.generator(random(1000)) end
  if type(v) == "number" then return vary_number(v) end
  if type(v) == "function" then return vary_function(v, pool) end
  if type(v) == "table" then return vary_table(v, pool, sizes) end
  return v
end

--- Arguments like those of a recipe.
-- @tparam table args with n
-- @tparam table pool
-- @tparam integer first the first that may change: a method keeps its object
function values.vary_arguments(args, pool, first)
  local sizes = values.once_in(3) and {} or nil
  for i = first, args.n do args[i] = vary(args[i], pool, sizes) end
  while args.n > first and values.once_in(12) do args[args.n], args.n = nil, args.n - 1 end
  return args
end

return values
