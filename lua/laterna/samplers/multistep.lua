--- Solvers that remember the network's outputs at earlier knots, so that a higher order costs no further call:
-- DPM-Solver++ 2M and linear multistep.
-- @module laterna.samplers.multistep
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

local multistep = {}

--- DPM-Solver++ 2M (Lu et al. 2022, arXiv 2211.01095, algorithm 2): with lambda = log(alpha / sigma), h its step and q
-- that of the interval before divided by h,
--
--   D = (1 + 1 / (2 q)) x0 - 1 / (2 q) x0_before,    x' = sigma'/sigma x + alpha' (1 - e^-h) D.
--
-- Order 2, N calls. The first step, and one into a knot without noise, where h has no end, are of order 1 (D = x0).
-- Options: lower_order_final=false: the last step is of order 1 wherever it ends, which the authors advise below 15
-- steps.
-- @function dpmpp_2m
multistep.dpmpp_2m = solver.define("dpmpp_2m", { lower_order_final = { "boolean", false } }, nil, function(s, o)
  s.remembers = true
  local x, x0, x0_before, h_before
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    x, x0 = s:ask(from, x)
    local h = math.log(from.ratio) - math.log(to.ratio)
    local first_order = i == 1 or to.sigma == 0 or h_before <= solver.NEAR * h or i == s.n and o.lower_order_final
    local extra = first_order and 0 or h / h_before / 2 -- 0 after a knot with alpha = 0
    local c = to.sigma / from.sigma
    local d = to.alpha - c * from.alpha -- alpha' (1 - e^-h)
    local before = x0_before
    x0_before, h_before = x0, h
    if extra == 0 then
      x = core.combine({ x, x0 }, { c, d })
    else
      x = core.combine({ x, x0, before }, { c, d * (1 + extra), -d * extra })
    end
  end
  return x
end)

--- The weights of an Adams-Bashforth step: how much the value at each node counts in the mean over [0,1] of the
-- polynomial through all of them.
-- @tparam {number,...} nodes different from each other
-- @treturn {number,...}
function multistep.weights(nodes)
  local weights = {}
  for j, at in ipairs(nodes) do
    local p = { 1 } -- coefficients of the Lagrange polynomial of node j, lowest first
    for k, other in ipairs(nodes) do
      if k ~= j then
        local next = {}
        for m = 1, #p + 1 do next[m] = ((p[m - 1] or 0) - other * (p[m] or 0)) / (at - other) end
        p = next
      end
    end
    weights[j] = 0
    for m, coefficient in ipairs(p) do weights[j] = weights[j] + coefficient / m end
  end
  return weights
end

--- Linear multistep (Adams-Bashforth with unequal steps, as k-diffusion's sample_lms; Liu et al. 2022, arXiv
-- 2202.09778, for equal ones): X' = X + the integral over [r, r'] of the polynomial through the last `order` values of
-- eps, exactly. N calls. Each knot adds one value, so the first step is Euler's; what it does wrong falls with the
-- square of the step, which in the end is the order of the whole, whatever `order` (1 to 4, 4 by default; 1 is euler).
-- A knot with alpha = 0 is left by Euler's step and forgotten.
-- @function lms
multistep.lms = solver.define("lms", { order = { "integer", 4, min = 1, max = 4 } }, nil, function(s, o)
  s.remembers = true
  local x, x0
  local earlier = {} -- newest first: { eps =, ratio = }
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    x, x0 = s:ask(from, x)
    if from.alpha == 0 then
      x = solver.move(x, x0, from, to)
    else
      local span = to.ratio - from.ratio
      local nodes = { 0 }
      for j, e in ipairs(earlier) do
        nodes[j + 1] = (e.ratio - from.ratio) / span
        if nodes[j] - nodes[j + 1] < solver.NEAR then nodes[j + 1] = nil break end
      end
      local w = multistep.weights(nodes)
      local c = to.alpha * span
      -- eps at this knot is (x - alpha x0) / sigma
      local tensors, numbers = { x, x0 }, { to.alpha / from.alpha + c * w[1] / from.sigma, -c * w[1] / from.ratio }
      for j = 2, #nodes do tensors[j + 1], numbers[j + 1] = earlier[j - 1].eps, c * w[j] end
      if o.order > 1 then
        local eps = core.combine({ x, x0 }, { 1 / from.sigma, -1 / from.ratio })
        table.insert(earlier, 1, { eps = eps, ratio = from.ratio })
        earlier[o.order] = nil
      end
      x = core.combine(tensors, numbers)
    end
  end
  return x
end)

return multistep
