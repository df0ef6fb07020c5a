--- UniPC (Zhao et al. 2023, arXiv 2302.04867), for data prediction.
-- @module laterna.samplers.unipc
local core = require "laterna.core"
local solver = require "laterna.samplers.solver"

local unipc = {}

-- psi_k = sum over j >= 1 of z^j / (j + k)!, k = 1..n: with z = -h these are the integrals of exp against powers that
-- the paper calls h phi_k. The recursion upwards loses what it subtracts where z is small.
local function integrals(z, n)
  local psi = {}
  if z > -1 then
    local factorial = 1
    for k = 1, n do
      factorial = factorial * k
      local term, sum = 1 / factorial, 0
      for j = 1, 24 do
        term = term * z / (j + k)
        sum = sum + term
      end
      psi[k] = sum
    end
    return psi
  end
  local factorial, last = 1, math.exp(z) - 1
  for k = 1, n do
    factorial = factorial * k
    last = last / z - 1 / factorial
    psi[k] = last
  end
  return psi
end

-- a with sum over m of a[m] r[m]^(k - 1) = b[k], k = 1..#r: Gauss's elimination of at most 3 rows; r are different.
local function solve(r, b)
  local n, rows = #r, {}
  for k = 1, n do
    rows[k] = { [n + 1] = b[k] }
    for m = 1, n do rows[k][m] = r[m] ^ (k - 1) end
  end
  for k = 1, n do
    for other = 1, n do
      if other ~= k then
        local factor = rows[other][k] / rows[k][k]
        for m = k, n + 1 do rows[other][m] = rows[other][m] - factor * rows[k][m] end
      end
    end
  end
  local a = {}
  for k = 1, n do a[k] = rows[k][n + 1] / rows[k][k] end
  return a
end

-- A sum of numbers times tensors that grows until it is worth a pass over memory.
local function add(sum, tensor, number)
  for i, t in ipairs(sum.tensors) do
    if rawequal(t, tensor) then
      sum.numbers[i] = sum.numbers[i] + number
      return
    end
  end
  table.insert(sum.tensors, tensor)
  table.insert(sum.numbers, number)
end

-- Adds scale * sum over m of a[m] (D_m - D_0) / r[m].
local function add_differences(sum, scale, a, r, history)
  for m, weight in ipairs(a) do
    add(sum, history[m].x0, scale * weight / r[m])
    add(sum, history[0].x0, -scale * weight / r[m])
  end
end

-- What the predictor (equation 3) adds to the step of order 1, and the corrector (equation 9) to the predictor once the
-- picture at the new knot is there: a function of the sum and that picture. history[0] is this knot, history[m] those
-- before.
local function higher(sum, to, history, order, o)
  local function lambda(k) return -math.log(k.ratio) end
  local h = lambda(to) - lambda(history[0])
  if h == 0 then return nil end
  local big_b = o.variant == "bh1" and -h or math.exp(-h) - 1
  local scale = -to.alpha * big_b
  local r, b, factorial = {}, {}, 1
  for m = 1, order - 1 do
    local back = (lambda(history[m]) - lambda(history[0])) / h
    if (r[m - 1] or 0) - back < solver.NEAR then break end
    r[m] = back
  end
  order = #r + 1
  for k, psi in ipairs(integrals(-h, order)) do
    factorial = factorial * k
    b[k] = factorial * psi / big_b
  end
  -- with one unknown 1/2 is close enough for the order, and what the authors take
  local predictor = order == 2 and { 0.5 } or solve(r, b)
  add_differences(sum, scale, predictor, r, history)
  if not o.corrector then return nil end
  local pictures = table.move(history, 0, order - 1, 0, {})
  return function(next_sum, x0)
    r[order], pictures[order] = 1, { x0 = x0 }
    local corrector = order == 1 and { 0.5 } or solve(r, b)
    for m = 1, order - 1 do corrector[m] = corrector[m] - predictor[m] end
    add_differences(next_sum, scale, corrector, r, pictures)
  end
end

--- UniPC, order 2 by default: with D the pictures at this knot and at earlier ones, a predictor
--
--   x' = sigma'/sigma x + alpha' (1 - e^-h) D_0 - alpha' B(h) sum of a_m (D_m - D_0) / r_m,
--
-- and a corrector, the same with the picture at the new knot among the D, for no further call: N calls.
-- Predictors are of order p and correctors make that p + 1; but the first step brings the whole to 3 at most, and a
-- last one of order 1 to 2.
--
-- Options: order=2 (p, 1 to 3); variant="bh2", B(h) = e^-h - 1, or "bh1", -h; corrector=true; lower_order_final=true:
-- orders fall to 1 at the end, as in the authors' code. A step into a knot without noise is always of order 1. A knot
-- with alpha = 0 is left by a step of order 1, corrected by the mean of both pictures, and forgotten.
-- @function unipc
unipc.unipc = solver.define("unipc", {
  order = { "integer", 2, min = 1, max = 3 },
  variant = { "string", "bh2", one_of = { "bh1", "bh2" } },
  corrector = { "boolean", true }, lower_order_final = { "boolean", true },
}, nil, function(s, o)
  s.remembers = true
  local x, x0, correct
  local history = {} -- [0] newest: { x0 =, ratio = }
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    x, x0 = s:ask(from, x)
    local sum = { tensors = { x }, numbers = { 1 } }
    if correct then correct(sum, x0) end
    local c = to.sigma / from.sigma
    for k, number in ipairs(sum.numbers) do sum.numbers[k] = c * number end
    add(sum, x0, to.alpha - c * from.alpha)
    correct = nil
    if from.alpha == 0 then
      local half, begun = to.alpha / 2, x0
      correct = o.corrector and function(next_sum, new)
        add(next_sum, new, half)
        add(next_sum, begun, -half)
      end
    else
      history = { [0] = { x0 = x0, ratio = from.ratio }, history[0], history[1] }
      local order = math.min(o.order, #history + 1, o.lower_order_final and s.n - i + 1 or 3)
      if to.sigma > 0 then correct = higher(sum, to, history, order, o) end
    end
    x = core.combine(sum.tensors, sum.numbers)
  end
  return x
end)

return unipc
