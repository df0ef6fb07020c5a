--- Where NaN and infinity came from.
-- @module laterna.train.finite
local core = require "laterna.core"

local finite = {}

-- finite.step: the step that a run's loop is in, or nil; for messages of what is called there.

--- Are all numbers of a tensor finite? x - x is 0 for a number, and NaN for NaN and the infinities; a NaN survives any
-- sum.
-- @tparam Tensor t
-- @treturn boolean
function finite.is_finite(t)
  return core.no_grad(function() return (t - t):sum():item() end) == 0
end

local is_finite = finite.is_finite

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

--- A few words about the last checkpoint, for the end of an error.
-- @tparam table run
-- @treturn string
function finite.kept(run)
  if not run.saved_step then return "" end
  return ("; %s holds step %d"):format(run.checkpoint, run.saved_step)
end

--- The message for a logged number that is not finite: step, name, and the first parameter that suffers.
-- @tparam table run
-- @tparam string name
-- @tparam number v
-- @treturn string
function finite.explain(run, name, v)
  local value = v ~= v and "nan" or v > 0 and "inf" or "-inf"
  local gradient, parameter = finite.first_gradient(run.model), finite.first_value(run.model)
  local where = gradient and ("; the gradient of %s is not finite"):format(gradient)
    or parameter and ("; parameter %s is not finite"):format(parameter)
    or "; all parameters and gradients are finite"
  return ("step %d: %s is %s%s%s"):format(run.step, name, value, where, finite.kept(run))
end

return finite
