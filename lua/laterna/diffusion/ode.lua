--- The probability-flow ODE (Song et al. 2021, arXiv 2011.13456, section 4.3): the path that takes noise to a picture
-- without a random step, and so can be walked backwards. For any schedule it is a rotation: with
--
--   phi = atan(sigma / alpha),  r = sqrt(alpha^2 + sigma^2),  y = x / r = cos phi x0 + sin phi eps,
--
-- the ODE d(x/alpha) / d(sigma/alpha) = eps becomes
--
--   dy/dphi = v = cos phi eps - sin phi x0,        phi from 0 (clean) to pi/2 (noise alone)
--
-- which is finite at both ends, where alpha or sigma is 0. A step is Heun's, turned: with d = phi' - phi
--
--   y~ = cos d y + sin d v,   y' = y + tan(d/2) (v + v~)      v~ at y~, phi'
--
-- It is of second order, exact where x0 and eps stand still, and the same forwards and backwards.
-- @module laterna.diffusion.ode
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"

local ode = {}

local MOST_RATIO = 200   -- of sigma to alpha where eps is predicted: what is left of the picture is divided by alpha
local LEAST_RATIO = 1e-3 -- where x0 and eps are told apart as by a picture that is clean

--- The time nearest to `asked` at which a path may begin: the noise alone is nothing to a network that predicts eps.
-- @tparam diffusion model
-- @tparam number asked
-- @treturn number
function ode.first(model, asked)
  if model.kind == "eps" and schedules.ratio(model.schedule, asked) > MOST_RATIO then
    return schedules.invert(model.schedule, MOST_RATIO)
  end
  return asked
end

--- A time as small as tells noise from picture.
function ode.least(model)
  return schedules.invert(model.schedule, LEAST_RATIO)
end

--- Where on the path a time is.
-- @treturn table t, phi, r, and p, q: v = p y + q (the network's output)
function ode.point(model, t)
  local alpha, sigma = model.schedule(t)
  local phi, r = math.atan(sigma, alpha), (alpha * alpha + sigma * sigma) ^ 0.5
  local a, b = prediction.target(model.kind, alpha, sigma, model.sigma_data) -- output = a x0 + b eps
  local sin, cos = sigma / r, alpha / r
  local q = 1 / (b * cos - a * sin)
  return { t = t, phi = phi, r = r, sin = sin, cos = cos, p = -(a * cos + b * sin) * q, q = q }
end

--- v at a point of the path.
-- @tparam function predict (x, t) -> what the network says
-- @tparam Tensor y
-- @tparam table at the point
-- @tparam[opt] function correct x0 -> x0
-- @treturn Tensor
function ode.velocity(predict, y, at, correct)
  local v = predict(at.r == 1 and y or y * at.r, at.t) * at.q
  if math.abs(at.p) > 1e-12 then v = v + y * at.p end
  if not correct then return v end
  local x0 = correct(y * at.cos - v * at.sin)
  return (y * at.cos - x0) * (1 / at.sin)
end

return ode
