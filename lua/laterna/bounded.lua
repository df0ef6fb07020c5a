--- Bounds of numbers that are learned. What has once got outside must find its way back, so none of these bounds takes
-- the slope away there: `t:hold(low, high)` of the core clamps and lets the gradient pass that leads back in, and what
-- stands here is made of it.
-- @module laterna.bounded
local bounded = {}

-- tanh in float32 is flat past 9, where its slope rounds to 0; at 7 it is within 2e-6 of 1, with a slope of 3e-6.
local FLAT = 7

--- Between -1 and 1: tanh, and from 7 on the slope that it has at 7 for gradients that lead back.
-- @tparam Tensor x
-- @treturn Tensor
function bounded.tanh(x)
  return x:hold(-FLAT, FLAT):tanh()
end

--- Between -bound and bound, bound tanh(x / bound): about the identity near 0.
-- @tparam Tensor x
-- @tparam number bound
-- @treturn Tensor
function bounded.smooth(x, bound)
  return bounded.tanh(x * (1 / bound)) * bound
end

-- Log-variances outside say nothing that float32 can use: a deviation of 3e-7, or of 22026. diffusers and latent
-- diffusion (Rombach et al. 2022) have the same numbers.
local LEAST, MOST = -30, 20

--- A log-variance that an encoder wrote, in [-30, 20]: its exponential and what is summed of it are finite.
-- @tparam Tensor logvar
-- @treturn Tensor
function bounded.logvar(logvar)
  return logvar:hold(LEAST, MOST)
end

return bounded
