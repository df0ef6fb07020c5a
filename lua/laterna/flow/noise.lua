--- Training on noised pictures, and taking the noise off samples (Zhai et al. 2024, arXiv 2412.06329, 2.4 and 2.5). The
-- noise gives thin data a volume, which a flow can fill; what it paints then is noisy, and one step along the score
-- gives the clean picture that is expected (Tweedie's formula, Efron 2011):
--
--   y = x + sigma eps,   E[x | y] = y + sigma^2 grad log p(y)
-- @module laterna.flow.noise
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local GREY = math.log(127.5) -- of [-1,1] in grey levels

local noise = {}

--- In the place of dequantisation: adds N(0, sigma^2) in training mode, and is the identity in evaluation mode, forward
-- and back. The log-determinant is that of counting in grey levels: a loss in bits is then the density of noised
-- pictures, on the scale of 8-bit pictures, but no bound of their probability.
-- @function Noise
-- @tparam[opt=0.05] number sigma of pictures in [-1,1]
local Noise = nn.class("Noise", function(self, sigma)
  self.sigma = check.number("Noise", 1, "sigma", sigma == nil and 0.05 or sigma, 1e-4, 10)
end)

local function nats(x)
  return core.full({ x:size(1) }, GREY * (x:numel() / x:size(1)))
end

function Noise:forward(x, cond)
  layer.check("Noise", x, cond)
  if not self.training then return x, -nats(x) end
  local eps = core.randn(x.shape, { generator = cond and cond.generator })
  return core.addcmul(x, eps, self.sigma), -nats(x)
end

--- @tparam Tensor y
-- @treturn Tensor y itself
-- @treturn Tensor (n)
function Noise:inverse(y, cond)
  layer.check("Noise", y, cond)
  return y, nats(y)
end

-- Where flow:encode takes a picture: as it is.
function Noise.centre(x) return x end

function Noise:describe()
  return ("sigma %g"):format(self.sigma)
end

noise.Noise = Noise

--- Takes the noise off pictures that a flow painted: y + sigma^2 grad log p(y | caption).
-- @tparam table flow anything with log_prob(x, cond) in nats that can be differentiated in x
-- @tparam Tensor y (n,h,w,c) or (n,d)
-- @tparam[opt] table cond text, detail
-- @tparam[opt] number sigma by default that of the flow's Noise
-- @treturn Tensor like y
function noise.denoise(flow, y, cond, sigma)
  local ok, log_prob = pcall(function() return flow.log_prob end)
  if not ok or type(log_prob) ~= "function" then
    check.fail("denoise", 1, "flow: expected a flow, got %s", check.describe(flow))
  end
  check.type("denoise", 2, "y", y, "tensor")
  check.type("denoise", 3, "cond", cond, "table|nil")
  local own = type(flow.dequantise) == "table" and flow.dequantise.sigma or nil
  sigma = check.number("denoise", 4, "sigma", sigma == nil and own or sigma, 0)
  local x = y:detach():clone():requires_grad_(true)
  local before = core.set_grad_enabled(true)
  local done, score = pcall(function() return core.grad(flow:log_prob(x, cond):sum(), { x })[1] end)
  core.set_grad_enabled(before)
  if not done then error(score, 0) end
  return y:detach() + score * sigma ^ 2
end

return noise
