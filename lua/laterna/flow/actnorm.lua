--- Activation normalisation (Kingma and Dhariwal 2018, arXiv 1807.03039, 3.1).
-- @module laterna.flow.actnorm
local core = require "laterna.core"
local check = require "laterna.check"
local finite = require "laterna.finite"
local journal = require "laterna.journal"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local BOUND = 12 -- of the log-scales

--- y = (x - centre) exp(logs) + bias, for each channel. Before the first forward in training mode centre and logs are
-- set such that the channels of that batch have mean 0 and deviation 1, and the buffer `started`, saved with the
-- weights, becomes 1. centre stays: bias is counted in deviations, so that optimizers take steps of the right size
-- also where the deviation is a hundredth of the mean. log-scales stay within +-12; a channel that is constant in the
-- first batch starts at 0, since nothing is known of its deviation. A batch with NaN or infinity starts nothing.
-- @function ActNorm
-- @tparam integer channels
local ActNorm = nn.class("ActNorm", function(self, channels)
  channels = check.integer("ActNorm", 1, "channels", channels, 1, layer.MOST)
  self.bias, self.logs = core.zeros(channels), core.zeros(channels)
  self.centre, self.started = core.zeros(channels), core.zeros(1)
  self.buffers = { centre = true, started = true }
end)

ActNorm.ranges = { started = { 0, 1 } }

-- Squares of what is large are taken of x / peak, so that they do not overflow.
local function start(self, x)
  core.no_grad(function()
    local rows = x:view(-1, self.bias:size(1))
    local peak = math.max(1, rows:abs():max():item())
    local mean = rows:mean(1)
    local deviation = ((rows - mean) * (1 / peak)):square():mean(1):sqrt() * peak
    if not (finite.is_finite(mean) and finite.is_finite(deviation)) then return end
    local logs = (-deviation:log()):clamp(-BOUND, BOUND)
    journal.note(self.centre, self.logs, self.started)
    self.centre:copy_(mean)
    self.logs:copy_(core.where(deviation:lt(math.exp(-BOUND)), 0, logs))
    self.started:fill_(1)
  end)
end

--- The map's numbers; set from x first, where that is still to be done.
-- @tparam[opt] Tensor x (n,h,w,channels) or (n,channels)
-- @treturn Tensor logs (channels)
-- @treturn Tensor centre (channels)
-- @treturn Tensor bias (channels)
function ActNorm:terms(x)
  if x and self.training and self.started:item() == 0 then
    start(self, layer.check("ActNorm", x, nil, self.bias:size(1)))
  end
  return self.logs:hold(-BOUND, BOUND), self.centre, self.bias
end

function ActNorm:forward(x, cond)
  layer.check("ActNorm", x, cond, self.bias:size(1))
  local logs, centre, bias = self:terms(x)
  return (x - centre) * logs:exp() + bias, layer.alike(x, logs:sum())
end

--- @tparam Tensor y like x
-- @treturn Tensor
-- @treturn Tensor (n)
function ActNorm:inverse(y, cond)
  layer.check("ActNorm", y, cond, self.bias:size(1))
  local logs, centre, bias = self:terms()
  return (y - bias) * (-logs):exp() + centre, layer.alike(y, logs:sum(), -1)
end

function ActNorm:describe()
  return ("%d channels"):format(self.bias:size(1))
end

return { ActNorm = ActNorm }
