--- How likely a picture is under what a decoder painted: the reconstruction term of an auto-encoder.
--
-- Each is a module that is called as likelihood(out, x) with out the decoder's output and x pictures in [-1,1], both
-- (n,h,w,c), and gives the negative log-likelihood in nats a picture, (n); likelihood:mean(out) is the picture meant.
-- @module laterna.likelihood
local check = require "laterna.check"
local core = require "laterna.core"
local nn = require "laterna.nn"

local likelihood = {}

-- Is out a batch of pictures, at least one, and x as large?
local function pictures(fname, out, x)
  check.type(fname, 1, "out", out, "tensor")
  check.type(fname, 2, "x", x, "tensor")
  local want, got = out.shape, x.shape
  if #want < 2 or want[1] == 0 then
    check.fail(fname, 1, "out: expected (n,h,w,c), got (%s)", table.concat(want, ","))
  end
  if table.concat(want, ",") ~= table.concat(got, ",") then
    check.fail(fname, 2, "x: expected (%s), got (%s)", table.concat(want, ","), table.concat(got, ","))
  end
end

local function per_picture(t)
  return t:flatten(2):sum(2)
end

--- Bernoulli: the decoder gives logits of each pixel being white; grey levels count as probabilities, as most papers
-- on MNIST do. A number to compare with them, not a density of grey pictures.
-- @function Bernoulli
likelihood.Bernoulli = nn.class("Bernoulli", function() end)

function likelihood.Bernoulli:forward(out, x)
  pictures("Bernoulli", out, x)
  return per_picture(core.bce_with_logits(out, x * 0.5 + 0.5, { reduction = "none" }))
end

--- The picture that is meant: what to show of the decoder's output.
-- @tparam Tensor out (n,h,w,c)
-- @treturn Tensor (n,h,w,c)
function likelihood.Bernoulli:mean(out)
  check.type("mean", 1, "out", out, "tensor")
  return out:sigmoid() * 2 - 1
end

--- Gaussian with one learned variance for all pixels (sigma-VAE, Rybkin et al. 2021, arXiv 2006.13202): the balance
-- between reconstruction and KL finds itself. The decoder gives the mean.
--   nll = sum (x - mean)^2 / (2 sigma^2) + log sigma + log(2 pi) / 2
-- @function Gaussian
likelihood.Gaussian = nn.class("Gaussian", function(self)
  self.logvar = core.full({ 1 }, -2)
end)

function likelihood.Gaussian:forward(out, x)
  pictures("Gaussian", out, x)
  local error2 = per_picture((out - x):square())
  local pixels = x:numel() // x:size(1)
  local logvar = self.logvar:hold(-12, 4) -- a perfect reconstruction would drive it to -inf
  return (error2 * (-logvar):exp() + (logvar + math.log(2 * math.pi)) * pixels) * 0.5
end

--- The picture that is meant: what to show of the decoder's output. Where that lies outside of [-1,1] and a critic
-- judges it, the gradient that leads back passes.
-- @tparam Tensor out (n,h,w,c)
-- @treturn Tensor (n,h,w,c)
function likelihood.Gaussian:mean(out)
  check.type("mean", 1, "out", out, "tensor")
  return out:hold(-1, 1)
end

--- Discretised logistic over 256 grey levels with one learned scale (Kingma et al. 2016, arXiv 1606.04934, C.2): a true
-- likelihood of 8-bit pictures. The decoder gives the mean.
--   p(x) = F((x + 1/255 - mean) / s) - F((x - 1/255 - mean) / s), F the sigmoid; open at black and white
-- @function Logistic
likelihood.Logistic = nn.class("Logistic", function(self)
  self.logscale = core.full({ 1 }, -2)
end)

function likelihood.Logistic:forward(out, x)
  pictures("Logistic", out, x)
  local log_inverse = (-self.logscale):hold(-5, 7)
  local inverse = log_inverse:exp()
  local d = x - out
  local above, below = (d + 1 / 255) * inverse, (d - 1 / 255) * inverse
  local mass, mid = above:sigmoid() - below:sigmoid(), d * inverse
  local density = mid + log_inverse - mid:softplus() * 2 - math.log(127.5) -- where the mass rounds to nothing
  local inside = core.where(core.gt(mass, 1e-5), mass:clamp(1e-12):log(), density)
  local black = above - above:softplus()                    -- log F(above)
  local white = -below:softplus()                           -- log (1 - F(below))
  local logp = core.where(core.lt(x, -0.999), black, core.where(core.gt(x, 0.999), white, inside))
  return -per_picture(logp)
end

--- The picture that is meant: what to show of the decoder's output, as of Gaussian.
-- @tparam Tensor out (n,h,w,c)
-- @treturn Tensor (n,h,w,c)
function likelihood.Logistic:mean(out)
  check.type("mean", 1, "out", out, "tensor")
  return out:hold(-1, 1)
end

return likelihood
