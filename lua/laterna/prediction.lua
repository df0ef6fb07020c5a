--- What a denoiser says, and what it means. With x = alpha x0 + sigma eps a network may predict any of
--
--   eps        the noise (Ho et al. 2020, arXiv 2006.11239)
--   x0         the picture
--   v          alpha eps - sigma x0 (Salimans and Ho 2022, arXiv 2202.00512)
--   velocity   eps - x0, the direction of rectified flow (Liu et al. 2022, arXiv 2209.03003)
--   edm        F of x0 = c_skip x + c_out F (Karras et al. 2022, arXiv 2206.00364, table 1), for pictures of standard
--              deviation sigma_data; the formulas there are for alpha = 1, here for x / alpha and sigma / alpha
--
-- All are one straight line in x and the prediction, so one pair of numbers converts each to x0. eps alone says nothing
-- about x0 where alpha is 0.
-- @module laterna.prediction
local check = require "laterna.check"

local prediction = {}

prediction.kinds = { "eps", "x0", "v", "velocity", "edm" }

-- The norm of (alpha sigma_data, sigma): the deviation of x.
local function deviation(alpha, sigma, sigma_data)
  return (alpha * alpha * sigma_data * sigma_data + sigma * sigma) ^ 0.5
end

local to_x0 = {
  eps = function(alpha, sigma) return 1 / alpha, -sigma / alpha end,
  x0 = function() return 0, 1 end,
  v = function(alpha, sigma)
    local norm = alpha * alpha + sigma * sigma
    return alpha / norm, -sigma / norm
  end,
  velocity = function(alpha, sigma)
    return 1 / (alpha + sigma), -sigma / (alpha + sigma)
  end,
  edm = function(alpha, sigma, sigma_data)
    local d = deviation(alpha, sigma, sigma_data)
    return sigma_data * sigma_data * alpha / (d * d), sigma * sigma_data / d
  end,
}

local from_pair = {
  eps = function() return 0, 1 end,
  x0 = function() return 1, 0 end,
  v = function(alpha, sigma) return -sigma, alpha end,
  velocity = function() return -1, 1 end,
  -- (x0 - c_skip x) / c_out with x = alpha x0 + sigma eps
  edm = function(alpha, sigma, sigma_data)
    local d = deviation(alpha, sigma, sigma_data)
    return sigma / (sigma_data * d), -sigma_data * alpha / d
  end,
}

local function read(fname, kind, alpha, sigma, sigma_data)
  check.one_of(fname, 1, "kind", kind, prediction.kinds)
  check.number(fname, 2, "alpha", alpha, 0)
  check.number(fname, 3, "sigma", sigma, 0)
  return check.number(fname, 4, "sigma_data", sigma_data == nil and 1 or sigma_data, 1e-6)
end

--- From a prediction to the picture: x0 = a x + b y.
-- @tparam string kind of what the network says, y
-- @tparam number alpha
-- @tparam number sigma
-- @tparam[opt=1] number sigma_data standard deviation of pictures, for edm
-- @treturn number a
-- @treturn number b
-- @raise eps where alpha is 0: nothing of the picture is left there
function prediction.coefficients(kind, alpha, sigma, sigma_data)
  sigma_data = read("coefficients", kind, alpha, sigma, sigma_data)
  if kind == "eps" and alpha < 1e-12 then
    check.fail("coefficients", 2, "alpha: eps says nothing about the picture where alpha is 0; "
      .. "predict v or x0, or begin at an earlier time")
  end
  return to_x0[kind](alpha, sigma, sigma_data)
end

--- What the network should say: y = p x0 + q eps.
-- @tparam string kind
-- @tparam number alpha
-- @tparam number sigma
-- @tparam[opt=1] number sigma_data
-- @treturn number p
-- @treturn number q
function prediction.target(kind, alpha, sigma, sigma_data)
  sigma_data = read("target", kind, alpha, sigma, sigma_data)
  return from_pair[kind](alpha, sigma, sigma_data)
end

return prediction
