--- Where NaN and infinity came from. Losses, layers and training loops stand on this ground alike; it knows none of
-- them.
-- @module laterna.finite
local core = require "laterna.core"

local finite = {}

-- finite.step: the step that the innermost training loop is in, or nil. Who runs a loop writes it (lt.train.run does).
-- It is read for the words of errors alone, so that a loss can say when it went wrong without knowing who called it.
-- finite.skips: whether that loop leaves out steps that are not finite; then a loss is returned, and no error raised.

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
  return finite.step and ("step %d: "):format(finite.step) or ""
end

return finite
