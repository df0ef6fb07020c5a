--- From a picture to the noise that gives it back: the probability-flow ODE walked from t = 0 to t = 1 (Song et al.
-- 2021, arXiv 2010.02502, section 4.3: "DDIM inversion").
-- @module laterna.diffusion.encode
local check = require "laterna.check"
local condition = require "laterna.condition"
local correction = require "laterna.diffusion.correction"
local evaluation = require "laterna.evaluation"
local guidance = require "laterna.diffusion.guidance"
local latents = require "laterna.diffusion.latent"
local ode = require "laterna.diffusion.ode"
local schedules = require "laterna.schedule"

local encode = {}

-- The steps that a path is walked with: y, v and the points of both ends -> y at the second.
local steps = {}

-- The predictor alone, which is DDIM's step.
function steps.ddim(_, y, v, from, to)
  local d = to.phi - from.phi
  return y * math.cos(d) + v * math.sin(d)
end

function steps.heun(velocity, y, v, from, to)
  local there = velocity(steps.ddim(nil, y, v, from, to), to)
  return y + (v + there) * math.tan((to.phi - from.phi) / 2)
end

steps.euler = steps.ddim

local OPTIONS = {
  sampler = { "string", "heun", one_of = { "heun", "ddim", "euler" } },
  steps = { "integer", 100, min = 1, max = 100000 }, times = "table", spacing = "callable", callback = "callable",
}
for _, more in ipairs { guidance.options, correction.options } do
  for key, rule in pairs(more) do OPTIONS[key] = rule end
end

local KEYS = condition.keys(nil, OPTIONS)

-- The times of sample, turned round, with 0 left out.
local function rising(fname, model, o)
  local down = o.times or (o.spacing or schedules.spacing.uniform)(model.schedule, o.steps, ode.first(model, 1))
  local times, last = {}, 0
  for i = #down, 1, -1 do
    local t = check.number(fname, 3, "times", down[i], 0, 1)
    if t < last then check.fail(fname, 3, "times: expected a list that falls, as for sample") end
    if t > 0 then times[#times + 1] = t end
    last = t
  end
  if #times == 0 then check.fail(fname, 3, "times: expected at least one over 0") end
  return times
end

local function walk(fname, model, x, cond, options)
  local o = check.options(fname, 3, options, OPTIONS)
  cond = condition.read(fname, 2, cond, KEYS, x:size(1))
  x = latents.encode(fname, model, x, cond)
  local predict = guidance.predictor(fname, 2, model, cond, o)
  local correct = correction.range(fname, 3, o, model.space ~= nil or not model.pixels)
  local function velocity(y, at) return ode.velocity(predict, y, at, correct) end
  local times, step = rising(fname, model, o), steps[o.sampler]
  -- A clean picture does not say which noise it is going to get: the slope there is that of a moment later.
  local y, from = x, ode.point(model, math.min(ode.least(model), times[1] / 2))
  local v = velocity(y, from)
  from.phi = 0
  for i, t in ipairs(times) do
    local to = ode.point(model, t)
    y = step(velocity, y, v, from, to)
    if o.callback then o.callback { x = y * to.r, t = t, step = i } end
    if i < #times then v, from = velocity(y, to), to end
  end
  local last = ode.point(model, times[#times])
  return y * (1 / last.sin)
end

--- The noise that gives a picture back: `model:sample(cond, { noise = z, sampler = "heun", steps = 100 })` paints x
-- again, the better the more steps both have. Changed a little, or mixed with another picture's, it paints relatives.
-- Evaluation mode, nothing recorded.
-- @tparam diffusion self
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text, detail
-- @tparam[opt] table options
--
--  - sampler="heun" (two network calls a step) or "ddim" (one; also called "euler")
--  - steps=100, spacing, times: as for sample, with the times falling; they are walked backwards
--  - guidance, interval, rescale, negative, clip, threshold: as for sample, and to be the same there
--  - callback: function({x, t, step}) after every step
-- @treturn Tensor (n,h,w,c), of about N(0, I); in a latent space of its shape
function encode.encode(self, x, cond, options)
  condition.pictures("encode", x, 1, not self.pixels)
  return evaluation.quietly(self, walk, "encode", self, x, cond, options)
end

return encode
