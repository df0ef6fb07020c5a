--- What can be asked of any schedule.
-- @module laterna.schedule.tools
local check = require "laterna.check"

local tools = {}

local CLEAN, DESTROYED = 0.02, 5 -- ratios that count as no noise at t = 0, and as nothing but noise at t = 1
local GRID = 1000

local function words(t, message, ...)
  return ("schedule: %s at t = %.4g"):format(message:format(...), t)
end

-- What is wrong with one of the two numbers, or nil.
local function fault_of(t, name, v)
  if type(v) ~= "number" then
    return words(t, "%s is %s, expected a number,", name, v == nil and "missing" or "a " .. type(v))
  end
  if v ~= v then return words(t, "%s is not a number (NaN)", name) end
  if math.abs(v) == math.huge then return words(t, "%s is infinite", name) end
end

-- alpha and sigma at t; or nil, nil and words about what came instead.
local function peek(f, t)
  local ok, alpha, sigma = pcall(f, t)
  if not ok then
    local raised = type(alpha) == "string" and alpha or "a " .. type(alpha)
    return nil, nil, words(t, "the function raises an error, %s,", raised)
  end
  local fault = fault_of(t, "alpha", alpha) or fault_of(t, "sigma", sigma)
  if fault then return nil, nil, fault end
  return alpha, sigma
end

--- alpha and sigma at t, or an error about what came instead.
-- @tparam string fname to be named in errors
-- @tparam function f
-- @tparam number t
-- @treturn number alpha
-- @treturn number sigma
function tools.at(fname, f, t)
  local alpha, sigma, fault = peek(f, t)
  if fault then check.fail(fname, 1, "%s", fault) end
  return alpha, sigma
end

--- Checks that a schedule can be called.
-- @tparam string fname to be named in errors
-- @param schedule the first argument of fname
-- @return schedule
function tools.callable(fname, schedule)
  if check.is(schedule, "callable") then return schedule end
  check.fail(fname, 1, "schedule: expected a function of t that gives alpha and sigma, got %s",
    check.describe(schedule))
end

--- A copy of a list of numbers.
-- @tparam string fname to be named in errors
-- @tparam string name of the list, the first argument of fname
-- @param list
-- @treturn {number,...} at least two
function tools.numbers(fname, name, list)
  if type(list) ~= "table" or rawlen(list) < 2 then
    check.fail(fname, 1, "%s: expected a list of at least 2 numbers, got %s", name, check.describe(list))
  end
  local numbers = {}
  for k = 1, rawlen(list) do numbers[k] = check.number(fname, 1, ("%s[%d]"):format(name, k), rawget(list, k)) end
  return numbers
end

local look = tools.at

local function ratio_of(alpha, sigma)
  if alpha == 0 then return math.huge end
  return sigma / alpha
end

-- 0, 1/1000 .. 1, closer together at the ends, where functions like to be steep.
local function times()
  local list = { 0, 1e-5, 1e-4 }
  for i = 1, GRID - 1 do list[#list + 1] = i / GRID end
  for _, t in ipairs { 1 - 1e-4, 1 - 1e-5, 1 } do list[#list + 1] = t end
  return list
end

-- Are alpha and sigma in range at t, and is there more noise than before? What is wrong, or nil; and their ratio.
local function fault_at(t, alpha, sigma, before, before_t)
  local ratio = ratio_of(alpha, sigma)
  if alpha < 0 or alpha > 1 + 1e-9 then return words(t, "alpha is %.6g, expected 0 to 1,", alpha) end
  if sigma < 0 then return words(t, "sigma is %.6g, expected at least 0,", sigma) end
  if sigma > 1 + 1e-9 and alpha < 1 - 1e-9 then return words(t, "sigma is %.6g, expected 0 to 1,", sigma) end
  if ratio <= before then
    return words(t, "there is no more noise than at t = %.4g (sigma / alpha is %.6g after %.6g)", before_t, ratio,
      before)
  end
  if t == 0 and ratio > CLEAN then
    return words(t, "there is noise already (sigma / alpha is %.4g, expected 0)", ratio)
  end
  return nil, ratio
end

--- What keeps a function from being a schedule, in words with the time at which it shows; nil where nothing does.
-- @tparam function schedule
-- @treturn ?string
function tools.fault(schedule)
  local before, before_t = -1, nil
  for _, t in ipairs(times()) do
    local alpha, sigma, fault = peek(schedule, t)
    if fault then return fault end
    fault, before = fault_at(t, alpha, sigma, before, before_t)
    if fault then return fault end
    before_t = t
  end
  if before < DESTROYED then
    return words(1, "the picture is never destroyed: sigma / alpha is %.4g, expected at least %g,", before, DESTROYED)
  end
end

--- Is a function a schedule? alpha within [0,1]; sigma at least 0, and at most 1 where alpha is less than 1; the ratio
-- sigma / alpha strictly growing from (almost) 0 to at least 5.
-- @tparam function schedule
-- @treturn function the same
-- @raise what is wrong, and the time at which it shows
function tools.check(schedule)
  local fault = tools.fault(tools.callable("check", schedule))
  if fault then check.fail("check", 1, "%s", fault) end
  return schedule
end

--- Noise on the scale of the picture: sigma / alpha, from 0 to a large number or infinity.
-- @tparam function schedule
-- @tparam number t in [0,1]
-- @treturn number
function tools.ratio(schedule, t)
  tools.callable("ratio", schedule)
  return ratio_of(look("ratio", schedule, check.number("ratio", 2, "t", t, 0, 1)))
end

--- log(alpha^2 / sigma^2): falls from a large number, or infinity, to a small one.
-- @tparam function schedule
-- @tparam number t in [0,1]
-- @treturn number
function tools.log_snr(schedule, t)
  tools.callable("log_snr", schedule)
  return -2 * math.log(ratio_of(look("log_snr", schedule, check.number("log_snr", 2, "t", t, 0, 1))))
end

--- The time at which a schedule has a ratio, by bisection to the last bit. Ratios beyond its ends give 0 or 1.
-- @tparam function schedule
-- @tparam number ratio at least 0
-- @treturn number t in [0,1]
function tools.invert(schedule, ratio)
  tools.callable("invert", schedule)
  check.number("invert", 2, "ratio", ratio, 0)
  local low, high = 0, 1
  if ratio <= ratio_of(look("invert", schedule, 0)) then return 0 end
  if ratio >= ratio_of(look("invert", schedule, 1)) then return 1 end
  while true do
    local middle = low + (high - low) / 2
    if middle <= low or middle >= high then return high end
    local there = ratio_of(look("invert", schedule, middle))
    if there == ratio then return middle end
    if there < ratio then low = middle else high = middle end
  end
end

return tools
