--- New schedules from old ones.
-- @module laterna.schedule.change
local check = require "laterna.check"
local tools = require "laterna.schedule.tools"

local change = {}

-- What alpha and sigma keep: "preserving" alpha^2 + sigma^2 = 1, "flow" alpha + sigma = 1, "exploding" alpha = 1.
local function kind_of(fname, schedule)
  tools.callable(fname, schedule)
  local fits = { preserving = true, flow = true, exploding = true }
  for i = 1, 9 do
    local alpha, sigma = tools.at(fname, schedule, i / 10)
    fits.preserving = fits.preserving and math.abs(alpha * alpha + sigma * sigma - 1) < 1e-6
    fits.flow = fits.flow and math.abs(alpha + sigma - 1) < 1e-6
    fits.exploding = fits.exploding and math.abs(alpha - 1) < 1e-6
  end
  return fits.preserving and "preserving" or fits.flow and "flow" or fits.exploding and "exploding"
end

--- Moves alpha in a straight line so that nothing of the picture is left at t = 1 (Lin et al. 2023, arXiv 2305.08891,
-- algorithm 1): a model that never saw pure noise cannot paint very dark or very bright pictures.
-- @tparam function schedule variance preserving
-- @treturn function with alpha(1) = 0
function change.zero_terminal(schedule)
  if kind_of("zero_terminal", schedule) ~= "preserving" then
    check.fail("zero_terminal", 1, "schedule: expected one that preserves the variance, alpha^2 + sigma^2 = 1")
  end
  local first, last = (tools.at("zero_terminal", schedule, 0)), (tools.at("zero_terminal", schedule, 1))
  if first <= last then
    check.fail("zero_terminal", 1, "schedule: alpha is %.4g at t = 0 and %.4g at t = 1, expected it to fall", first,
      last)
  end
  local scale = first / (first - last)
  return function(t)
    local alpha = t >= 1 and 0 or ((schedule(t)) - last) * scale
    return alpha, (1 - alpha * alpha) ^ 0.5
  end
end

--- More noise at every time, for larger pictures, whose neighbouring pixels tell more of each other: sigma / alpha
-- times factor, which lowers log-SNR by 2 log factor (Hoogeboom et al. 2023, arXiv 2301.11093; factor = side / 64
-- there). For rectified flow it is t' = factor t / (1 + (factor - 1) t) (Esser et al. 2024, arXiv 2403.03206, eq. 23).
-- @tparam function schedule variance preserving, alpha + sigma = 1, or alpha = 1: the new one keeps that
-- @tparam number factor above 1 for more noise
-- @treturn function
function change.shift(schedule, factor)
  local kind = kind_of("shift", schedule)
  check.number("shift", 2, "factor", factor, 1e-3, 1e3)
  if not kind then
    check.fail("shift", 1, "schedule: expected alpha^2 + sigma^2 = 1, or alpha + sigma = 1, or alpha = 1")
  end
  return function(t)
    local alpha, sigma = schedule(t)
    sigma = sigma * factor
    local norm = kind == "preserving" and (alpha * alpha + sigma * sigma) ^ 0.5 or kind == "flow" and alpha + sigma or 1
    return alpha / norm, sigma / norm
  end
end

return change
