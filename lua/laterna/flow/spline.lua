--- Monotone rational-quadratic splines (Gregory and Delbourgo 1982; Durkan et al. 2019, arXiv 1906.04032, 3.1).
-- @module laterna.flow.spline
local check = require "laterna.check"
local core = require "laterna.core"

-- Of a bin's width and height, as a part of the whole, and of a derivative: float32 cannot run back through what is
-- much flatter.
local LEAST = 1e-2

-- Parts of [-bound,bound] from any numbers: sizes (..,k) and the knots before each, (..,k).
local function bins(numbers, bound)
  local k = numbers:size(-1)
  local sizes = (numbers:softmax(-1) * (1 - LEAST * k) + LEAST) * (2 * bound)
  return sizes, sizes:cumsum(-1) - sizes - bound
end

-- Derivatives at all k + 1 knots, those at the ends 1; softplus so shifted that zeros mean 1.
local function slopes(numbers)
  local inner = (numbers + math.log(math.exp(1 - LEAST) - 1)):softplus() + LEAST
  local padding = {}
  for i = 1, inner:dim() do padding[i] = { 0, 0 } end
  padding[#padding] = { 1, 1 }
  return inner:pad(padding, 1)
end

-- Number (..,1), from 1, of the bin that x (..) is in, and of the next; knots (..,k) are those before each bin.
local function find(x, knots)
  local index = core.ge(x:unsqueeze(-1), knots):sum(-1, { keepdim = true }):clamp(1, knots:size(-1))
  return index:int(), (index + 1):int()
end

local function pick(list, index)
  return list:gather(-1, index):squeeze(-1)
end

local function check_inputs(x, widths, heights, derivatives)
  check.type("spline", 1, "x", x, "tensor")
  for i, t in ipairs { widths or false, heights or false, derivatives or false } do
    local name = ({ "widths", "heights", "derivatives" })[i]
    check.type("spline", i + 1, name, t, "tensor")
    local shape = t.shape
    local k = table.remove(shape)
    if table.concat(shape, ",") ~= table.concat(x.shape, ",") or k < 1
        or k ~= widths:size(-1) - (i == 3 and 1 or 0) or k * LEAST >= 1 then
      check.fail("spline", i + 1, "%s: expected an axis of k numbers more than x (%s), k - 1 of derivatives, got (%s)",
        name, table.concat(x.shape, ","), table.concat(t.shape, ","))
    end
  end
end

--- Runs every number through a spline of its own, a bijection of [-bound,bound] with k bins, the identity outside. In a
-- bin with slope s = height / width, derivatives d, e at its ends and p = (x - knot) / width:
--
--   y = knot' + height (s p^2 + d p (1-p)) / (s + (d + e - 2 s) p (1-p))
--
-- (eq. 4; the derivative is eq. 5, the inverse eqs. 6 to 8).
-- @function spline
-- @tparam Tensor x (..)
-- @tparam Tensor widths (..,k), any numbers: parts by softmax, none below 0.01
-- @tparam Tensor heights (..,k), the same
-- @tparam Tensor derivatives (..,k-1), any numbers, by softplus; 0 is derivative 1. All zeros are the identity
-- @tparam[opt=false] boolean inverse from y to x
-- @tparam[opt=4] number bound
-- @treturn Tensor like x
-- @treturn Tensor the logarithm of the derivative of the map that was applied, like x
local function spline(x, widths, heights, derivatives, inverse, bound)
  check_inputs(x, widths, heights, derivatives)
  bound = check.number("spline", 6, "bound", bound == nil and 4 or bound, 1e-6)
  local inside = core.le(x:abs(), bound)
  local v = x:clamp(-bound, bound)
  local width, left = bins(widths, bound)
  local height, low = bins(heights, bound)
  local slope = slopes(derivatives)
  local index, following = find(v, inverse and low or left)
  local w, h, x0, y0 = pick(width, index), pick(height, index), pick(left, index), pick(low, index)
  local d, e, s = pick(slope, index), pick(slope, following), h / w
  local bend, p = d + e - s * 2
  if inverse then
    local rise = v - y0
    local b = h * d - rise * bend
    local a = h * (s - d) + rise * bend
    local root = (b:square() + a * rise * s * 4):clamp(1e-20):sqrt()
    p = rise * s * 2 / (b + root)
  else
    p = (v - x0) / w
  end
  p = p:clamp(0, 1)
  local q = p * (1 - p)
  local below = s + bend * q
  local logs = (s:square() * (e * p:square() + s * q * 2 + d * (1 - p):square())):log() - below:log() * 2
  local y = inverse and p * w + x0 or y0 + h * (s * p:square() + d * q) / below
  if inverse then logs = -logs end
  return core.where(inside, y, x), logs * inside
end

return spline
