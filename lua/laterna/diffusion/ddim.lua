--- One step of DDIM (Song et al. 2021, arXiv 2010.02502) that can be recorded and whose times differ from picture to
-- picture: for those who train through it. Who only paints has lt.samplers.ddim.
--
--   step(x_t, x0; t, s) = sigma_s/sigma_t x_t + (alpha_s - sigma_s/sigma_t alpha_t) x0
-- @module laterna.diffusion.ddim
local check = require "laterna.check"
local columns = require "laterna.diffusion.columns"
local prediction = require "laterna.prediction"

local ddim = {}

--- The step's two factors, of x_t and of x0. From a time to itself nothing happens, at 0 too.
-- @tparam diffusion model
-- @tparam number t
-- @tparam number s
-- @treturn number
-- @treturn number
function ddim.factors(model, t, s)
  check.type("factors", 1, "model", model, "table")
  if t == s then return 1, 0 end
  local alpha, sigma = model.schedule(t)
  local alpha_s, sigma_s = model.schedule(s)
  local r = sigma_s / sigma
  return r, alpha_s - r * alpha
end

--- a and b of x0 = a x_t + b said, for what the model predicts.
-- @tparam diffusion model
-- @tparam number t
-- @treturn number
-- @treturn number
function ddim.reading(model, t)
  check.type("reading", 1, "model", model, "table")
  local alpha, sigma = model.schedule(t)
  return prediction.coefficients(model.kind, alpha, sigma, model.sigma_data)
end

--- One step with the x0 that `said`, a prediction of the model at times t, means.
-- @tparam diffusion model
-- @tparam Tensor x (n,h,w,c), at times t
-- @tparam Tensor said like x
-- @tparam {number,...} t n times
-- @tparam {number,...} s n times, to step to
-- @tparam[opt] boolean clip keeps x0 within [-1,1]; by default where the model has no latent space
-- @treturn Tensor
function ddim.advance(model, x, said, t, s, clip)
  check.type("advance", 1, "model", model, "table")
  check.type("advance", 2, "x", x, "tensor")
  local a, b = columns(t, function(time) return ddim.reading(model, time) end)
  local of_x, of_x0 = columns(t, function(time, i) return ddim.factors(model, time, s[i]) end)
  local x0 = x * a + said * b
  if clip == nil then clip = not model.space and model.pixels end
  return x * of_x + (clip and x0:hold(-1, 1) or x0) * of_x0
end

return ddim
