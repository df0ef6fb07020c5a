--- The order of convergence of a sampler, or of what a schedule makes of one, measured where the answer is known.
--
-- For data N(0, s^2) the ideal denoiser is E[x0 | x] = alpha s^2 x / (alpha^2 s^2 + sigma^2), and what a sampler should
-- give at every t is N(0, alpha^2 s^2 + sigma^2). The denoiser is linear, so a sampler's result is a sum of numbers
-- times independent normals, the start and each draw of noise: every one of them gets a place of its own in x, and the
-- squares of the result add up to its variance. Thus samplers with noise are judged as exactly as those without, by
-- the deviation of what they give (their weak order).
-- @module laterna.samplers.certify
local check = require "laterna.check"
local core = require "laterna.core"
local multistep = require "laterna.samplers.multistep"
local ode = require "laterna.samplers.ode"
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"
local fault_of = require("laterna.schedule.tools").fault
local solver = require "laterna.samplers.solver"

local FLOOR = 4e-6 -- below this float32's rounding is a part of the error

-- n + 1 times from one sigma / alpha to another, in equal steps of its logarithm or of t.
local function times_between(schedule, n, o)
  local first, last = schedules.invert(schedule, o.most), schedules.invert(schedule, o.least)
  if type(o.spacing) == "function" then return o.spacing(schedule, n) end
  local times = {}
  for i = 0, n do
    local u = i / n
    times[i + 1] = i == 0 and first or i == n and last
      or o.spacing == "uniform" and first + (last - first) * u
      or schedules.invert(schedule, o.most ^ (1 - u) * o.least ^ u)
  end
  return times
end

local function deviation_at(schedule, t, s)
  local alpha, sigma = schedule(t)
  return math.sqrt(alpha * alpha * s * s + sigma * sigma)
end

