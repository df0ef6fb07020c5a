--- What goes wrong in a game of two networks, seen early: accuracies of the critic, gradient norms, and limits that a
-- run must keep.
-- @module laterna.gan.watch
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"
local gan_check = require "laterna.gan.check"
local nn = require "laterna.nn"

local HELD_OUT = condition.keys { generator = check.is_generator }

local watch = {}

--- The score between real and painted pictures.
-- @tparam number|string boundary a score, or "middle": of the two means
-- @tparam Tensor real scores
-- @tparam Tensor fake scores
-- @treturn number
function watch.boundary(boundary, real, fake)
  if boundary ~= "middle" then return check.number("boundary", 1, "boundary", boundary) end
  check.type("boundary", 2, "real", real, "tensor")
  check.type("boundary", 3, "fake", fake, "tensor")
  return (real:mean():item() + fake:mean():item()) / 2
end

--- The part of the scores that lies above a boundary.
-- @tparam Tensor scores
-- @tparam number boundary
-- @treturn number 0 to 1
function watch.above(scores, boundary)
  check.type("above", 1, "scores", scores, "tensor")
  check.number("above", 2, "boundary", boundary)
  return core.no_grad(function() return scores:gt(boundary):float():mean():item() end)
end

--- The norm of the gradients that a list of parameters holds, all together.
-- @tparam {tensor,...} parameters
-- @treturn number
function watch.gradient_norm(parameters)
  check.type("gradient_norm", 1, "parameters", parameters, "table")
  local sum = 0
  for i = 1, rawlen(parameters) do
    local grad = check.type("gradient_norm", 1, "parameters", rawget(parameters, i), "tensor").grad
    if grad then sum = sum + core.no_grad(function() return grad:norm():item() ^ 2 end) end
  end
  return math.sqrt(sum)
end

--- The critic's accuracy on pairs that it was not trained with, in evaluation mode: where it is far below the logged
-- one, the critic knows the training pictures by heart, and it is time for lt.gan.augment, or to stop.
-- @tparam gan gan
-- @tparam Tensor x (n,h,w,c) held-out pictures
-- @tparam[opt] table cond text, generator
-- @treturn table held_real, held_painted and, of pictures with captions of others, held_negatives: right judgements, 0
-- to 1
function watch.held_out(gan, x, cond)
  if not nn.is_module(gan) or not nn.is_module(gan.critic) or type(gan.rsample) ~= "function" then
    check.fail("held_out", 1, "gan: expected a gan, got %s", check.describe(gan))
  end
  cond = condition.read("held_out", 3, cond, HELD_OUT, gan_check.examples("held_out", 2, "x", x):size(1))
  return evaluation.quietly(gan, function()
    local captions, critic = cond:bare(), gan.critic
    local painted = gan:rsample(captions:with { detail = cond.detail or false })
    local real, fake = critic(x, captions), critic(painted, captions)
    local boundary = watch.boundary(gan.game.boundary, real, fake)
    local found = { held_real = watch.above(real, boundary), held_painted = 1 - watch.above(fake, boundary) }
    if not critic.text or not cond.text then return found end
    local rows, others = condition.others(cond.text, cond.generator)
    if #rows == 0 then return found end
    local negative = critic(x:index_select(1, core.tensor(rows, { dtype = "int32" })), captions:rows(others))
    found.held_negatives = 1 - watch.above(negative, boundary)
    return found
  end)
end

local function check_limit(name, limit)
  if type(name) ~= "string" then check.fail("limits", 1, "limits: expected names, got %s", check.describe(name)) end
  check.type("limits", 1, name, limit, "table")
  local o = check.options("limits", 1, limit, { most = "number", least = "number" })
  if not o.most and not o.least then check.fail("limits", 1, "%s: expected a table with most or least", name) end
  return o
end

-- The words for a number that is not within its limit, or nil.
local function fault(v, limit)
  if v ~= v then return "is not a number" end
  if limit.most and v > limit.most then return ("above %g"):format(limit.most) end
  if limit.least and v < limit.least then return ("below %g"):format(limit.least) end
end

--- Limits of what is logged, for a run that need not go on when the game is lost: a function of the numbers of a step,
-- that ends the run with an error of step and reason when one of them has been out of bounds `patience` steps in a row.
--
--     local limits = lt.gan.watch.limits({ accuracy_painted = { most = 0.999 }, modes = { least = 4 } },
--                                        { patience = 200 })
--     limits(log)       -- in the loop; the last checkpoint stays as it is
--
-- @tparam table limits {name = {most =, least =}}
-- @tparam[opt] table options patience=100; numbers that a step does not log keep their count
-- @treturn function
function watch.limits(limits, options)
  check.type("limits", 1, "limits", limits, "table")
  local bounds, names, count, steps = {}, {}, {}, 0
  for name, limit in next, limits do
    bounds[name], names[#names + 1], count[name] = check_limit(name, limit), name, 0
  end
  table.sort(names)
  local patience = check.options("limits", 2, options, { patience = { "integer", 100, min = 1 } }).patience
  return function(log)
    check.type("limits", 1, "log", log, "table")
    steps = steps + 1
    for _, name in ipairs(names) do
      local v = rawget(log, name)
      local what = v ~= nil and fault(check.type("limits", 1, name, v, "number"), bounds[name])
      if what then count[name] = count[name] + 1 elseif v ~= nil then count[name] = 0 end
      if what and count[name] >= patience then
        error(("%s%s is %.4g, %s for %d steps"):format(gan_check.step(steps), name, v, what, count[name]), 0)
      end
    end
  end
end

return watch
