--- Initialisers. All of them fill a tensor in place, whether or not it requires a gradient, and return it.
-- Fans are PyTorch's: fan_in is the product of all sizes but the first, fan_out of all but the last with the input
-- channels. The values of a four-dimensional weight are drawn in PyTorch's order of axes (out,in,kh,kw), so a seed
-- gives the same weights in both. A last argument {generator = g} draws from g and not from the default generator.
-- @module laterna.nn.init
local check = require "laterna.check"
local core = require "laterna.core"

local init = {}

local function float_tensor(fname, t)
  check.type(fname, 1, "tensor", t, "tensor")
  if t.dtype ~= "float32" then check.fail(fname, 1, "tensor: expected float32, got %s", t.dtype) end
end

local function generator_of(fname, i, options)
  return check.options(fname, i, options, { generator = "userdata" })
end

-- t = draw(shape), drawn with the input channels second where t is a convolution's (out,kh,kw,in).
local function fill(t, draw, generator)
  return core.no_grad(function()
    local s = t.shape
    local options = { generator = generator }
    if #s == 4 then
      t:copy_(draw({ s[1], s[4], s[2], s[3] }, options):permute(1, 3, 4, 2))
    else
      t:copy_(draw(s, options))
    end
    return t
  end)
end

-- Symmetric bounds take the way that rounds once, as PyTorch's sum in double precision does: 2u - 1 is exact.
local function uniform(t, lo, hi, generator)
  return fill(t, function(shape, options)
    local u = core.rand(shape, options)
    if lo == -hi then return u:mul_(2):add_(-1):mul_(hi) end
    return u:mul_(hi - lo):add_(lo)
  end, generator)
end

local function normal(t, mean, std, generator)
  return fill(t, function(shape, options) return core.randn(shape, options):mul_(std):add_(mean) end, generator)
end

local function constant(t, value)
  core.no_grad(function() t:fill_(value) end)
  return t
end

--- Uniform in [lo, hi).
-- @tparam tensor t
-- @tparam[opt=0] number lo
-- @tparam[opt=1] number hi
-- @tparam[opt] table options {generator}
function init.uniform_(t, lo, hi, options)
  float_tensor("uniform_", t)
  lo = check.number("uniform_", 2, "lo", lo == nil and 0 or lo)
  hi = check.number("uniform_", 3, "hi", hi == nil and 1 or hi, lo)
  return uniform(t, lo, hi, generator_of("uniform_", 4, options).generator)
end

--- Normal.
-- @tparam tensor t
-- @tparam[opt=0] number mean
-- @tparam[opt=1] number std
-- @tparam[opt] table options {generator}
function init.normal_(t, mean, std, options)
  float_tensor("normal_", t)
  mean = check.number("normal_", 2, "mean", mean == nil and 0 or mean)
  std = check.number("normal_", 3, "std", std == nil and 1 or std, 0)
  return normal(t, mean, std, generator_of("normal_", 4, options).generator)
end

--- One value everywhere.
-- @tparam tensor t
-- @tparam number value
function init.constant_(t, value)
  check.type("constant_", 1, "tensor", t, "tensor")
  return constant(t, check.number("constant_", 2, "value", value))
end

--- Zeros.
-- @tparam tensor t
function init.zeros_(t)
  check.type("zeros_", 1, "tensor", t, "tensor")
  return constant(t, 0)
end

--- Ones.
-- @tparam tensor t
function init.ones_(t)
  check.type("ones_", 1, "tensor", t, "tensor")
  return constant(t, 1)
end

local GAINS = {
  linear = 1, conv2d = 1, sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2), selu = 3 / 4,
  leaky_relu = function(a) return math.sqrt(2 / (1 + a * a)) end,
}
local NAMES = { "linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu" }

--- The factor by which a nonlinearity shrinks the standard deviation, as in torch.nn.init.calculate_gain.
-- @tparam string nonlinearity linear conv2d sigmoid tanh relu selu leaky_relu
-- @tparam[opt=0.01] number a the slope of leaky_relu
-- @treturn number
function init.gain(nonlinearity, a)
  check.one_of("gain", 1, "nonlinearity", nonlinearity, NAMES)
  a = check.number("gain", 2, "a", a == nil and 0.01 or a)
  local gain = GAINS[nonlinearity]
  return type(gain) == "number" and gain or gain(a)
end

--- The numbers of inputs and outputs that one weight joins, for (out,in) and for (out,kh,kw,in).
-- @tparam tensor t at least two axes
-- @treturn integer fan_in
-- @treturn integer fan_out
function init.fans(t)
  float_tensor("fans", t)
  local s = t.shape
  if #s < 2 then check.fail("fans", 1, "tensor: expected at least 2 axes, got %d", #s) end
  local field = 1
  for i = 2, #s - 1 do field = field * s[i] end
  return s[#s] * field, s[1] * field
end

local function kaiming(fname, t, options)
  float_tensor(fname, t)
  local o = check.options(fname, 2, options, {
    a = { "number", 0 },
    mode = { "string", "fan_in", one_of = { "fan_in", "fan_out" } },
    nonlinearity = { "string", "leaky_relu", one_of = NAMES },
    generator = "userdata",
  })
  local fan_in, fan_out = init.fans(t)
  local fan = math.max(o.mode == "fan_in" and fan_in or fan_out, 1)
  return init.gain(o.nonlinearity, o.a) / math.sqrt(fan), o.generator
end

--- He initialisation (He et al. 2015, https://arxiv.org/abs/1502.01852), uniform in +-sqrt(3) gain / sqrt(fan).
-- @tparam tensor t
-- @tparam[opt] table options {a=0, mode="fan_in"|"fan_out", nonlinearity="leaky_relu", generator}
function init.kaiming_uniform_(t, options)
  local std, generator = kaiming("kaiming_uniform_", t, options)
  local bound = math.sqrt(3) * std
  return uniform(t, -bound, bound, generator)
end

--- He initialisation, normal with standard deviation gain / sqrt(fan).
-- @tparam tensor t
-- @tparam[opt] table options {a=0, mode="fan_in"|"fan_out", nonlinearity="leaky_relu", generator}
function init.kaiming_normal_(t, options)
  local std, generator = kaiming("kaiming_normal_", t, options)
  return normal(t, 0, std, generator)
end

local function xavier(fname, t, options)
  float_tensor(fname, t)
  local o = check.options(fname, 2, options, { gain = { "number", 1 }, generator = "userdata" })
  local fan_in, fan_out = init.fans(t)
  return o.gain * math.sqrt(2 / math.max(fan_in + fan_out, 1)), o.generator
end

--- Glorot initialisation (Glorot and Bengio 2010), uniform in +-gain sqrt(6 / (fan_in + fan_out)).
-- @tparam tensor t
-- @tparam[opt] table options {gain=1, generator}
function init.xavier_uniform_(t, options)
  local std, generator = xavier("xavier_uniform_", t, options)
  local bound = math.sqrt(3) * std
  return uniform(t, -bound, bound, generator)
end

--- Glorot initialisation, normal with standard deviation gain sqrt(2 / (fan_in + fan_out)).
-- @tparam tensor t
-- @tparam[opt] table options {gain=1, generator}
function init.xavier_normal_(t, options)
  local std, generator = xavier("xavier_normal_", t, options)
  return normal(t, 0, std, generator)
end

return init
