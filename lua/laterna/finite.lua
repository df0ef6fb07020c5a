--- Where NaN and infinity came from. Losses, layers and training loops stand on this ground alike; it knows none of
-- them.
-- @module laterna.finite
local core = require "laterna.core"

local finite = {}

--- The step that the innermost training loop is in, or nil. Who runs loops puts a function of its own here (lt.train
-- does). It is asked for the words of errors alone: a loss can say when it went wrong without knowing who called it.
-- @treturn ?integer
function finite.step() return nil end

--- Does that loop leave out steps that are not finite? Then a loss is returned, and no error raised. lt.train puts a
-- function of its own here too.
-- @treturn boolean
function finite.skips() return false end

--- Are all numbers of a tensor finite? x - x is 0 for a number, and NaN for NaN and the infinities; a NaN survives any
-- sum.
-- @tparam Tensor t
-- @treturn boolean
function finite.is_finite(t)
  return core.no_grad(function() return (t - t):sum():item() end) == 0
end

local is_finite = finite.is_finite

--- Has a tensor a NaN?
-- @tparam Tensor t
-- @treturn boolean
function finite.has_nan(t)
  return core.no_grad(function() return t:ne(t):sum():item() end) > 0
end

--- The names of all float tensors with a value that is not finite, sorted.
-- @tparam table tensors {name = tensor}
-- @treturn {string,...}
function finite.names(tensors)
  local names = {}
  for name, t in pairs(tensors) do
    if t.dtype == "float32" and not is_finite(t) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The name of the first parameter with a value that is not finite, or nil.
-- @tparam module model
-- @treturn string|nil
function finite.first_value(model)
  for name, p in model:named_parameters() do
    if not is_finite(p) then return name end
  end
end

--- The name of the first parameter with a gradient that is not finite, or nil.
-- @tparam module model
-- @treturn string|nil
function finite.first_gradient(model)
  for name, p in model:named_parameters() do
    local g = p.requires_grad and p.grad
    if g and not is_finite(g) then return name end
  end
end

--- "step 12: ", for the beginning of an error that is raised somewhere within a training step; "" outside of a loop.
-- @treturn string
function finite.where()
  local step = finite.step()
  return step and ("step %d: "):format(step) or ""
end

return finite
