--- Dequantisation: pictures of whole grey levels become points of a continuous space. The density of the points,
-- averaged over the noise, is a lower bound of the probability of the picture (Theis et al. 2016, arXiv 1511.01844,
-- 3.1; Ho et al. 2019, arXiv 1902.00275, 3.1).
--
--   v = (x + 1) 127.5 in {0,...,255},   y = (v + u) / 128 - 1 in [-1,1],   u in [0,1)
--
-- A layer like the others, but for the noise: the log-determinant is that of u -> y, less log q(u | x), so that
-- log p(y) + logdet is a bound of log P(x) in nats. The inverse gives the grey level that y lies in, exactly.
-- @module laterna.flow.dequantise
local check = require "laterna.check"
local core = require "laterna.core"
local coupling = require "laterna.flow.coupling"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"
local CouplingNet = require("laterna.flow.coupling_net").CouplingNet

local MARGIN = 5e-5 -- noise keeps this far from the next grey level, so that rounding does not reach it

local function whole_levels(x)
  return ((x + 1) * 127.5):round():clamp(0, 255)
end

-- The point y from grey levels and noise u.
local function joined(levels, u)
  return (levels + (u * (1 - 2 * MARGIN) + MARGIN)) * (1 / 128) - 1
end

-- Back: the grey levels of y, and u.
local function parted(y)
  local v = (y + 1) * 128
  local levels = v:floor():clamp(0, 255)
  return levels, (v - levels - MARGIN) * (1 / (1 - 2 * MARGIN))
end

local function generator_of(cond)
  return { generator = cond and cond.generator }
end

-- -log |dy/du| of all numbers of an example.
local function nats(x)
  return core.full({ x:size(1) }, math.log(128 / (1 - 2 * MARGIN)) * (x:numel() / x:size(1)))
end

local dequantise = {}

--- The middle of every grey level: no noise, for noise that is to be edited.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @treturn Tensor y like x
function dequantise.centre(x)
  check.type("centre", 1, "x", x, "tensor")
  return joined(whole_levels(x), 0.5)
end

--- The picture whose grey levels have y in their middle, between levels too: what centre undoes, with a slope where
-- the inverse of dequantisation has steps.
-- @tparam Tensor y (n,h,w,c)
-- @treturn Tensor like y
function dequantise.smooth(y)
  return (check.type("smooth", 1, "y", y, "tensor") + 1) * (128 / 127.5) - (1 + 0.5 / 127.5)
end

--- u uniform. cond.generator, if there is one, draws it.
-- @function Dequantise
local Dequantise = nn.class("Dequantise", function() end)

Dequantise.smooth = dequantise.smooth

function Dequantise:forward(x, cond)
  layer.check("Dequantise", x, cond)
  return joined(whole_levels(x), core.rand(x.shape, generator_of(cond))), -nats(x)
end

--- @tparam Tensor y (n,h,w,c)
-- @treturn Tensor whole grey levels, in [-1,1]
-- @treturn Tensor (n)
function Dequantise:inverse(y, cond)
  layer.check("Dequantise", y, cond)
  return (parted(y)) * (1 / 127.5) - 1, nats(y)
end

-- The network of a coupling that sees the picture beside its half of the noise.
local Beside = nn.class("Beside", function(self, channels, options)
  self.net = CouplingNet(2 * channels, 2 * channels, options)
end)

function Beside:forward(seen, cond)
  return self.net(core.cat({ seen, cond.picture }, 4))
end

--- u = sigmoid(g(eps; x)), eps ~ N(0, I) and g a flow of affine couplings with checkerboard masks that look at the
-- picture: noise learns to lie where the density is easy to say, and the bound gets tighter (Ho et al. 2019).
-- @function VariationalDequantise
-- @tparam[opt=1] integer channels
-- @tparam[opt] table options {couplings=4, hidden=32, depth=1, kernel=3}
local Variational = nn.class("VariationalDequantise", function(self, channels, options)
  channels = check.integer("VariationalDequantise", 1, "channels", channels == nil and 1 or channels, 1,
    layer.MOST)
  local o = check.options("VariationalDequantise", 2, options, {
    couplings = { "integer", 4, min = 1, max = 64 }, hidden = { "integer", 32, min = 1 },
    depth = { "integer", 1, min = 0, max = 64 }, kernel = { "integer", 3, min = 1 },
  })
  self.couplings = {}
  for i = 1, o.couplings do
    self.couplings[i] = coupling.AffineCoupling(channels, {
      mask = "checkerboard", flip = i % 2 == 0,
      net = Beside(channels, { hidden = o.hidden, depth = o.depth, kernel = o.kernel }),
    })
  end
end)

Variational.smooth = dequantise.smooth

local function pictures(fname, x)
  if x:dim() ~= 4 then check.fail(fname, 1, "x: expected pictures (n,h,w,c), got %d axes", x:dim()) end
end

local function normal(eps)
  return layer.total((eps:square() + math.log(2 * math.pi)) * -0.5)
end

-- log q of u = sigmoid(g), from log N(eps) and the log-determinant of eps -> g.
local function density(base, logdet, g)
  return base - logdet + layer.total(g:softplus() + (-g):softplus())
end

function Variational:forward(x, cond)
  pictures("VariationalDequantise", layer.check("VariationalDequantise", x, cond))
  local levels = whole_levels(x)
  local g, beside = core.randn(x.shape, generator_of(cond)), { picture = joined(levels, 0.5) }
  local base, total = normal(g), layer.none(x)
  local logdet
  for _, c in ipairs(self.couplings) do
    g, logdet = c(g, beside)
    total = total + logdet
  end
  return joined(levels, g:sigmoid()), -nats(x) - density(base, total, g)
end

--- @tparam Tensor y (n,h,w,c)
-- @treturn Tensor whole grey levels, in [-1,1]
-- @treturn Tensor (n)
function Variational:inverse(y, cond)
  pictures("inverse", layer.check("VariationalDequantise", y, cond))
  local levels, u = parted(y)
  u = u:clamp(1e-6, 1 - 1e-6)
  local g = u:log() - (1 - u):log()
  local eps, beside, total = g, { picture = joined(levels, 0.5) }, layer.none(y)
  local logdet
  for i = #self.couplings, 1, -1 do
    eps, logdet = self.couplings[i]:inverse(eps, beside)
    total = total - logdet
  end
  return levels * (1 / 127.5) - 1, nats(y) + density(normal(eps), total, g)
end

dequantise.Dequantise, dequantise.VariationalDequantise = Dequantise, Variational

return dequantise
