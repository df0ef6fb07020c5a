--- Checks of what comes into a GAN, of what its networks give, and of its losses: why a loss is not a number, in words
-- that name step and reason.
-- @module laterna.gan.check
local check = require "laterna.check"
local condition = require "laterna.condition"
local finite = require "laterna.finite"
local losses = require "laterna.gan.losses"
local nn = require "laterna.nn"

local LARGEST = 1e8 -- of a loss: beyond, float32 has no digits left for what it should still see

local gan_check = {}

--- A rule of check.options: weights.
function gan_check.is_weight(v)
  local ok = check.is(v, "callable") or type(v) == "number" and v >= 0 and v < math.huge
  return ok, "a number of at least 0, or a function of the call that gives one"
end

--- A rule of check.options: critics.
function gan_check.is_critic(v)
  return nn.is_module(v) and type(v.frozen_view) == "function", "a critic: lt.gan.Critic { net = ... }"
end

--- A rule of check.options: losses.
function gan_check.is_loss(v)
  if type(v) == "string" then return rawget(losses, v) ~= nil, "the name of one of lt.gan.losses", losses end
  local ok = type(v) == "table" and check.is(rawget(v, "critic"), "callable")
    and check.is(rawget(v, "generator"), "callable")
  return ok, "a loss's name, or a table of two functions, critic and generator"
end

--- A loss as the family uses it. A script's own is paired and has its boundary at 0, unless it says otherwise.
-- @param v a name, or a table
-- @treturn table
function gan_check.loss(v)
  if type(v) == "string" then return losses[v] end
  local o = check.options("gan", 1, v, {
    critic = "callable", generator = "callable", ranking = "callable", paired = { "boolean", true },
    r1 = gan_check.is_weight, r2 = gan_check.is_weight, gradient_penalty = gan_check.is_weight,
    boundary = { function(b) return b == "middle" or type(b) == "number" and b == b, 'a number or "middle"' end, 0 },
  })
  return o
end

--- Checks that an argument is real examples: as `examples`, and pictures lie about [-1,1].
-- @tparam string fname
-- @tparam Tensor x
-- @treturn Tensor x
function gan_check.real(fname, x)
  return condition.range(fname, 1, "x", gan_check.examples(fname, 1, "x", x))
end

--- Checks that an argument is examples: float32, (n,...), n of at least 1; pictures (n,h,w,c) or vectors (n,d).
-- @tparam string fname
-- @tparam integer i which argument it is
-- @tparam string name
-- @tparam Tensor x
-- @treturn Tensor x
function gan_check.examples(fname, i, name, x)
  check.type(fname, i, name, x, "tensor")
  if x.dtype ~= "float32" then
    check.fail(fname, i, "%s: expected float32, got %s; lt.pictures.from_bytes(x) makes pictures of bytes", name,
      x.dtype)
  end
  if x:dim() < 2 or x:numel() == 0 then
    check.fail(fname, i, "%s: expected (n,h,w,c) or (n,d), got (%s)", name, table.concat(x.shape, ","))
  end
  return x
end

--- The scores that a network gives n examples, (n). A last axis of 1 is dropped.
-- @tparam string fname
-- @param scores what the network gave
-- @tparam integer n
-- @treturn Tensor (n)
function gan_check.scores(fname, scores, n)
  check.type(fname, nil, "what the critic's net gave", scores, "tensor")
  if scores:size(1) == n and scores:numel() == n and scores:dim() <= 2 then return scores:view(n) end
  check.fail(fname, nil, "the critic's net gave (%s), expected scores (%d)", table.concat(scores.shape, ","), n)
end

--- The words that errors of a game begin with: the step of the run, or a count of one's own outside of runs.
-- @tparam integer count
-- @treturn string
function gan_check.step(count)
  return ("step %d: gan: "):format(finite.step() or check.integer("step", 1, "count", count))
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

--- Looks at a loss: an error with step and reason where it is not finite, unless the run leaves such steps out, or so
-- large that it has run away.
-- @tparam table gan calls; critic and generator, modules
-- @tparam string whose "generator" or "critic"
-- @tparam Tensor loss
-- @tparam {table,...} made what it was made of, in the order of the making: {name, tensor or nil}
-- @treturn number the loss
function gan_check.finite(gan, whose, loss, made)
  local v = check.type("gan", nil, "what the loss of the " .. whose .. " gave", loss, "tensor"):item()
  if math.abs(v) <= LARGEST or finite.skips() and v - v ~= 0 then return v end
  local reason = culprit("generator", gan.generator) or culprit("critic", gan.critic)
  for _, part in ipairs(made) do
    reason = reason or part[2] and blame(part[1], part[2])
  end
  local said = v ~= v and "nan" or ("%.4g"):format(v) -- C may print the sign of a NaN
  error(("%sthe loss of the %s is %s: %s"):format(gan_check.step(gan.calls:item()), whose, said,
    reason or "no single part is to blame"), 0)
end

return gan_check
