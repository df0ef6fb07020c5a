--- Normalisation layers. Each starts as the plain normalisation: weight ones, bias zeros.
-- @module laterna.nn.norm
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local journal = require "laterna.journal"

local function affine(self, n, bias)
  self.weight = core.ones(n)
  if bias then self.bias = core.zeros(n) end
end

local EPS = { "number", 1e-5, min = 0 }
local ACTIVATIONS = { "none", "relu", "leaky_relu", "silu", "gelu", "gelu_tanh" }

-- Options of the layers that can be followed by an activation in the same pass.
local function with_activation(rules)
  rules.eps, rules.affine, rules.slope = EPS, { "boolean", true }, { "number", 0.01 }
  rules.activation = { "string", "none", one_of = ACTIVATIONS }
  return rules
end

local function kept(o) return { eps = o.eps, activation = o.activation, slope = o.slope } end

-- The settings of one call: the layer's own, with a scale and a shift for each picture.
local function settings(fname, own, options)
  if options == nil then return own end
  local o = check.options(fname, 2, options, { scale = "tensor", shift = "tensor" })
  o.eps, o.activation, o.slope = own.eps, own.activation, own.slope
  return o
end

local function described(text, options)
  return options.activation == "none" and text or text .. ", then " .. options.activation
end

--- Group normalisation (Wu and He 2018): each sample's channels in `groups` equal parts, (n,...,channels) -> same.
-- @function GroupNorm
-- @tparam integer groups
-- @tparam integer channels a multiple of groups
-- @tparam[opt] table options {eps=1e-5, affine=true, activation="none", slope=0.01}: what follows in the same pass is
-- "relu", "leaky_relu" (with that slope), "silu", "gelu" or "gelu_tanh"
local GroupNorm = class("GroupNorm", function(self, groups, channels, options)
  self.groups = check.integer("GroupNorm", 1, "groups", groups, 1)
  self.channels = check.integer("GroupNorm", 2, "channels", channels, 1)
  if self.channels % self.groups ~= 0 then
    check.fail("GroupNorm", 2, "channels: expected a multiple of groups (%d), got %d", self.groups, self.channels)
  end
  local o = check.options("GroupNorm", 3, options, with_activation {})
  self.options = kept(o)
  if o.affine then affine(self, self.channels, true) end
end)

--- @tparam Tensor x (n,...,channels)
-- @tparam[opt] table options scale and shift (n,channels): the normalised x times 1 + scale, plus shift (FiLM)
function GroupNorm:forward(x, options)
  return core.group_norm(x, self.groups, self.weight, self.bias, settings("GroupNorm", self.options, options))
end

function GroupNorm:describe()
  return described(("%d groups of %d"):format(self.groups, self.channels // self.groups), self.options)
end

--- Layer normalisation (Ba et al. 2016) over the last axis.
-- @function LayerNorm
-- @tparam integer d size of the last axis
-- @tparam[opt] table options {eps=1e-5, affine=true, bias=true, activation="none", slope=0.01}
local LayerNorm = class("LayerNorm", function(self, d, options)
  self.size = check.integer("LayerNorm", 1, "d", d, 1)
  local o = check.options("LayerNorm", 2, options, with_activation { bias = { "boolean", true } })
  self.options = kept(o)
  if o.affine then affine(self, self.size, o.bias) end
end)

--- @tparam Tensor x (...,d); (n,...,d) with options
-- @tparam[opt] table options scale and shift (n,d): the normalised x times 1 + scale, plus shift (adaLN)
function LayerNorm:forward(x, options)
  return core.layer_norm(x, self.weight, self.bias, settings("LayerNorm", self.options, options))
end

function LayerNorm:describe()
  return described(tostring(self.size), self.options)
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

function RMSNorm:describe()
  return tostring(self.size)
end

--- Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last. In training mode with the batch's numbers,
-- while the buffers running_mean and running_var follow them by `momentum`; in evaluation mode with the buffers.
-- @function BatchNorm2d
-- @tparam integer channels
-- @tparam[opt] table options {eps=1e-5, momentum=0.1, affine=true, activation="none", slope=0.01}
local BatchNorm2d = class("BatchNorm2d", function(self, channels, options)
  self.channels = check.integer("BatchNorm2d", 1, "channels", channels, 1)
  local o = check.options("BatchNorm2d", 2, options,
    with_activation { momentum = { "number", 0.1, min = 0, max = 1 } })
  self.eps, self.momentum, self.activation, self.slope = o.eps, o.momentum, o.activation, o.slope
  self.buffers = { running_mean = true, running_var = true }
  self.running_mean, self.running_var = core.zeros(self.channels), core.ones(self.channels)
  if o.affine then affine(self, self.channels, true) end
end)

BatchNorm2d.ranges = { running_var = { 0, math.huge } }

function BatchNorm2d:forward(x)
  if self.training then journal.note(self.running_mean, self.running_var) end
  return core.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
    { training = self.training, momentum = self.momentum, eps = self.eps, activation = self.activation,
      slope = self.slope })
end

function BatchNorm2d:describe()
  return described(tostring(self.channels), self)
end

return { GroupNorm = GroupNorm, LayerNorm = LayerNorm, RMSNorm = RMSNorm, BatchNorm2d = BatchNorm2d }
