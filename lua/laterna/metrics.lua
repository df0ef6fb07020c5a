--- How good samples are: distances between sets of features, agreement with captions, variety.
-- @module laterna.metrics
local check = require "laterna.check"
local core = require "laterna.core"

local metrics = {}

--- The Frechet distance of two feature sets (n,d) and (m,d): `lt.metrics.frechet`.
-- @function frechet
-- @see laterna.core.frechet
metrics.frechet = core.frechet

local function list(fname, i, name, v)
  if not check.is_tensor(v) then return check.type(fname, i, name, v, "table") end
  if check.type(fname, i, name, v, "tensor"):dim() ~= 1 then
    check.fail(fname, i, "%s: expected a list or a tensor (n), got %d axes", name, v:dim())
  end
  return v:totable()
end

--- The part of the places at which two lists agree.
-- @tparam table|Tensor named a list, or a tensor (n)
-- @tparam table|Tensor wanted as long
-- @treturn number 0 to 1
function metrics.accuracy(named, wanted)
  named, wanted = list("accuracy", 1, "named", named), list("accuracy", 2, "wanted", wanted)
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

local function rows(i, name, x)
  check.type("modes", i, name, x, "tensor")
  if x.dtype ~= "float32" then check.fail("modes", i, "%s: expected float32, got %s", name, x.dtype) end
  if x:dim() ~= 2 or x:numel() == 0 then
    check.fail("modes", i, "%s: expected (n,d), got (%s)", name, table.concat(x.shape, ","))
  end
  return x
end

--- How many of the known modes of a distribution its samples reach. A sample belongs to the nearest centre, and counts
-- where it lies within the radius of it; of a round Gaussian in the plane 98.9 % lie within 3 standard deviations.
-- @tparam Tensor points (n,d) samples
-- @tparam Tensor centres (k,d)
-- @tparam number radius
-- @tparam[opt] table options least=1: the samples that make a mode count as covered
-- @treturn integer covered, 0 to k
-- @treturn number share of the samples that lie within the radius of a centre, 0 to 1
-- @treturn {integer,...} samples of each centre
function metrics.modes(points, centres, radius, options)
  local n, k = rows(1, "points", points):size(1), rows(2, "centres", centres):size(1)
  if centres:size(2) ~= points:size(2) then
    check.fail("modes", 2, "centres: expected (k,%d) as points, got (%d,%d)", points:size(2), k, centres:size(2))
  end
  check.number("modes", 3, "radius", radius, 0)
  local least = check.options("modes", 4, options, { least = { "integer", 1, min = 1 } }).least
  local counts, covered, near = {}, 0, 0
  for i = 1, k do counts[i] = 0 end
  local nearest, distance
  core.no_grad(function()
    local squared = {}
    for i = 1, k do squared[i] = (points - centres[i]):square():sum(2) end
    squared = core.stack(squared, 2)
    nearest, distance = squared:argmin(2):totable(), squared:min(2):sqrt():totable()
  end)
  for i = 1, n do
    if distance[i] <= radius then counts[nearest[i]], near = counts[nearest[i]] + 1, near + 1 end
  end
  for i = 1, k do covered = covered + (counts[i] >= least and 1 or 0) end
  return covered, near / n, counts
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

-- The rank of each of n numbers, 1 the smallest; equal ones share the mean of their ranks.
local function ranks(i, name, values)
  values = list("spearman", i, name, values)
  local n, order, rank = rawlen(values), {}, {}
  if n < 2 then check.fail("spearman", i, "%s: expected at least two numbers, got %d", name, n) end
  for k = 1, n do
    check.number("spearman", i, ("%s[%d]"):format(name, k), rawget(values, k))
    order[k] = k
  end
  table.sort(order, function(a, b) return rawget(values, a) < rawget(values, b) end)
  local first = 1
  while first <= n do
    local last = first
    while last < n and rawget(values, order[last + 1]) == rawget(values, order[first]) do last = last + 1 end
    for k = first, last do rank[order[k]] = (first + last) / 2 end
    first = last + 1
  end
  return rank, n
end

--- Spearman's rank correlation: the correlation of the two lists' ranks, equal values sharing the mean of theirs.
-- @tparam table|Tensor a a list of at least two numbers, or a tensor (n)
-- @tparam table|Tensor b as long
-- @treturn number -1 (one falls wherever the other rises) to 1; 0 where one of them never changes
function metrics.spearman(a, b)
  local ra, n = ranks(1, "a", a)
  local rb, m = ranks(2, "b", b)
  if n ~= m then check.fail("spearman", 2, "b: expected %d numbers as in a, got %d", n, m) end
  local middle, ab, aa, bb = (n + 1) / 2, 0, 0, 0
  for i = 1, n do
    local u, v = ra[i] - middle, rb[i] - middle
    ab, aa, bb = ab + u * v, aa + u * u, bb + v * v
  end
  return (aa == 0 or bb == 0) and 0 or ab / math.sqrt(aa * bb)
end

return metrics
