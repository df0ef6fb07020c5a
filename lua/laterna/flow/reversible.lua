--- A chain of invertible layers that keeps no activations for backward (Gomez et al. 2017, arXiv 1707.04585, for layers
-- whose inverse is at hand). Backward walks the chain from its output, rebuilds each layer's input with the inverse,
-- and differentiates that one layer; the price is one inverse and one forward more. Rounding adds up from inverse to
-- inverse, so the input of every few layers is kept: one activation where a layer has dozens.
--
--   x_i = f_i^-1(x_{i+1}),   dx_i = (df_i/dx)' dx_{i+1} + (dlogdet_i/dx)' dlogdet
-- @module laterna.flow.reversible
local autograd = require "laterna.autograd"
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local watch = require "laterna.flow.watch"

local function layers_of(layers)
  local list = {}
  check.type("reversible", 1, "layers", layers, "table")
  for i = 1, rawlen(layers) do
    list[i] = rawget(layers, i)
    local ok, what = layer.rule(list[i])
    if not ok then check.fail("reversible", 1, "layers[%d]: expected %s, got %s", i, what, check.describe(list[i])) end
  end
  if #list == 0 then check.fail("reversible", 1, "layers: expected at least one") end
  return list
end

-- The chain forward. Before each layer it is noted where random generators stand, for dropout in its network. What
-- passes from one layer to the next is freed when it has passed.
local function through(layers, x, cond, states, kept, every)
  local y, total = x, nil
  for i, l in ipairs(layers) do
    kept[i] = i > 1 and (i - 1) % every == 0 and y:detach() or nil
    states[i] = autograd.random_states(cond)
    local before = y
    local logdet
    y, logdet = watch.step(l, false, before, cond)
    total = total and total + logdet or logdet
    if before ~= x and before ~= y then before:free() end
  end
  return y, total
end

-- One layer back: its input from its output, and the gradient of that input.
local function back(l, y, cond, states, dy, dlogdet)
  local x = autograd.again(states, core.no_grad, l.inverse, l, y, cond):detach():requires_grad_(true)
  local again, logdet = autograd.again(states, l.forward, l, x, cond)
  local outputs, gradients = {}, {}
  for t, dt in pairs { [again] = dy, [logdet] = dlogdet } do
    if t.requires_grad then outputs[#outputs + 1], gradients[#gradients + 1] = t, dt end
  end
  core.backward_inside(outputs, gradients)
  again:free()
  local dx = x.grad or core.zeros(x.shape)
  return x:detach(), dx
end

--- Applies layers one after another. Gradients reach the layers' parameters, x, and tensors in cond, and are those of
-- the ordinary chain but for the rounding of the inverse; layers must undo each other well. A layer's forward and
-- inverse must draw the same random numbers, if any, in the same order. Gradients of gradients are refused.
-- @function reversible
-- @tparam table layers a list, or a Sequence
-- @tparam Tensor x (n,h,w,c) or (n,d)
-- @tparam[opt] table cond as the layers take it
-- @tparam[opt] table options {every=8: of how many layers the first one's input is kept}
-- @treturn Tensor y
-- @treturn Tensor logdet (n)
local function reversible(layers, x, cond, options)
  layers = layers_of(layers)
  layer.check("reversible", x, cond)
  local o = check.options("reversible", 4, options, { every = { "integer", 8, min = 1 } })
  local states, kept, output, kinds = {}, {}, nil, nil
  local entry = x.requires_grad and x or nil
  local function forward()
    local y, total = through(layers, x, cond, states, kept, o.every)
    output, kinds = y:detach(), { y.requires_grad, total.requires_grad }
    return y, total
  end
  return core.recompute(forward, function(...)
    local gradients, next_one, y = { ... }, 1, output
    local function gradient(i)
      if not kinds[i] then return nil end
      next_one = next_one + 1
      return gradients[next_one - 1]
    end
    local dy, dlogdet = gradient(1), gradient(2)
    for i = #layers, 1, -1 do
      y, dy = back(layers[i], y, cond, states[i], dy, dlogdet)
      y = kept[i] or y
    end
    if entry then core.backward_inside({ entry }, { dy }) end
  end)
end

return reversible
