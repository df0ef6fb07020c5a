-- Gradients against central differences.
--
-- The library computes in float32, so the differences are taken with a wide step (h) and cleaned of their h^2 error by
-- Richardson's extrapolation, D = (4 D(h/2) - D(h)) / 3; sums are taken in Lua's doubles. For inputs of size about 1
-- that leaves an error near 1e-5, far below the tolerance.
--
-- First order: d<w, f(x)>/dx for random w. Second order: S(x, w) = sum_i <v_i, d<w, f(x)>/dx_i>, differentiated by the
-- tape with respect to every x and to w, against differences of S, whose first gradients are taken without a graph:
-- the fused and the composed form of each backward have to agree.
local core = require "laterna.core"

local M = {}

local function flat(t)
  return t:detach():view(-1):totable()
end

local function dot(a, b)
  local x, y, sum = flat(a), flat(b), 0
  for i = 1, #x do sum = sum + x[i] * y[i] end
  return sum
end

-- d value() / dt[i] for every element, by differences.
local function differences(t, value, h)
  local view = t:detach():view(-1)
  local slope = {}
  local function at(i, x, step)
    view[i] = x + step
    local high, above = value(), view[i]:item()
    view[i] = x - step
    local low, below = value(), view[i]:item()
    view[i] = x
    return (high - low) / (above - below)
  end
  for i = 1, #view do
    local x = view[i]:item()
    slope[i] = (4 * at(i, x, h / 2) - at(i, x, h)) / 3
  end
  return slope
end

local function compare(what, analytic, numeric, tolerance)
  local got = analytic and flat(analytic) or {}
  local largest = 1
  for i = 1, #numeric do largest = math.max(largest, math.abs(numeric[i])) end
  for i = 1, #numeric do
    local g = got[i] or 0
    local difference = math.abs(g - numeric[i])
    if difference ~= difference or difference > tolerance * largest then
      error(("%s: element %d: the tape says %.6g, differences say %.6g"):format(what, i, g, numeric[i]), 3)
    end
  end
end

local function weights(like, generator)
  return core.randn(like.shape, { generator = generator })
end

--- Checks f's gradients.
-- @tparam function f takes the inputs, returns one float tensor
-- @tparam table inputs float tensors; those in options.fixed (a set of positions) are not differentiated
-- @tparam[opt] table options h (0.02), tolerance (1e-3), second (false), fixed
-- @treturn boolean true, or an error that says which element is wrong
function M.check(f, inputs, options)
  options = options or {}
  local h, tolerance, fixed = options.h or 0.02, options.tolerance or 1e-3, options.fixed or {}
  local generator = core.generator(options.seed or 7)
  local leaves = {}
  for i, x in ipairs(inputs) do
    if not fixed[i] then
      if not x.requires_grad then x:requires_grad_(true) end
      leaves[#leaves + 1] = x
    end
  end
  local function call() return f(table.unpack(inputs)) end

  local y = call()
  local w = weights(y, generator)
  local function first() return dot(core.no_grad(call), w) end
  local grads = core.grad(y, leaves, { grad_output = w })
  for i, x in ipairs(leaves) do
    compare(("gradient %d of first order"):format(i), grads[i], differences(x, first, h), tolerance)
  end
  if not options.second then return true end

  w:requires_grad_(true)
  local v = {}
  for i, x in ipairs(leaves) do v[i] = weights(x, generator) end
  local function second()
    local g = core.grad(call(), leaves, { grad_output = w:detach() })
    local sum = 0
    for i = 1, #leaves do
      if g[i] then sum = sum + dot(g[i], v[i]) end
    end
    return sum
  end
  local g = core.grad(call(), leaves, { grad_output = w, create_graph = true })
  local total
  for i = 1, #leaves do
    if g[i] then
      local part = (g[i] * v[i]):sum()
      total = total and total + part or part
    end
  end
  if not total or not total.requires_grad then return true end
  local all = { w, table.unpack(leaves) }
  local twice = core.grad(total, all)
  for i, x in ipairs(all) do
    local name = i == 1 and "gradient of second order, w" or ("gradient %d of second order"):format(i - 1)
    compare(name, twice[i], differences(x, second, h), options.second_tolerance or 4 * tolerance)
  end
  return true
end

return M
