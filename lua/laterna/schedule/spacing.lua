--- Which times a sampler visits. A spacing is a function
--
--   (schedule, n, first=1) -> n + 1 times, strictly falling, from `first` or below to 0
--
-- so that n steps ask the network n times. `uniform` is one; the others are made: `karras { rho = 5 }`.
-- @module laterna.schedule.spacing
local check = require "laterna.check"
local tools = require "laterna.schedule.tools"

local spacing = {}

local MOST_RATIO = 200 -- where a schedule ends in pure noise, spacings by ratio begin here

local function check_call(fname, schedule, n, first)
  tools.callable(fname, schedule)
  check.integer(fname, 2, "n", n, 1, 1000000)
  if first == nil then return 1 end
  return check.number(fname, 3, "first", first, 1e-6, 1)
end

--- Equal steps of t: first (1 - i / n).
-- @tparam function schedule
-- @tparam integer n
-- @tparam[opt=1] number first
-- @treturn {number,...}
function spacing.uniform(schedule, n, first)
  first = check_call("uniform", schedule, n, first)
  local times = {}
  for i = 0, n do times[i + 1] = first * ((n - i) / n) end
  return times
end

-- From whole steps k of T, counted from 1, to times; a first time below 1 shrinks them all. `known` are options beside
-- `steps`.
local function whole(fname, options, known, step)
  known.steps = { "integer", 1000, min = 1, max = 1000000 }
  local o = check.options(fname, 1, options, known)
  local total = o.steps
  if o.offset then check.integer(fname, 1, "offset", o.offset, 0, total - 1) end
  return function(schedule, n, first)
    first = check_call(fname, schedule, n, first)
    if n > total then check.fail(fname, 2, "n: expected at most %d steps, got %d", total, n) end
    local times = {}
    for i = 1, n do times[i] = first * (step(i, n, total, o) / total) end
    times[n + 1] = 0
    return times
  end
end

-- To the nearest integer, halves to the even one, as NumPy rounds.
local function round(x)
  local low = math.floor(x)
  if x - low == 0.5 then return low + low % 2 end
  return math.floor(x + 0.5)
end

--- Of T whole steps every (T / n)th, the last one, T, among them.
-- @tparam[opt] table options steps=1000 (T)
-- @treturn function a spacing for n up to T
function spacing.trailing(options)
  return whole("trailing", options, {}, function(i, n, total)
    -- The difference as NumPy's arange has it, whose last bit decides which way some halves are rounded.
    local difference = (total - total / n) - total
    return round(total + (i - 1) * difference)
  end)
end

--- Of T whole steps every (T // n)th, the first one, 1, among them, and so the last ones never: what DDPM and DDIM did.
-- @tparam[opt] table options steps=1000 (T), offset=0: this many steps later, as far as there is room below T
-- @treturn function a spacing for n up to T
function spacing.leading(options)
  return whole("leading", options, { offset = { "integer", 0 } }, function(i, n, total, o)
    local every = total // n
    return (n - i) * every + 1 + math.min(o.offset, total - 1 - (n - 1) * every)
  end)
end

--- From T down to 1 in n equal parts, both among them; not rounded unless asked. One step begins at T.
-- @tparam[opt] table options steps=1000 (T), round=false
-- @treturn function a spacing for n up to T
function spacing.linspace(options)
  return whole("linspace", options, { round = { "boolean", false } }, function(i, n, total, o)
    if i == 1 then return total end
    local at = (n - i) * ((total - 1) / (n - 1)) -- the product in NumPy's order, for its halves
    return (o.round and round(at) or at) + 1
  end)
end

-- Ratios sigma / alpha from the largest to the smallest, warp(u) of them at u = 0..1, turned into times.
local function by_ratio(fname, options, known, warp)
  known.sigma_min, known.sigma_max = { "number", 0.002, min = 1e-6, max = 1e6 }, "number"
  local o = check.options(fname, 1, options, known)
  if o.sigma_max then check.number(fname, 1, "sigma_max", o.sigma_max, o.sigma_min * (1 + 1e-6), 1e9) end
  return function(schedule, n, first)
    first = check_call(fname, schedule, n, first)
    local most = math.min(tools.ratio(schedule, first), o.sigma_max or MOST_RATIO)
    local least = o.sigma_min
    if least <= tools.ratio(schedule, 0) then least = tools.ratio(schedule, 1e-3) end -- 0 itself comes last
    if least >= most then
      check.fail(fname, 1, "sigma_min: expected less than the largest sigma / alpha, %g, got %g", most, least)
    end
    local times = {}
    for i = 1, n do
      local u = n > 1 and (i - 1) / (n - 1) or 0
      times[i] = i == 1 and tools.invert(schedule, most) or tools.invert(schedule, warp(most, least, u, o))
    end
    times[n + 1] = 0
    return times
  end
end

--- Equal steps of (sigma / alpha)^(1 / rho) (Karras et al. 2022, arXiv 2206.00364, eq. 5), more of them where there is
-- little noise. sigma_max is by default the schedule's, at most 200.
-- @tparam[opt] table options rho=7, sigma_min=0.002, sigma_max
-- @treturn function a spacing
function spacing.karras(options)
  return by_ratio("karras", options, { rho = { "number", 7, min = 0.1, max = 100 } }, function(most, least, u, o)
    local k = 1 / o.rho
    return (most ^ k + u * (least ^ k - most ^ k)) ^ (1 / k)
  end)
end

--- Equal steps of log-SNR (Lu et al. 2022, arXiv 2206.00927), which is k-diffusion's "exponential".
-- @tparam[opt] table options sigma_min=0.002, sigma_max
-- @treturn function a spacing
function spacing.log_snr(options)
  return by_ratio("log_snr", options, {}, function(most, least, u)
    return most * (least / most) ^ u
  end)
end

--- Always these times, however many are asked for.
-- @tparam {number,...} times strictly falling, within [0,1]
-- @treturn function a spacing
function spacing.list(times)
  times = tools.numbers("list", "times", times)
  for i, t in ipairs(times) do
    if t < 0 or t > 1 or i > 1 and t >= times[i - 1] then
      check.fail("list", 1, "times[%d]: expected falling numbers in [0,1], got %g", i, t)
    end
  end
  return function() return { table.unpack(times) } end
end

return spacing
