--- Penalties on the critic's gradient with respect to the picture: real second derivatives. `critic` is any function
-- (x, cond) -> scores (n). A score may depend on its own example alone (no batch norm): the gradient of their sum then
-- holds every example's own gradient.
-- @module laterna.gan.penalties
local check = require "laterna.check"
local core = require "laterna.core"
local gan_check = require "laterna.gan.check"

local penalties = {}

--- The squared gradient norms |d score_i / d x_i|^2, recorded, so that they can be differentiated again.
-- @tparam Tensor scores (n), made of x
-- @tparam Tensor x (n,...), which wants a gradient
-- @treturn Tensor (n)
function penalties.squared_norms(scores, x)
  check.type("squared_norms", 1, "scores", scores, "tensor")
  gan_check.examples("squared_norms", 2, "x", x)
  local gradient = core.grad(scores:sum(), { x }, { create_graph = true })[1]
  if not gradient then check.fail("squared_norms", 1, "scores: they do not depend on x") end
  return gradient:flatten(2):square():sum(2)
end

local function leaf(x)
  return x:detach():requires_grad_(true)
end

local function zero_centred(fname, critic, x, cond)
  check.type(fname, 1, "critic", critic, "callable")
  x = leaf(gan_check.examples(fname, 2, "x", x))
  local scores = gan_check.scores(fname, critic(x, cond), x:size(1))
  if not scores.requires_grad then check.fail(fname, 1, "critic: its scores do not depend on x") end
  return penalties.squared_norms(scores, x):mean()
end

--- R1: E |d critic(x) / d x|^2 over real pictures (Mescheder et al. 2018, arXiv 1801.04406); without the gamma / 2,
-- which is its weight.
-- @tparam function critic
-- @tparam Tensor x real pictures
-- @param[opt] cond passed to the critic
-- @treturn Tensor scalar
function penalties.r1(critic, x, cond)
  return zero_centred("r1", critic, x, cond)
end

--- R2: the same over painted pictures.
-- @tparam function critic
-- @tparam Tensor x painted pictures; no gradient reaches who painted them
-- @param[opt] cond passed to the critic
-- @treturn Tensor scalar
function penalties.r2(critic, x, cond)
  return zero_centred("r2", critic, x, cond)
end

--- E (|d critic(y) / d y| - 1)^2, y on the line between a real and a painted picture, evenly at random (Gulrajani et
-- al. 2017, arXiv 1704.00028, eq. 3, without lambda).
-- @tparam function critic
-- @tparam Tensor real (n,...)
-- @tparam Tensor fake like real
-- @tparam[opt] table cond passed to the critic; its field generator draws the places
-- @treturn Tensor scalar
-- @treturn Tensor (n) the squared norms
function penalties.gradient_penalty(critic, real, fake, cond)
  check.type("gradient_penalty", 1, "critic", critic, "callable")
  gan_check.examples("gradient_penalty", 2, "real", real)
  gan_check.examples("gradient_penalty", 3, "fake", fake)
  local a, b = table.concat(real.shape, ","), table.concat(fake.shape, ",")
  if a ~= b then check.fail("gradient_penalty", 3, "fake: expected (%s) as real, got (%s)", a, b) end
  local generator = check.type("gradient_penalty", 4, "cond", cond, "table|nil") and cond.generator
  if generator then -- it is for the places, no business of the critic
    local rest = {}
    for key, v in next, cond do rest[key] = v end
    rest.generator = nil
    cond = next(rest) and setmetatable(rest, getmetatable(cond)) or nil
  end
  local shape = { real:size(1) }
  for i = 2, real:dim() do shape[i] = 1 end
  local y = core.no_grad(function()
    return real + (fake - real) * core.rand(shape, { generator = generator })
  end)
  y = leaf(y)
  local scores = gan_check.scores("gradient_penalty", critic(y, cond), y:size(1))
  if not scores.requires_grad then check.fail("gradient_penalty", 1, "critic: its scores do not depend on x") end
  local squared = penalties.squared_norms(scores, y)
  return ((squared + 1e-12):sqrt() - 1):square():mean(), squared -- the root has no slope at 0
end

return penalties
