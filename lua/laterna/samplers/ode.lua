--- Solvers that remember nothing from one interval to the next: Euler's method, DDIM, Heun's method and DPM-Solver-2.
--
-- With x / alpha = X and sigma / alpha = r all noise schedules have one ODE, dX/dr = eps (Karras et al. 2022); with
-- x / sigma = Y and alpha / sigma = u it is dY/du = x0, which also begins where alpha is 0.
-- @module laterna.samplers.ode
local ancestral = require "laterna.samplers.ancestral"
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

local ode = {}

--- Euler's method for dx/dratio = eps in x / alpha, ratio = sigma / alpha (Karras et al. 2022, arXiv 2206.00364,
-- algorithm 1 without its correction); order 1. It is ddim with eta = 0, and sees no alpha of 0: x' = alpha' x0 +
-- sigma' eps.
-- @function euler
ode.euler = solver.define("euler", nil, nil, function(s)
  local x, x0
  for i = 1, s.n do
    x, x0 = s:ask(s.knots[i], x)
    x = solver.move(x, x0, s.knots[i], s.knots[i + 1])
  end
  return x
end)

--- DDIM (Song et al. 2021, arXiv 2010.02502, equation 12): x' = alpha' x0 + sqrt(sigma'^2 - s^2) eps + s z, where s is
-- `eta` times the deviation of equation 16. Order 1 for eta = 0; for eta = 1 it is the ancestral sampler. Options:
-- eta=0 (to 1); recompute=true: where x0 is clipped, eps is what leads from the clipped x0 to x, otherwise it stays
-- the network's own.
-- @function ddim
ode.ddim = solver.define("ddim", { eta = { "number", 0, min = 0, max = 1 }, recompute = { "boolean", true } }, nil,
  function(s, o)
    local x, x0, unclipped
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0, unclipped = s:ask(from, x)
      local down, up = ancestral.split(from, to, o.eta)
      local c = down / from.sigma
      local tensors = { x, x0, o.recompute and x0 or unclipped }
      local numbers = { c, to.alpha, -c * from.alpha }
      if up > 0 then tensors[4], numbers[4] = s:noise(), up end
      x = core.combine(tensors, numbers)
    end
    return x
  end)

-- Two calls an interval, but one where it ends without noise.
local function two_calls(s)
  return 2 * s.n - (s.knots[s.n + 1].sigma == 0 and 1 or 0)
end

--- Heun's method (Karras et al. 2022, arXiv 2206.00364, algorithm 1), order 2: Euler's step, then its slope averaged
-- with the one where it ended, X' = X + (r' - r)(eps + eps') / 2. Into a knot without noise the step stays Euler's, so
-- N steps to t = 0 are 2 N - 1 calls, 2 N elsewhere; every knot between is asked twice. Out of a knot with alpha = 0
-- the average is of x0 over u. Where few steps let r fall by large factors, as uniform ones of edm do, its average
-- overshoots: use a spacing by ratio.
-- @function heun
ode.heun = solver.define("heun", nil, two_calls, function(s)
  local x
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    local begun, x0 = s:ask(from, x)
    x = solver.move(begun, x0, from, to)
    if to.sigma > 0 then
      local guess, x0_next = s:ask(to, x)
      -- what the average adds to Euler's step, so that a guess that the caller has changed counts
      if from.alpha == 0 then
        local c = to.alpha / 2 -- sigma' (u' - u) / 2 with u = 0
        x = core.combine({ guess, x0_next, x0 }, { 1, c, -c })
      else
        local c = to.alpha * (to.ratio - from.ratio) / 2
        x = core.combine({ guess, x0_next, begun, x0 },
          { 1 + c / to.sigma, -c / to.ratio, -c / from.sigma, c / from.ratio })
      end
    end
  end
  return x
end)

--- DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927, algorithm 1) as k-diffusion's sample_dpm_2: the slope of the whole
-- interval is the one halfway in log r, X' = X + (r' - r) eps_middle; order 2. Into a knot without noise it is Euler's
-- step, so N steps to t = 0 are 2 N - 1 calls, 2 N elsewhere. Out of a knot with alpha = 0 the middle is that of u, and
-- the slope x0.
-- @function dpm2
ode.dpm2 = solver.define("dpm2", nil, two_calls, function(s)
  local x
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    local begun, x0 = s:ask(from, x)
    if to.sigma == 0 then
      x = solver.move(begun, x0, from, to)
    elseif from.alpha == 0 then
      local middle = s:knot_with(from, to, 2 * to.ratio)
      local _, x0_middle = s:ask(middle, solver.move(begun, x0, from, middle))
      x = solver.move(begun, x0_middle, from, to)
    else
      local middle = s:knot_between(from, to, 0.5)
      local there, x0_middle = s:ask(middle, solver.move(begun, x0, from, middle))
      local c = to.alpha * (to.ratio - from.ratio)
      x = core.combine({ begun, there, x0_middle },
        { to.alpha / from.alpha, c / middle.sigma, -c / middle.ratio })
    end
  end
  return x
end)

return ode
