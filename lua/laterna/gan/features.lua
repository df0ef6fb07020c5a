--- How far two batches of pictures are from each other in a critic's eyes: the reconstruction error of VAE-GAN (Larsen
-- et al. 2016, arXiv 1512.09300), relative to what there is to see.
-- @module laterna.gan.features
local check = require "laterna.check"
local core = require "laterna.core"

local features = {}

local DELTA = 1e-6 -- of what there is to see
local LEAST = 1e-8 -- of a relative error

--- The mean over the critic's feature maps f of log (|f(x) - f(x^)|^2 / |f(x)|^2): but for a constant and a factor 1/2
-- a Gaussian's negative log-likelihood of a number, whose variance is the error itself (optimal sigma-VAE: Rybkin et
-- al. 2021, arXiv 2006.13202). Gradients reach the painted pictures; give a critic:fixed(), so that they end there.
-- @tparam Critic critic
-- @tparam Tensor x (n,h,w,c)
-- @tparam Tensor painted like x
-- @tparam[opt] table told text, as the critic takes it
-- @treturn Tensor a scalar
function features.error(critic, x, painted, told)
  local _, real = core.no_grad(critic.features, critic, x, told)
  local _, again = critic:features(painted, told)
  if #check.type("features", nil, "what the critic's net saw", real, "table") == 0 then
    check.fail("features", nil, "self: this critic's net gives no features")
  end
  local sum = 0
  for i, f in ipairs(real) do
    sum = sum + ((again[i] - f):square():mean() / (f:square():mean() + DELTA) + LEAST):log()
  end
  return sum * (1 / #real)
end

return features
