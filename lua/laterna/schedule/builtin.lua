--- Schedules of the papers, in continuous time.
-- @module laterna.schedule.builtin
local check = require "laterna.check"

local builtin = {}

local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

local function from_alpha_bar(alpha_bar)
  alpha_bar = math.min(1, math.max(0, alpha_bar))
  return alpha_bar ^ 0.5, (1 - alpha_bar) ^ 0.5
end

--- alpha_bar = f(t) / f(0), f(t) = cos^2((t + s) / (1 + s) pi / 2) (Nichol and Dhariwal 2021, arXiv 2102.09672,
-- eq. 17).
-- @tparam[opt] table options s=0.008
-- @treturn function variance preserving; alpha(1) = 0
function builtin.cosine(options)
  local s = check.options("cosine", 1, options, { s = { "number", 0.008, min = 0, max = 1 } }).s
  local function f(t) return math.cos((t + s) / (1 + s) * math.pi / 2) ^ 2 end
  local first = f(0)
  return function(t)
    if t >= 1 then return 0, 1 end
    return from_alpha_bar(f(t) / first)
  end
end

--- alpha_bar is a falling sigmoid, cut to [0,1] (Chen 2023, arXiv 2301.10972, algorithm 1): sooner or later noise by
-- `start`, `stop` and the temperature tau.
-- @tparam[opt] table options start=-3, stop=3, tau=1
-- @treturn function variance preserving; alpha(1) = 0
function builtin.sigmoid(options)
  local o = check.options("sigmoid", 1, options, {
    start = { "number", -3, min = -100, max = 100 }, stop = { "number", 3 },
    tau = { "number", 1, min = 1e-2, max = 1e3 },
  })
  local start, tau = o.start, o.tau
  local stop = check.number("sigmoid", 1, "stop", o.stop, start + 1e-3, 100)
  local high, low = sigmoid(stop / tau), sigmoid(start / tau)
  return function(t)
    if t >= 1 then return 0, 1 end
    return from_alpha_bar((high - sigmoid((t * (stop - start) + start) / tau)) / (high - low))
  end
end

--- log-SNR falls in a straight line from max to min (variational diffusion, Kingma et al. 2021, arXiv 2107.00630):
-- alpha^2 = sigmoid(log-SNR). A little noise is left at t = 0.
-- @tparam[opt] table options max=12, min=-10
-- @treturn function variance preserving
function builtin.log_snr_linear(options)
  local o = check.options("log_snr_linear", 1, options, {
    max = { "number", 12, min = 8, max = 100 }, min = { "number", -10, min = -100, max = -4 },
  })
  local max, min = o.max, o.min
  return function(t)
    local log_snr = max + (min - max) * t
    return sigmoid(log_snr) ^ 0.5, sigmoid(-log_snr) ^ 0.5
  end
end

--- Variance exploding: alpha = 1, sigma = sigma_max t^rho (Karras et al. 2022, arXiv 2206.00364). Equal steps of t are
-- then that paper's steps of sigma (eq. 5), with sigma_min = 0.
-- @tparam[opt] table options sigma_max=80, rho=7
-- @treturn function
function builtin.edm(options)
  local o = check.options("edm", 1, options, {
    sigma_max = { "number", 80, min = 5, max = 1e6 }, rho = { "number", 7, min = 0.1, max = 30 },
  })
  local sigma_max, rho = o.sigma_max, o.rho
  return function(t) return 1, sigma_max * t ^ rho end
end

--- A straight line from the picture to noise, alpha = 1 - t, sigma = t: rectified flow (Liu et al. 2022, arXiv
-- 2209.03003), flow matching (Lipman et al. 2022, arXiv 2210.02747).
-- @treturn function
function builtin.flow(options)
  check.options("flow", 1, options, {})
  return function(t) return 1 - t, t end
end

return builtin
