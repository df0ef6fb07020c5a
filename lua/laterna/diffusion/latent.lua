--- Diffusion in the latent space of something that encodes pictures and decodes them again, such as a VAE (Rombach
-- et al. 2022, arXiv 2112.10752). The denoiser wants numbers of deviation 1, so that a schedule means there what it
-- means for pictures; an encoder gives what it likes. Mean and deviation are measured once, on the first batch that is
-- trained on (appendix G there), one pair for all channels: those that say nothing stay quiet. They are saved with the
-- model.
-- @module laterna.diffusion.latent
local check = require "laterna.check"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"
local journal = require "laterna.journal"
local nn = require "laterna.nn"

local latent = {}

-- What the space is asked for: the same captions, which it reads with an encoder of its own or not at all.
local function its(cond)
  return { n = cond.n, text = cond.text }
end

local function encode(space, x, cond)
  if nn.is_module(space) then return (evaluation.quietly(space, space.encode, space, x, cond)) end
  return (core.no_grad(space.encode, space, x, cond))
end

-- Mean and deviation of the space; a deviation of 0 is one that was not measured yet.
local function measures(fname, model, z)
  local mean, deviation = table.unpack(model.latents:totable())
  if deviation > 0 then return mean, deviation end
  if not (z and model.training) then
    check.fail(fname, nil, "self: this model has not been trained, so its latents are not measured")
  end
  mean, deviation = z:mean():item(), z:std():item()
  if mean - mean ~= 0 or deviation - deviation ~= 0 then return mean, deviation end -- a bad batch measures nothing
  deviation = math.max(deviation, 1e-6)
  journal.note(model.latents)
  model.latents:copy_(core.tensor { mean, deviation })
  return mean, deviation
end

--- From pictures to what the denoiser works on: the pictures themselves where the model has no space.
-- @tparam string fname
-- @tparam diffusion model in training mode the first call measures
-- @tparam Tensor x (n,h,w,c)
-- @tparam Condition cond
-- @treturn Tensor (n,h,w,c)
function latent.encode(fname, model, x, cond)
  if not model.space then return x end
  local z = encode(model.space, x, its(cond))
  if not check.is_tensor(z) or z:dim() ~= 4 then
    check.fail(fname, 1, "space: expected latents (n,h,w,c), got %s", check.describe(z))
  end
  local mean, deviation = measures(fname, model, z)
  return (z - mean) * (1 / deviation)
end

--- And back.
-- @tparam string fname
-- @tparam diffusion model
-- @tparam Tensor z (n,h,w,c)
-- @tparam Condition cond
-- @treturn Tensor pictures (n,h,w,c)
function latent.decode(fname, model, z, cond)
  if not model.space then return z end
  local mean, deviation = measures(fname, model)
  return model.space:decode(z * deviation + mean, its(cond))
end

--- And back on record, for gradients that reach the denoiser.
-- @tparam string fname
-- @tparam diffusion model its space must have `rsample`, as a vae does
-- @tparam Tensor z (n,h,w,c)
-- @tparam Condition cond
-- @treturn Tensor pictures (n,h,w,c)
function latent.rsample(fname, model, z, cond)
  local space = model.space
  if not space then return z end
  if type(space.rsample) ~= "function" then check.fail(fname, nil, "self: its space cannot paint and be recorded") end
  local mean, deviation = measures(fname, model)
  return space:rsample { text = cond.text, detail = z * deviation + mean }
end

return latent
