--- Why a loss is not a number, in words that name step and reason.
-- @module laterna.gan.refuse
local check = require "laterna.check"
local finite = require "laterna.train.finite"

local LARGEST = 1e8 -- of a loss: beyond, float32 has no digits left for what it should still see

local refuse = {}

--- The words that errors of a game begin with: the step of the run, or a count of one's own outside of runs.
-- @tparam integer count
-- @treturn string
function refuse.step(count)
  return ("step %d: gan: "):format(finite.step or check.integer("step", 1, "count", count))
end

-- The first number of a module that is not finite, in words; nil if all are.
local function culprit(name, module)
  local parameter = finite.first_value(module)
  return parameter and ("parameter %s of the %s is not finite"):format(parameter, name)
end

local function blame(name, t)
  if not finite.is_finite(t) then return ("%s are not finite, though all parameters are"):format(name) end
  local largest = t:abs():max():item()
  return largest > LARGEST ^ 0.5 and ("%s have run away, to %.3g"):format(name, largest) or nil
end

--- Looks at a loss: an error with step and reason where it is not finite, or so large that it has run away.
-- @tparam gan gan
-- @tparam string whose "generator" or "critic"
-- @tparam Tensor loss
-- @tparam {table,...} made what it was made of, in the order of the making: {name, tensor or nil}
-- @treturn number the loss
function refuse.look(gan, whose, loss, made)
  local v = check.type("gan", nil, "what the loss of the " .. whose .. " gave", loss, "tensor"):item()
  if math.abs(v) <= LARGEST then return v end
  local reason = culprit("generator", gan.generator) or culprit("critic", gan.critic)
  for _, part in ipairs(made) do
    reason = reason or part[2] and blame(part[1], part[2])
  end
  local said = v ~= v and "nan" or ("%.4g"):format(v) -- C may print the sign of a NaN
  error(("%sthe loss of the %s is %s: %s"):format(refuse.step(gan.calls:item()), whose, said,
    reason or "no single part is to blame"), 0)
end

return refuse
