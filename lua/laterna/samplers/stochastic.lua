--- Samplers that draw fresh noise in every step: DDPM, Euler's ancestral form, and DPM-Solver++ 2S's.
-- @module laterna.samplers.stochastic
local ancestral = require "laterna.samplers.ancestral"
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

local stochastic = {}

local ETA, S_NOISE = ancestral.eta, ancestral.s_noise

-- x' = alpha' x0 + down eps + up z, eps = (x - alpha x0) / sigma.
local function onward(s, from, to, x, x0, down, up)
  local keep = down / from.sigma
  local tensors, numbers = { x, x0 }, { keep, to.alpha - from.alpha * keep }
  if up > 0 then tensors[3], numbers[3] = s:noise(), up end
  return core.combine(tensors, numbers)
end

--- Ancestral sampling (Ho et al. 2020, DDPM, arXiv 2006.11239, eq. 7 and algorithm 2), over any decreasing list of
-- times: the mean of q(x' | x, x0) between the two, x0 the network's, and a fixed variance. Calls: one a step.
-- @function ddpm
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers, and variance: "small", that of q(x' | x, x0), sigma'^2 (1 - q^2)
-- (the default), or "large", that of q(x | x'), sigma^2 (1 - q^2): beta of a step of training. The step to a clean
-- picture adds none
-- @treturn table sampler
stochastic.ddpm = solver.define("ddpm", { variance = { "string", "small", one_of = { "small", "large" } } }, nil,
  function(s, o)
    local x, x0
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      local q = ancestral.left(from, to)
      local deviation = o.variance == "large" and to.sigma > 0 and from.sigma or to.sigma
      x = onward(s, from, to, x, x0, to.sigma * q, deviation * math.sqrt((1 - q) * (1 + q)))
    end
    return x
  end)

--- Euler's steps with part of the noise drawn anew (Crowson's k-diffusion; in x / alpha it is a step of the ODE down
-- to sigma_down and noise back up). With eta = 1 and s_noise = 1 it is DDPM with small variance. Calls: one a step.
-- @function euler_ancestral
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers; eta (1): how much is drawn, 0 none; s_noise (1): times the
-- deviation of what is drawn
-- @treturn table sampler
stochastic.euler_ancestral = solver.define("euler_ancestral", { eta = ETA, s_noise = S_NOISE }, nil,
  function(s, o)
    local x, x0
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      local down, up = ancestral.split(from, to, o.eta)
      x = onward(s, from, to, x, x0, down, up * o.s_noise)
    end
    return x
  end)

--- DPM-Solver++(2S) (Lu et al. 2022, arXiv 2211.01095, algorithm 1, r = 1/2) down to sigma_down and noise back up
-- (k-diffusion): the network is asked a second time in the middle, and its second x0 makes the step. With eta = 1 the
-- middle is the next time itself: it is asked twice, for two x. Calls: two a step; one in a step that keeps nothing
-- of its noise, as the last (to sigma = 0) and, with eta = 1, one from alpha = 0.
-- @function dpmpp_2s_ancestral
-- @tparam function schedule
-- @param times a list, or a number of steps
-- @tparam[opt] table options those of all samplers; eta (1) and s_noise (1) as for euler_ancestral
-- @treturn table sampler
stochastic.dpmpp_2s_ancestral = solver.define("dpmpp_2s_ancestral", { eta = ETA, s_noise = S_NOISE },
  function(s, o)
    local calls = s.n
    for i = 1, s.n do
      if ancestral.split(s.knots[i], s.knots[i + 1], o.eta) > 0 then calls = calls + 1 end
    end
    return calls
  end,
  function(s, o)
    local x, x0
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0 = s:ask(from, x)
      local down, up = ancestral.split(from, to, o.eta)
      if down > 0 then
        local middle, _ = ancestral.middle(s, from, to, down / to.alpha, 0.5)
        _, x0 = s:ask(middle, solver.move(x, x0, from, middle))
      end
      x = onward(s, from, to, x, x0, down, up * o.s_noise)
    end
    return x
  end)

return stochastic
