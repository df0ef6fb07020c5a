--- How many bits a diffusion model needs for a picture: the change of variables along the probability-flow ODE (Song et
-- al. 2021, arXiv 2011.13456, section 4.3 and eq. 39; Chen et al. 2018, arXiv 1806.07366). In the angle phi and with
-- y = x / r as in laterna.diffusion.ode,
--
--   dy/dphi = v(y, phi),    d log p(y) / dphi = -div v      so
--
--   log p(x) = log N(y(pi/2); 0, I) + integral of div v dphi
--
-- The divergence is estimated without bias by e . (dv/dy)^T e for random signs e (Hutchinson 1989), one backward pass a
-- probe, with fresh signs at every point: steps that are fixed beforehand let their errors average out. Pictures lie
-- close to surfaces of fewer dimensions, off which v is about y/phi: so the angles lie closer together towards 0, the
-- path is walked by the turned Heun step, exact there, and the divergence is summed by trapezia over log phi.
--
-- A picture of 8 bits a value is a box of 2/255 in each; noise uniform in the box makes of the density a bound on the
-- probability (Theis et al. 2016, arXiv 1511.01844):
--
--   bits = -log2 p(x) / d + log2((levels - 1) / 2)
-- @module laterna.diffusion.likelihood
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"
local guidance = require "laterna.diffusion.guidance"
local noise = require "laterna.noise"
local ode = require "laterna.diffusion.ode"
local schedules = require "laterna.schedule"

local likelihood = {}

local CROWDING = 8 -- angles go with this power of the step

local OPTIONS = {
  steps = { "integer", 40, min = 1, max = 100000 }, probes = { "integer", 1, min = 1, max = 100000 },
  levels = { "integer", 256, min = 2 }, dequantize = { "boolean", true },
  generator = noise.options.generator,
}

local KEYS = condition.keys(nil, OPTIONS)

-- The points of the path, from a picture as good as clean to noise.
local function path(model, steps)
  local function angle(t) return math.atan(schedules.ratio(model.schedule, t)) end
  local from, to = ode.least(model), ode.first(model, 1)
  local lo, hi = angle(from) ^ (1 / CROWDING), angle(to) ^ (1 / CROWDING)
  local points = { ode.point(model, from) }
  for i = 1, steps - 1 do
    local phi = (lo + (hi - lo) * i / steps) ^ CROWDING
    points[i + 1] = ode.point(model, schedules.invert(model.schedule, math.tan(phi)))
  end
  points[steps + 1] = ode.point(model, to)
  return points
end

local function signs(x, generator)
  return core.randint(0, 1, x.shape, { generator = generator }):float() * 2 - 1
end

-- v at y, and its divergence (n) by the probes. Recorded only within.
local function slope(predict, y, at, o)
  core.set_grad_enabled(true)
  y = y:detach():requires_grad_()
  local v = ode.velocity(predict, y, at)
  local divergence = core.zeros(y:size(1))
  core.set_grad_enabled(false)
  for i = 1, o.probes do
    local e = signs(y, o.generator)
    local g = core.grad(v, { y }, { grad_output = e, retain_graph = i < o.probes })[1]
    if g then divergence = divergence + (g * e):flatten(2):sum(2) * (1 / o.probes) end
  end
  return v:detach(), divergence
end

local function bits(fname, model, x, cond, options)
  local o = check.options(fname, 3, options, OPTIONS)
  cond = condition.read(fname, 2, cond, KEYS, x:size(1))
  if model.space then
    check.fail(fname, nil, "self: in a latent space the density is that of latents, not of pictures")
  end
  local predict = guidance.predictor(fname, 2, model, cond, { guidance = 1 })
  local width, drawn = 2 / (o.levels - 1), { generator = o.generator }
  local y = o.dequantize and x + (core.rand(x.shape, drawn) - 0.5) * width or x
  local points, volume = path(model, o.steps), core.zeros(x:size(1))
  for i = 1, o.steps do
    local from, to = points[i], points[i + 1]
    local d = to.phi - from.phi
    local v, here = slope(predict, y, from, o)
    local v2, there = slope(predict, y * math.cos(d) + v * math.sin(d), to, o)
    y = y + (v + v2) * math.tan(d / 2)
    volume = volume + (here * from.phi + there * to.phi) * (0.5 * math.log(to.phi / from.phi))
  end
  local d = x:flatten(2):size(2)
  local logp = volume - y:square():flatten(2):sum(2) * 0.5 - 0.5 * d * math.log(2 * math.pi)
  return logp * (-1 / (d * math.log(2))) - math.log(width, 2)
end

--- Bits a value of each picture, (n); their mean is what papers report as bits per dimension. What the captions say is
-- known to the reader and not paid for. Evaluation mode; no more is kept than one step needs.
-- @tparam diffusion self one that paints pictures, not latents
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text, detail
-- @tparam[opt] table options
--
--  - steps=40 (of Heun's method, two network calls each)
--  - probes=1: how many random signs estimate the divergence; one is without bias already, more have less noise
--  - levels=256: how many values a pixel can have; dequantize=true: add noise uniform within one of them
--  - generator for both
-- @treturn Tensor (n)
function likelihood.bits_per_dim(self, x, cond, options)
  condition.pictures("bits_per_dim", x, 1, not self.pixels)
  return evaluation.quietly(self, bits, "bits_per_dim", self, x, cond, options)
end

return likelihood
