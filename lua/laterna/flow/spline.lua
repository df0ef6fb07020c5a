--- Monotone rational-quadratic splines (Gregory and Delbourgo 1982; Durkan et al. 2019, arXiv 1906.04032, 3.1).
-- @module laterna.flow.spline
local check = require "laterna.check"
local core = require "laterna.core"

-- No bin is narrower or lower than this part of an even share, 2 bound / k, and no derivative is below SHARE / k:
-- float32 could not run back through what is much flatter.
local SHARE = 0.24

--- Runs every number through a spline of its own, a bijection of [-bound,bound] with k bins, the identity outside. In a
-- bin with slope s = height / width, derivatives d, e at its ends and p = (x - knot) / width:
--
--   y = knot' + height (s p^2 + d p (1-p)) / (s + (d + e - 2 s) p (1-p))
--
-- (eq. 4; the derivative is eq. 5, the inverse eqs. 6 to 8).
-- @function spline
-- @tparam Tensor x (..)
-- @tparam Tensor said (..,3k-1), any numbers: k widths and k heights, parts by softmax, none below 0.24 of an even
-- share, and k - 1 derivatives, by softplus, so shifted that 0 is derivative 1, none below 0.24 / k. All zeros are the
-- identity
-- @tparam[opt=false] boolean inverse from y to x
-- @tparam[opt=4] number bound
-- @treturn Tensor like x
-- @treturn Tensor the logarithm of the derivative of the map that was applied, like x
local function spline(x, said, inverse, bound)
  check.type("spline", 1, "x", x, "tensor")
  check.type("spline", 2, "said", said, "tensor")
  check.type("spline", 3, "inverse", inverse, "boolean|nil")
  bound = check.number("spline", 4, "bound", bound == nil and 4 or bound, 1e-6, 1e6)
  local k = math.max(1, (said:dim() > 0 and said:size(-1) + 1 or 0) // 3)
  local options = { inverse = inverse or false, bound = bound, least = SHARE / k }
  local y, logs = core.spline(x, said, options):chunk(2, 1)
  return y:view(x.shape), logs:view(x.shape)
end

return spline
