--- Churn: noise added before every step but the first, around any solver whose steps know nothing of earlier ones.
-- @module laterna.samplers.churn
local check = require "laterna.check"
local core = require "laterna.core"
local schedule = require "laterna.schedule"
local spelling = require "laterna.spelling"

local MOST = math.sqrt(2) - 1

local OPTIONS = {
  churn = { "number", required = true, min = 0 }, tmin = { "number", 0, min = 0 }, tmax = { "number", 1, max = 1 },
  noise = { "number", 1, min = 0 },
}

local Churned = {}
Churned.__index = Churned
setmetatable(Churned, { __index = spelling.methods("a sampler", Churned) })

-- Lifts x, which is at the end of a step, to the beginning of the next: z by which x alpha^/alpha falls short of
-- sigma^.
local function lift(x, from, to, s_noise, done)
  local grown = to.alpha / from.alpha
  local variance = to.sigma ^ 2 - (grown * from.sigma) ^ 2
  if variance <= 0 then return x end
  return core.combine({ x, done:noise() }, { grown, s_noise * math.sqrt(variance) })
end

--- As a solver's step: takes x at time s.t and the network's output for it, gives x at the next s.t.
function Churned:step(x, prediction)
  local current = self.steps[self.i]
  if not current then check.fail("step", nil, "this churned sampler has ended after %d network calls", self.done) end
  x = current.solver:step(x, prediction)
  self.x0, self.done = current.solver.x0, self.done + 1
  if not current.solver.t then
    self.i = self.i + 1
    local following = self.steps[self.i]
    if following and following.lifted then
      x = lift(x, following.knot, following.lifted, self.s_noise, current.solver)
    end
  end
  current = self.steps[self.i]
  self.t = current and current.solver.t
  return x
end

-- The steps of the list of times, each with a solver of its own, from the time to which x is lifted.
local function lay_out(inner, f, settings, whole, o)
  local steps, knots = {}, whole.knots
  local gamma = math.min(o.churn / whole.n, MOST)
  for i = 1, whole.n do
    local knot = knots[i]
    local step = { knot = knot }
    if i > 1 and gamma > 0 and knot.t >= o.tmin and knot.t <= o.tmax then
      step.lifted = whole:knot_at(math.max(knot.t, schedule.invert(f, knot.ratio * (1 + gamma))))
    end
    step.solver = inner(f, { (step.lifted or knot).t, knots[i + 1].t }, settings)
    steps[i] = step
  end
  return steps
end

--- Stochastic sampling of Karras et al. 2022 (arXiv 2206.00364, algorithm 2) around a solver of single steps: euler,
-- heun, dpm2, ddim, one's own. x is lifted from t to a later t^ by fresh noise, sigma/alpha growing by the factor
-- 1 + gamma, gamma = min(churn / N, sqrt(2) - 1), and the solver steps from t^, where the network is asked, to the next
-- time. The lift ends at t = 1. Where steps are small and churn is large, t^ may lie above the time asked before.
--
-- Noise is added at the end of the step before, so the first step is never churned: at t = 1 there is nothing but noise
-- anyway. In the paper times are sigmas: schedule.invert(f, 0.05) is the tmin of its 0.05. Calls: those of the solver.
-- @tparam function inner lt.samplers.NAME, or one's own of lt.samplers.define
-- @tparam table options churn (S_churn: how much in all the steps together), tmin (0) and tmax (1): times between which
-- steps are churned; noise (1): times the deviation of what is added (S_noise, 1.003 in the paper)
-- @treturn function (schedule, times, options) -> sampler, as inner is
-- @raise when that is called, if the solver remembers earlier steps
return function(inner, options)
  check.type("churn", 1, "inner", inner, "callable")
  local o = check.options("churn", 2, options, OPTIONS)
  return function(f, times, settings)
    local whole = inner(f, times, settings)
    if type(whole) ~= "table" or type(whole.knots) ~= "table" then
      check.fail("churn", 1, "inner: expected a function that gives a sampler with knots, got %s",
        check.describe(whole))
    elseif whole.remembers then
      check.fail("churn", 1, "inner: expected a solver of single steps; %s goes on from x0 of earlier steps, "
        .. "which fresh noise would belie", whole.name)
    end
    local s = { schedule = f, name = "churn", knots = whole.knots, n = whole.n, i = 1, done = 0, calls = 0,
      s_noise = o.noise, steps = lay_out(inner, f, settings, whole, o) }
    for _, step in ipairs(s.steps) do s.calls = s.calls + step.solver.calls end
    s.t = s.steps[1].solver.t
    return setmetatable(s, Churned)
  end
end
