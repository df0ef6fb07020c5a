--- Normalisation layers. Each starts as the plain normalisation: weight ones, bias zeros.
-- @module laterna.nn.norm
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"

local function affine(self, n, bias)
  self.weight = core.ones(n)
  if bias then self.bias = core.zeros(n) end
end

local EPS = { "number", 1e-5, min = 0 }

--- Group normalisation (Wu and He 2018): each sample's channels in `groups` equal parts, (n,...,channels) -> same.
-- @function GroupNorm
-- @tparam integer groups
-- @tparam integer channels a multiple of groups
-- @tparam[opt] table options {eps=1e-5, affine=true}
local GroupNorm = class("GroupNorm", function(self, groups, channels, options)
  self.groups = check.integer("GroupNorm", 1, "groups", groups, 1)
  self.channels = check.integer("GroupNorm", 2, "channels", channels, 1)
  if self.channels % self.groups ~= 0 then
    check.fail("GroupNorm", 2, "channels: expected a multiple of groups (%d), got %d", self.groups, self.channels)
  end
  local o = check.options("GroupNorm", 3, options, { eps = EPS, affine = { "boolean", true } })
  self.options = { eps = o.eps }
  if o.affine then affine(self, self.channels, true) end
end)

function GroupNorm:forward(x)
  return core.group_norm(x, self.groups, self.weight, self.bias, self.options)
end

function GroupNorm:describe()
  return ("%d groups of %d"):format(self.groups, self.channels // self.groups)
end

--- Layer normalisation (Ba et al. 2016) over the last axis.
-- @function LayerNorm
-- @tparam integer d size of the last axis
-- @tparam[opt] table options {eps=1e-5, affine=true, bias=true}
local LayerNorm = class("LayerNorm", function(self, d, options)
  self.size = check.integer("LayerNorm", 1, "d", d, 1)
  local o = check.options("LayerNorm", 2, options, {
    eps = EPS, affine = { "boolean", true }, bias = { "boolean", true },
  })
  self.options = { eps = o.eps }
  if o.affine then affine(self, self.size, o.bias) end
end)

function LayerNorm:forward(x)
  return core.layer_norm(x, self.weight, self.bias, self.options)
end

function LayerNorm:describe()
  return tostring(self.size)
end

--- Root mean square normalisation (Zhang and Sennrich 2019) over the last axis: x / sqrt(mean(x^2) + eps) * weight.
-- @function RMSNorm
-- @tparam integer d size of the last axis
-- @tparam[opt] table options {eps=1e-6, affine=true}
local RMSNorm = class("RMSNorm", function(self, d, options)
  self.size = check.integer("RMSNorm", 1, "d", d, 1)
  local o = check.options("RMSNorm", 2, options, { eps = { "number", 1e-6, min = 0 }, affine = { "boolean", true } })
  self.options = { eps = o.eps }
  if o.affine then affine(self, self.size, false) end
end)

function RMSNorm:forward(x)
  return core.rms_norm(x, self.weight, self.options)
end

RMSNorm.describe = LayerNorm.describe

--- Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last. In training mode with the batch's numbers,
-- while the buffers running_mean and running_var follow them by `momentum`; in evaluation mode with the buffers.
-- @function BatchNorm2d
-- @tparam integer channels
-- @tparam[opt] table options {eps=1e-5, momentum=0.1, affine=true}
local BatchNorm2d = class("BatchNorm2d", function(self, channels, options)
  self.channels = check.integer("BatchNorm2d", 1, "channels", channels, 1)
  local o = check.options("BatchNorm2d", 2, options, {
    eps = EPS, momentum = { "number", 0.1, min = 0, max = 1 }, affine = { "boolean", true },
  })
  self.eps, self.momentum = o.eps, o.momentum
  self.buffers = { running_mean = true, running_var = true }
  self.running_mean, self.running_var = core.zeros(self.channels), core.ones(self.channels)
  if o.affine then affine(self, self.channels, true) end
end)

function BatchNorm2d:forward(x)
  return core.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
    { training = self.training, momentum = self.momentum, eps = self.eps })
end

function BatchNorm2d:describe()
  return tostring(self.channels)
end

return { GroupNorm = GroupNorm, LayerNorm = LayerNorm, RMSNorm = RMSNorm, BatchNorm2d = BatchNorm2d }
