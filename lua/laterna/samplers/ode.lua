--- Euler's method and DDIM.
-- @module laterna.samplers.ode
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

--- How much noise DDIM puts back on the way from one knot to another: eta times the deviation of q(x' | x, x0), which
-- for alpha^2 + sigma^2 = 1 is Song et al. 2021 (arXiv 2010.02502), equation 16.
-- @tparam number eta
-- @tparam table from a knot
-- @tparam table to a knot
-- @treturn number
function ode.deviation(eta, from, to)
  if to.sigma == 0 or eta == 0 then return 0 end
  local kept = from.alpha / to.alpha * to.sigma -- of the deviation at `from`, what was there at `to` already
  return eta * to.sigma / from.sigma * math.sqrt(math.max(0, from.sigma * from.sigma - kept * kept))
end

--- DDIM (Song et al. 2021, arXiv 2010.02502, equation 12): x' = alpha' x0 + sqrt(sigma'^2 - s^2) eps + s z, where s is
-- `eta` times the deviation of equation 16. Order 1 for eta = 0; for eta = 1 it is the ancestral sampler. Options:
-- eta=0 (to 1); recompute=true: where x0 is clipped, eps is what leads from the clipped x0 to x, otherwise it stays
-- what the network said.
-- @function ddim
ode.ddim = solver.define("ddim", { eta = { "number", 0, min = 0, max = 1 }, recompute = { "boolean", true } }, nil,
  function(s, o)
    local x, x0, said
    for i = 1, s.n do
      local from, to = s.knots[i], s.knots[i + 1]
      x, x0, said = s:ask(from, x)
      local deviation = ode.deviation(o.eta, from, to)
      local c = math.sqrt(math.max(0, to.sigma ^ 2 - deviation ^ 2)) / from.sigma
      local tensors = { x, x0, o.recompute and x0 or said }
      local numbers = { c, to.alpha, -c * from.alpha }
      if deviation > 0 then tensors[4], numbers[4] = s:noise(), deviation end
      x = core.combine(tensors, numbers)
    end
    return x
  end)

return ode
