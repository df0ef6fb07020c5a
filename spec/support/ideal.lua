-- Denoisers that are known exactly, behind the face of a network that predicts any of laterna.prediction's kinds.
local core = require "laterna.core"
local Diffusion = require "laterna.diffusion"
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"

local ideal = {}

-- A model from the ideal guess of the picture: x0(x, alpha, sigma).
local function model(schedule, kind, guess, more)
  schedule = type(schedule) == "string" and schedules[schedule]() or schedule
  local options = { schedule = schedule, predict = kind, size = { 3, 2, 1 } }
  for key, v in pairs(more or {}) do options[key] = v end
  local sigma_data = options.sigma_data or 1
  function options.net(x, t, cond)
    local time = t[1]:item()
    local alpha, sigma = schedule(time)
    local d = kind == "edm" and sigma_data or 1
    x = x * (alpha * alpha * d * d + sigma * sigma) ^ 0.5 -- networks see x of about unit size
    local x0, eps = guess(x, alpha, sigma, cond)
    eps = eps or (x - x0 * alpha) * (1 / sigma)
    local p, q = prediction.target(kind, alpha, sigma, sigma_data)
    return x0 * p + eps * q
  end
  return Diffusion(options)
end

--- Data N(mean, s^2) in every pixel.
function ideal.gaussian(schedule, kind, mean, s, more)
  return model(schedule, kind, function(x, alpha, sigma)
    local variance = alpha * alpha * s * s + sigma * sigma
    local off = x - alpha * mean
    return off * (alpha * s * s / variance) + mean, off * (sigma / variance)
  end, more)
end

--- Data of two values in every pixel, -1 and 1 with probability 1/2: E[x0 | x] = tanh(alpha x / sigma^2).
function ideal.two_points(schedule, kind, more)
  return model(schedule, kind, function(x, alpha, sigma)
    return (x * (alpha / (sigma * sigma))):tanh()
  end, more)
end

--- Pictures of two pixels with covariance C = (a b; b c) and mean 0: E[x0 | x] = alpha C (alpha^2 C + sigma^2 I)^-1 x.
function ideal.pair(schedule, kind, a, b, c)
  return model(schedule, kind, function(x, alpha, sigma)
    local p, q, r = alpha * alpha * a + sigma * sigma, alpha * alpha * b, alpha * alpha * c + sigma * sigma
    local det = p * r - q * q
    local left, right = x:narrow(3, 1, 1), x:narrow(3, 2, 1)
    local u, v = (left * r - right * q) * (1 / det), (right * p - left * q) * (1 / det)
    return core.cat({ u * a + v * b, u * b + v * c }, 3) * alpha, core.cat({ u, v }, 3) * sigma
  end, { size = { 1, 2, 1 } })
end

return ideal
