--- How far two batches of pictures are from each other in a critic's eyes: the reconstruction error of VAE-GAN (Larsen
-- et al. 2016, arXiv 1512.09300), relative to what there is to see.
-- @module laterna.gan.features
local check = require "laterna.check"
local core = require "laterna.core"

local features = {}

local DELTA = 1e-6 -- of what there is to see
local LEAST = 1e-8 -- of a relative error

local function relative(again, f)
  return ((again - f):square():mean() / (f:square():mean() + DELTA) + LEAST):log()
end

--- The mean over the critic's feature maps f of log (|f(x) - f(x^)|^2 / |f(x)|^2): but for a constant and a factor 1/2
-- a Gaussian's negative log-likelihood of a number, whose variance is the error itself (optimal sigma-VAE: Rybkin et
-- al. 2021, arXiv 2006.13202). Gradients reach the painted pictures; give a critic:frozen_view(), so that they end there.
-- @tparam Critic critic
-- @tparam Tensor x (n,h,w,c)
-- @tparam Tensor painted like x
-- @tparam[opt] table told text, as the critic takes it
-- @tparam[opt=0] number whole the part, 0 to 1, of what the critic's score is made of in place of the maps
-- @treturn Tensor a scalar
function features.error(critic, x, painted, told, whole)
  local _, real, score = core.no_grad(critic.features, critic, x, told)
  local _, again, score_again = critic:features(painted, told)
  if #check.type("features", nil, "what the critic's net saw", real, "table") == 0 then
    check.fail("features", nil, "self: this critic's net gives no features")
  end
  whole = whole or 0
  if whole > 0 and not score then
    check.fail("features", nil, "whole: this critic's net does not say what its score is made of")
  end
  local sum = 0
  for i, f in ipairs(real) do sum = sum + relative(again[i], f) end
  sum = sum * ((1 - whole) / #real)
  return whole > 0 and sum + relative(score_again, score) * whole or sum
end

return features
