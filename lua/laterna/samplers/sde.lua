--- DPM-Solver++ for the reverse stochastic equation: its steps are exact but for how x0 moves within them, and each
-- draws the noise that the equation adds.
-- @module laterna.samplers.sde
local ancestral = require "laterna.samplers.ancestral"
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

local sde = {}

local ETA, S_NOISE = ancestral.eta, ancestral.s_noise

-- The weight of the change of x0 since the last step, in units of alpha', for h = log(alpha/sigma) over the step and
-- over the last one: by the midpoint rule, or exact for an x0 that moves in a straight line in h (Heun's).
local function slope(kind, h, last, eta, weight)
  if h == math.huge or h == 0 or last == 0 then return 0 end
  local w = kind == "heun" and 1 - weight / ((1 + eta) * h) or weight / 2
  return w * h / last
end

--- SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, on diffusion SDEs; eta and Heun's rule as in k-diffusion's
-- sample_dpmpp_2m_sde). With h = log(alpha/sigma) over a step, x' = sigma'/sigma e^(-eta h) x + alpha' (1 -
-- e^(-(1+eta) h)) x0 + a multiple of the change of x0 since the step before + sigma' sqrt(1 - e^(-2 eta h)) z. eta =
-- 0 is dpmpp_2m. The first step and one to sigma = 0 are of first order. Calls: one a step.
-- @function dpmpp_2m_sde
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers; solver_type "midpoint" (default) or "heun"; eta (1): how much
-- noise, 0 none; s_noise (1): times the deviation of what is drawn
-- @treturn table sampler
sde.dpmpp_2m_sde = solver.define("dpmpp_2m_sde",
  { eta = ETA, s_noise = S_NOISE, solver_type = { "string", "midpoint", one_of = { "midpoint", "heun" } } }, nil,
  function(s, o)
    s.remembers = true
    local eta = o.eta
    local x, x0, before, last
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      local q = ancestral.left(from, to) -- e^-h
      local h, weight = -math.log(q), 1 - q ^ (1 + eta)
      local bend = before and slope(o.solver_type, h, last, eta, weight) or 0
      local up = to.sigma * math.sqrt(1 - q ^ (2 * eta)) * o.s_noise
      local tensors, numbers = { x, x0 }, { to.sigma / from.sigma * q ^ eta, to.alpha * (weight + bend) }
      if bend ~= 0 then tensors[3], numbers[3] = before, -to.alpha * bend end
      if up > 0 then tensors[#tensors + 1], numbers[#numbers + 1] = s:noise(), up end
      x = core.combine(tensors, numbers)
      before, last = x0, h
    end
    return x
  end)

--- DPM-Solver++ SDE with two stages (k-diffusion's sample_dpmpp_sde): an ancestral step of Euler's to the middle, the
-- network's word there, and an ancestral step over the whole, from the two x0.
--
-- The noise of the whole step contains that of its first part, as one Brownian path over sigma/alpha would have it:
-- two independent draws a step, one for each part of the path, say all that is needed. (A Brownian tree, which gives
-- the path at any time asked, serves solvers that choose their steps as they go.) Calls: two a step, one in a step to
-- sigma = 0.
-- @function dpmpp_sde
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers; r (1/2): where the middle lies, in 0..1 of log(alpha/sigma); eta
-- (1) and s_noise (1) as for euler_ancestral
-- @treturn table sampler
sde.dpmpp_sde = solver.define("dpmpp_sde", { eta = ETA, s_noise = S_NOISE, r = { "number", 0.5, min = 0.01, max = 1 } },
  function(s) return s.knots[s.n + 1].sigma == 0 and 2 * s.n - 1 or 2 * s.n end,
  function(s, o)
    local fresh = o.eta > 0 and o.s_noise > 0
    local x, x0
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      if to.sigma == 0 then return solver.move(x, x0, from, to) end
      local middle, r = ancestral.middle(s, from, to, to.ratio, o.r)
      local down, up = ancestral.split(from, middle, o.eta)
      local keep, first = down / from.sigma, fresh and s:noise() or nil
      local between = { keep, middle.alpha - from.alpha * keep, fresh and up * o.s_noise or nil }
      local _, x1 = s:ask(middle, core.combine({ x, x0, first }, between))

      down, up = ancestral.split(from, to, o.eta)
      keep, up = down / from.sigma, up * o.s_noise
      local move, second = to.alpha - from.alpha * keep, 1 / (2 * r)
      local tensors, numbers = { x, x0, x1 }, { keep, move * (1 - second), move * second }
      if fresh then
        -- how much of the path over sigma/alpha lies before the middle
        local part = (1 - ancestral.left(from, middle)) / (1 - ancestral.left(from, to))
        tensors[4], numbers[4] = first, up * math.sqrt(part)
        tensors[5], numbers[5] = s:noise(), up * math.sqrt(1 - part)
      end
      x = core.combine(tensors, numbers)
    end
    return x
  end)

return sde
