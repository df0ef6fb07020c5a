--- What a GAN is given: critics, weights and losses; pictures or vectors.
-- @module laterna.gan.given
local check = require "laterna.check"
local losses = require "laterna.gan.losses"
local nn = require "laterna.nn"

local given = {}

--- A rule of check.options: weights.
function given.is_weight(v)
  local ok = check.is(v, "callable") or type(v) == "number" and v >= 0 and v < math.huge
  return ok, "a number of at least 0, or a function of the call that gives one"
end

--- A rule of check.options: critics.
function given.is_critic(v)
  return nn.is_module(v) and type(v.frozen_view) == "function", "a critic: lt.gan.Critic { net = ... }"
end

--- A rule of check.options: losses.
function given.is_game(v)
  if type(v) == "string" then return rawget(losses, v) ~= nil, "the name of one of lt.gan.losses" end
  local ok = type(v) == "table" and check.is(rawget(v, "critic"), "callable")
    and check.is(rawget(v, "generator"), "callable")
  return ok, "a loss's name, or a table of two functions, critic and generator"
end

--- A loss as the family uses it. A script's own is paired and has its boundary at 0, unless it says otherwise.
-- @param v a name, or a table
-- @treturn table
function given.game(v)
  if type(v) == "string" then return losses[v] end
  local o = check.options("gan", 1, v, {
    critic = "callable", generator = "callable", ranking = "callable", paired = { "boolean", true },
    r1 = given.is_weight, r2 = given.is_weight, gradient_penalty = given.is_weight,
    boundary = { function(b) return b == "middle" or type(b) == "number" and b == b, 'a number or "middle"' end, 0 },
  })
  return o
end

--- Checks that an argument is examples: float32, (n,...), n of at least 1; pictures (n,h,w,c) or vectors (n,d).
-- @tparam string fname
-- @tparam integer i which argument it is
-- @tparam string name
-- @tparam Tensor x
-- @treturn Tensor x
function given.examples(fname, i, name, x)
  check.type(fname, i, name, x, "tensor")
  if x.dtype ~= "float32" then check.fail(fname, i, "%s: expected float32, got %s", name, x.dtype) end
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
function given.scores(fname, scores, n)
  check.type(fname, nil, "what the critic's net gave", scores, "tensor")
  if scores:size(1) == n and scores:numel() == n and scores:dim() <= 2 then return scores:view(n) end
  check.fail(fname, nil, "the critic's net gave (%s), expected scores (%d)", table.concat(scores.shape, ","), n)
end

return given
