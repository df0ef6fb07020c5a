--- Activation normalisation (Kingma and Dhariwal 2018, arXiv 1807.03039, 3.1).
-- @module laterna.flow.actnorm
local core = require "laterna.core"
local check = require "laterna.check"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local BOUND = 12 -- of the log-scales; a channel that is constant in the first batch starts there

--- y = (x - centre) exp(logs) + bias, for each channel. Before the first forward in training mode centre and logs are
-- set such that the channels of that batch have mean 0 and deviation 1, and the buffer `started`, saved with the
-- weights, becomes 1. centre stays: bias is counted in deviations, so that optimizers take steps of the right size
-- also where the deviation is a hundredth of the mean. log-scales stay within +-12.
-- @function ActNorm
-- @tparam integer channels
local ActNorm = nn.class("ActNorm", function(self, channels)
  channels = check.integer("ActNorm", 1, "channels", channels, 1, layer.MOST)
  self.bias, self.logs = core.zeros(channels), core.zeros(channels)
  self.centre, self.started = core.zeros(channels), core.zeros(1)
  self.buffers = { centre = true, started = true }
end)

ActNorm.ranges = { started = { 0, 1 } }

local function start(self, x)
  core.no_grad(function()
    local rows = x:view(-1, self.bias:size(1))
    local mean = rows:mean(1)
    local deviation = (rows - mean):square():mean(1):sqrt()
    self.centre:copy_(mean)
    self.logs:copy_(-core.maximum(deviation, math.exp(-BOUND)):log())
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
  return self.logs:clamp(-BOUND, BOUND), self.centre, self.bias
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
