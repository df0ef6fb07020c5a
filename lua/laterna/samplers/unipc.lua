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

-- One interval: h, B(h), r of the earlier knots, and how much each difference (D_m - D_0) / r_m counts, for the
-- predictor (equation 3) and, with the new knot last, the corrector (equation 9).
local function plan(from, to, earlier, order, variant)
  local lambda = -math.log(from.ratio)
  local h = -math.log(to.ratio) - lambda
  local big_b = variant == "bh1" and -h or math.exp(-h) - 1
  local r, b = {}, {}
  for m = 1, order - 1 do r[m] = (-math.log(earlier[m].ratio) - lambda) / h end
  local factorial = 1
  for k, psi in ipairs(integrals(-h, order)) do
    factorial = factorial * k
    b[k] = factorial * psi / big_b
  end
  -- one unknown: 1/2 in its place satisfies the condition of order, as the authors do
  local predictor = order == 2 and { 0.5 } or solve(r, b)
  local all = table.move(r, 1, #r, 1, {})
  all[order] = 1
  return { B = big_b, r = r, predictor = predictor, corrector = order == 1 and { 0.5 } or solve(all, b) }
end

-- Adds scale * sum of weight[m] (D_m - D_0) / r_m to numbers, which stand for D_0, D_1, ...
local function add_differences(numbers, scale, weight, r)
  for m, w in ipairs(r) do
    local c = scale * weight[m] / w
    numbers[m + 1] = numbers[m + 1] + c
    numbers[1] = numbers[1] - c
  end
end

--- UniPC, order 2 by default: a predictor, x' = sigma'/sigma x + alpha' (1 - e^-h) D_0 - alpha' B(h) sum a_m (D_m - D_0)
-- / r_m, D the pictures seen at this knot and at earlier ones; and when the network has been asked at the new knot, a
-- corrector that corrects x' by what it saw there, for no further call. N calls. Steps begin with order 1 and gain one
-- at each knot. Options: order=2 (1 to 3); variant="bh2", B(h) = e^-h - 1, or "bh1", -h; corrector=true;
-- lower_order_final=true: orders fall to 1 at the end, as in the authors' code. Into a knot without noise the step is
-- always of order 1. A knot with alpha = 0 is left by a step of order 1, corrected, and forgotten.
-- @function unipc
unipc.unipc = solver.define("unipc", {
  order = { "integer", 2, min = 1, max = 3 }, variant = { "string", "bh2", one_of = { "bh1", "bh2" } },
  corrector = { "boolean", true }, lower_order_final = { "boolean", true },
}, nil, function(s, o)
  local x, x0
  local seen = {}       -- newest first: { x0 =, ratio = }
  local correct         -- of the last interval: { scale =, new =, numbers = for its D_0, D_1, .. }
  for i = 1, s.n do
    local from, to = s.knots[i], s.knots[i + 1]
    x, x0 = s:ask(from, x)
    -- x + the correction is what the predictor starts from; both together are one combination
    local c = to.sigma / from.sigma
    local tensors, numbers = { x, x0 }, { c, to.alpha - c * from.alpha }
    if correct then
      numbers[2] = numbers[2] + c * correct.new
      for m, old in ipairs(correct.pictures) do
        tensors[m + 2], numbers[m + 2] = old, c * correct.numbers[m]
      end
      correct = nil
    end
    local order = math.min(o.order, #seen + 1, o.lower_order_final and s.n - i + 1 or 3)
    if to.sigma == 0 then order = 1 end
    if from.alpha == 0 then
      if o.corrector then correct = { new = to.alpha / 2, pictures = { x0 }, numbers = { -to.alpha / 2 } } end
    elseif to.sigma > 0 then
      local p = plan(from, to, seen, order, o.variant)
      local parts = { 0, 0, 0 }
      add_differences(parts, -to.alpha * p.B, p.predictor, p.r)
      if o.corrector then
        local new = -to.alpha * p.B * p.corrector[order]
        correct = { new = new, pictures = { x0 }, numbers = { -new, 0, 0 } }
        for m = 1, order - 1 do
          correct.pictures[m + 1] = seen[m].x0
          p.corrector[m] = p.corrector[m] - p.predictor[m]
        end
        add_differences(correct.numbers, -to.alpha * p.B, p.corrector, p.r)
      end
      numbers[2] = numbers[2] + parts[1]
      for m = 1, order - 1 do
        tensors[#tensors + 1], numbers[#numbers + 1] = seen[m].x0, parts[m + 1]
      end
    end
    if from.alpha > 0 then
      table.insert(seen, 1, { x0 = x0, ratio = from.ratio })
      seen[3] = nil
    end
    x = core.combine(tensors, numbers)
  end
  return x
end)

return unipc
