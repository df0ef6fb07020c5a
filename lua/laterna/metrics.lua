--- How good samples are: distances between sets of features, agreement with captions, variety.
-- @module laterna.metrics
local check = require "laterna.check"
local core = require "laterna.core"

local metrics = {}

--- The Frechet distance of two feature sets (n,d) and (m,d): `lt.frechet`.
-- @function frechet
-- @see laterna.core.frechet
metrics.frechet = core.frechet

local function list(i, name, v)
  if not check.is_tensor(v) then return check.type("accuracy", i, name, v, "table") end
  if check.type("accuracy", i, name, v, "tensor"):dim() ~= 1 then
    check.fail("accuracy", i, "%s: expected a list or a tensor (n), got %d axes", name, v:dim())
  end
  return v:totable()
end

--- The part of the places at which two lists agree.
-- @tparam table|Tensor named a list, or a tensor (n)
-- @tparam table|Tensor wanted as long
-- @treturn number 0 to 1
function metrics.accuracy(named, wanted)
  named, wanted = list(1, "named", named), list(2, "wanted", wanted)
  local n, right = rawlen(named), 0
  if n == 0 then check.fail("accuracy", 1, "named: expected at least one name, got an empty list") end
  if rawlen(wanted) ~= n then
    check.fail("accuracy", 2, "wanted: expected %d names as in named, got %d", n, rawlen(wanted))
  end
  for i = 1, n do
    if rawequal(rawget(named, i), rawget(wanted, i)) then right = right + 1 end
  end
  return right / n
end

--- The mean Euclidean distance of two of the rows: 0 when all are the same. Takes n^2 d / 2 steps.
-- @tparam Tensor features (n,...), n at least 2; axes after the first count as one
-- @treturn number
function metrics.variety(features)
  local x = check.type("variety", 1, "features", features, "tensor")
  if x.dtype ~= "float32" then check.fail("variety", 1, "features: expected float32, got %s", x.dtype) end
  if x:dim() < 2 or x:size(1) < 2 or x:numel() == 0 then
    check.fail("variety", 1, "features: expected (n,...) with n of at least 2, got (%s)", table.concat(x.shape, ","))
  end
  local n, sum = x:size(1), 0
  core.no_grad(function()
    x = x:flatten(2)
    for i = 1, n - 1 do sum = sum + (x[{ i + 1, n }] - x[i]):square():sum(2):sqrt():sum():item() end
  end)
  local mean = sum / (n * (n - 1) / 2)
  if mean ~= mean or mean == math.huge then check.fail("variety", 1, "features: its values are not all finite") end
  return mean
end

local function total(i, name, counts)
  check.type("total_variation", i, name, counts, "table")
  local sum = 0
  for key, count in next, counts do
    local where = ("%s[%s]"):format(name, check.describe(key))
    sum = sum + check.number("total_variation", i, where, count, 0, 2 ^ 53)
  end
  if sum == 0 then check.fail("total_variation", i, "%s: expected counts that are not all zero", name) end
  return sum
end

--- The total variation distance of two distributions, half the sum of |p - q|: the largest difference that they give
-- to the probability of any event.
-- @tparam table a how often each thing was counted, by any key; a missing key counts 0
-- @tparam table b
-- @treturn number 0 (the same) to 1 (nothing in common)
function metrics.total_variation(a, b)
  local sum_a, sum_b = total(1, "a", a), total(2, "b", b)
  local distance = 0
  for key, count in next, a do distance = distance + math.abs(count / sum_a - (rawget(b, key) or 0) / sum_b) end
  for key, count in next, b do
    if rawget(a, key) == nil then distance = distance + count / sum_b end
  end
  return distance / 2
end

return metrics
