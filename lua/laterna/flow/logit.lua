--- From an interval to the whole line.
-- @module laterna.flow.logit
local check = require "laterna.check"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

--- y = log p - log(1 - p) with p = alpha + (1 - 2 alpha) (x - low) / (high - low) (Dinh et al. 2017, arXiv 1605.08803,
-- 4.1). What is outside [low,high] is refused.
-- @function Logit
-- @tparam[opt] table options {alpha=0.05, low=-1, high=1}
local Logit = nn.class("Logit", function(self, options)
  local o = check.options("Logit", 1, options, {
    alpha = { "number", 0.05, min = 1e-6, max = 0.49 }, low = { "number", -1, min = -1e6, max = 1e6 },
    high = { "number", 1, min = -1e6, max = 1e6 },
  })
  if o.low >= o.high then check.fail("Logit", 1, "high: expected a number above low") end
  self.alpha, self.low, self.high = o.alpha, o.low, o.high
  self.slope = (1 - 2 * o.alpha) / (o.high - o.low)
end)

-- log of dy/dx where it leads to y: 1/y' = p (1 - p) = exp(-softplus(y) - softplus(-y))
local function log_derivative(self, y)
  return y:softplus() + (-y):softplus() + math.log(self.slope)
end

function Logit:forward(x, cond)
  layer.check("Logit", x, cond)
  local least, most = x:min():item(), x:max():item()
  if not (least >= self.low and most <= self.high) then
    check.fail("Logit", 1, "x: expected values from %g to %g, got %g to %g", self.low, self.high, least, most)
  end
  local p = (x - self.low) * self.slope + self.alpha
  local y = p:log() - (1 - p):log()
  return y, layer.total(log_derivative(self, y))
end

--- @tparam Tensor y
-- @treturn Tensor like y, in [low,high]
-- @treturn Tensor (n)
function Logit:inverse(y, cond)
  layer.check("Logit", y, cond)
  local x = (y:sigmoid() - self.alpha) * (1 / self.slope) + self.low
  return x:hold(self.low, self.high), -layer.total(log_derivative(self, y))
end

function Logit:describe()
  return ("alpha %g, %g to %g"):format(self.alpha, self.low, self.high)
end

return { Logit = Logit }
