--- Schedules from a list of T numbers, and lists from schedules. Entry n, counted from 1, stands at
-- t = n / T; at t = 0 there is no noise. (Others count from 0: their step n is at t = (n + 1) / T.)
-- @module laterna.schedule.discrete
local check = require "laterna.check"
local tools = require "laterna.schedule.tools"

local discrete = {}

--- From cumulative products alpha_bar, strictly falling in (0,1); the last may be 0. In between sigma / alpha is a
-- straight line, as in k-diffusion; before an end at 0, where it has none, alpha is.
-- @tparam {number,...} list
-- @treturn function variance preserving
function discrete.from_alpha_bar(list)
  list = tools.numbers("from_alpha_bar", "alpha_bar", list)
  local steps, ratio = #list, { [0] = 0 }
  for k = 1, steps do
    local v, before = list[k], k > 1 and list[k - 1] or 1
    if v >= before or v < 0 or v == 0 and k < steps then
      check.fail("from_alpha_bar", 1, "alpha_bar[%d]: expected strictly falling numbers in (0,1), got %g after %g",
        k, v, before)
    end
    ratio[k] = v > 0 and ((1 - v) / v) ^ 0.5 or math.huge
  end
  local last_alpha = list[steps - 1] ^ 0.5
  return function(t)
    local at = math.min(steps, math.max(0, t * steps))
    -- t = n / T, in floating point, is meant to be n.
    local near = math.floor(at + 0.5)
    if math.abs(at - near) < 1e-9 then at = near end
    local k = math.min(steps - 1, math.floor(at))
    if ratio[k + 1] == math.huge then
      local alpha = last_alpha * (k + 1 - at)
      return alpha, (1 - alpha * alpha) ^ 0.5
    end
    local r = ratio[k] + (ratio[k + 1] - ratio[k]) * (at - k)
    local norm = (1 + r * r) ^ 0.5
    return 1 / norm, r / norm
  end
end

--- From the variances beta of the steps, each in (0,1], 1 for the last only: alpha_bar = cumprod(1 - beta)
-- (Ho et al. 2020, arXiv 2006.11239).
-- @tparam {number,...} list
-- @treturn function variance preserving
function discrete.from_betas(list)
  list = tools.numbers("from_betas", "betas", list)
  local alpha_bar, product = {}, 1
  for k, beta in ipairs(list) do
    if beta <= 0 or beta > 1 or beta == 1 and k < #list then
      check.fail("from_betas", 1, "betas[%d]: expected a number between 0 and 1, got %g", k, beta)
    end
    product = product * (1 - beta)
    alpha_bar[k] = product
  end
  return discrete.from_alpha_bar(alpha_bar)
end

-- power 1: betas in a straight line; 2: their square roots.
local function line(fname, options, default, power)
  local o = check.options(fname, 1, options, {
    steps = { "integer", 1000, min = 2, max = 1000000 },
    first = { "number", default.first, min = 1e-12, max = 0.999 },
    last = { "number", default.last, min = 1e-12, max = 0.999 },
  })
  local steps, first, last = o.steps, o.first ^ (1 / power), o.last ^ (1 / power)
  local betas = {}
  for k = 1, steps do betas[k] = (first + (last - first) * (k - 1) / (steps - 1)) ^ power end
  return discrete.from_betas(betas)
end

--- DDPM's: beta in a straight line (Ho et al. 2020).
-- @tparam[opt] table options first=1e-4, last=0.02, steps=1000
-- @treturn function variance preserving
function discrete.linear(options)
  return line("linear", options, { first = 1e-4, last = 0.02 }, 1)
end

--- Latent diffusion's: the square root of beta in a straight line (Rombach et al. 2022, arXiv 2112.10752).
-- @tparam[opt] table options first=0.00085, last=0.012, steps=1000
-- @treturn function variance preserving
function discrete.scaled_linear(options)
  return line("scaled_linear", options, { first = 0.00085, last = 0.012 }, 2)
end

--- The betas of T steps that a schedule amounts to: 1 - alpha_bar(n/T) / alpha_bar((n-1)/T), with
-- alpha_bar = alpha^2 / (alpha^2 + sigma^2).
-- @tparam function schedule
-- @tparam integer steps T
-- @tparam[opt=0.999] number max the largest allowed
-- @treturn {number,...}
function discrete.betas(schedule, steps, max)
  tools.callable("betas", schedule)
  check.integer("betas", 2, "steps", steps, 1, 1000000)
  max = check.number("betas", 3, "max", max == nil and 0.999 or max, 0, 1)
  local function alpha_bar(t)
    local alpha, sigma = tools.at("betas", schedule, t)
    return alpha * alpha / (alpha * alpha + sigma * sigma)
  end
  local list, before = {}, alpha_bar(0)
  for k = 1, steps do
    local now = alpha_bar(k / steps)
    list[k] = math.min(max, 1 - now / before)
    before = now
  end
  return list
end

return discrete