-- How far the deviation of the result is from what it should be, as a part of that; and the number of calls.
local function run(f, schedule, n, o)
  local times = times_between(schedule, n, o)
  local places, drawn = 4 * n + 16, 1
  local function unit(place, value)
    local values = {}
    for i = 1, places do values[i] = i == place and value or 0 end
    return core.tensor(values):view(1, 1, 1, places)
  end
  local options = {}
  for key, v in pairs(o.options or {}) do options[key] = v end
  options.predict, options.sigma_data = o.predict, o.sigma_data
  options.noise = function()
    drawn = drawn + 1
    if drawn > places then check.fail("certify", 1, "f: draws noise more than %d times in %d steps", places, n) end
    return unit(drawn, 1)
  end
  local s = f(schedule, times, options)
  local calls, variance = 0, o.deviation ^ 2
  local x = solver.drive(s, unit(1, deviation_at(schedule, times[1], o.deviation)), function(x, t)
    calls = calls + 1
    local alpha, sigma = schedule(t)
    local gain = alpha * variance / (alpha * alpha * variance + sigma * sigma) -- x0 = gain x
    local p, q = prediction.target(o.predict, alpha, sigma, o.sigma_data)
    return x * (p * gain + (sigma > 0 and q * (1 - alpha * gain) / sigma or 0))
  end)
  local sum = 0
  for _, v in ipairs(x:view(-1):totable()) do sum = sum + v * v end
  return math.abs(math.sqrt(sum) / deviation_at(schedule, times[#times], o.deviation) - 1), calls, drawn > 1
end

-- ---- the report ---------------------------------------------------------------------------------------------------

local Report = {}
Report.__index = Report

function Report:__tostring()
  if self.reports then
    local lines = {}
    for name, report in pairs(self.reports) do lines[#lines + 1] = name .. "\n" .. tostring(report) end
    table.sort(lines)
    return table.concat(lines, "\n")
  end
  local lines = { "steps  calls  error" }
  for i, n in ipairs(self.steps) do
    lines[i + 1] = ("%5d  %5d  %.2e"):format(n, self.calls[i], self.errors[i])
      .. (self.slopes[i] and ("  order %5.2f"):format(self.slopes[i]) or "")
  end
  lines[#lines + 1] = (self.order and ("order %.2f"):format(self.order) or "no order: too near to float32's rounding")
    .. (self.stochastic and ", of the deviation of its results (it draws noise)" or "")
  return table.concat(lines, "\n")
end

local function measure(f, schedule, o)
  local report = setmetatable({ steps = o.steps, calls = {}, errors = {}, slopes = {} }, Report)
  for i, n in ipairs(o.steps) do
    report.errors[i], report.calls[i], report.stochastic = run(f, schedule, n, o)
    local before, now = report.errors[i - 1], report.errors[i]
    if before and before > FLOOR and now > FLOOR then
      report.slopes[i] = math.log(before / now) / math.log(n / o.steps[i - 1])
      report.order = report.slopes[i]
    end
  end
  return report
end

-- A function of one number that gives two is a schedule; a sampler that gets a number for a schedule gives nothing.
local function is_schedule(f)
  local ok, alpha, sigma = pcall(f, 0.5)
  return ok and type(alpha) == "number" and type(sigma) == "number"
end

-- What check says of a schedule, as an error of certify's argument i.
local function check_schedule(i, f)
  local fault = fault_of(f)
  if fault then check.fail("certify", i, "%s", fault) end
end

local function are_steps(v)
  if type(v) ~= "table" then return false, "a list of numbers of steps" end
  local before = 0
  for i = 1, math.max(1, rawlen(v)) do
    local n = rawget(v, i)
    if math.type(n) ~= "integer" or n <= before or n > 10000 then return false, "growing integers from 1 to 10000" end
    before = n
  end
  return true
end

local function is_spacing(v)
  return v == "log_snr" or v == "uniform" or type(v) == "function", '"log_snr", "uniform" or a function'
end

--- Runs a sampler against Gaussian data with growing numbers of steps. A schedule in place of the sampler is checked,
-- and then certified with dpmpp_2m and heun in equal steps of t, which is where a schedule decides; it has the lower of
-- their orders and both in `reports`.
--
--     print(lt.samplers.certify(lt.samplers.heun))
--     print(lt.samplers.certify(function(t) return math.cos(math.pi/2 * t^1.5), math.sin(math.pi/2 * t^1.5) end))
--
-- @tparam function f a sampler, (schedule, times, options) -> s, or a schedule
-- @tparam[opt] table options
--
--  - schedule: for a sampler; cosine by default
--  - options: the sampler's own, such as { order = 3 }
--  - predict="v", sigma_data=1: how the denoiser speaks
--  - steps={16, 32, 64, 128}
--  - deviation=0.5: of the data
--  - most=10, least=0.05: sigma / alpha where it begins and ends. Into a knot without noise most solvers step with
--    order 1; and an infinite beginning has no logarithm.
--  - spacing: "log_snr" (equal steps of log(sigma / alpha), the default for samplers), "uniform" (of t), or a function
--    (schedule, n) -> times, such as those of lt.schedule.spacing
--
-- Equal steps of t down to t = 0 halve sigma / alpha in the last step but one however many there are, so solvers in
-- log-SNR (dpm2, dpmpp_2m) err there by log(n) / n^2, a slope that comes near 2 but slowly; and where sigma grows like
-- the root of t, as with schedules made of betas, `least` must be many steps away from 0 before any order shows.
-- @treturn table order (the last slope; nil where errors are near float32's rounding), steps, calls, errors, slopes,
-- stochastic; print it
local function certify(f, options)
  check.type("certify", 1, "f", f, "callable")
  local o = check.options("certify", 2, options, {
    schedule = "callable", options = "table", predict = { "string", "v", one_of = prediction.kinds },
    sigma_data = { "number", 1, min = 1e-3, max = 1e3 }, steps = { are_steps, { 16, 32, 64, 128 } },
    deviation = { "number", 0.5, min = 1e-3, max = 1e3 }, most = { "number", 10, min = 1e-3, max = 1e4 },
    least = { "number", 0.05, min = 1e-4, max = 1e3 }, spacing = is_spacing,
  })
  if o.least >= o.most then check.fail("certify", 2, "least: expected less than most, %g, got %g", o.most, o.least) end
  return core.no_grad(function()
    if not is_schedule(f) then
      if o.schedule then check_schedule(2, o.schedule) end
      return measure(f, o.schedule or schedules.cosine(), o)
    end
    check_schedule(1, f)
    o.spacing = o.spacing or "uniform"
    local reports = { dpmpp_2m = measure(multistep.dpmpp_2m, f, o), heun = measure(ode.heun, f, o) }
    local a, b = reports.dpmpp_2m.order, reports.heun.order
    return setmetatable({ order = a and b and math.min(a, b), reports = reports }, Report)
  end)
end

return certify
