--- The price of InfoVAE (Zhao et al. 2017, arXiv 1706.02262): not how much each detail tells, but how far all of them
-- together are from what is drawn.
-- @module laterna.autoencoder.mmd
local check = require "laterna.check"
local core = require "laterna.core"
local detail = require "laterna.detail"
local given = require "laterna.autoencoder.given"
local kl = require "laterna.autoencoder.kl"
local nn = require "laterna.nn"

-- Squared distances of all pairs of rows: (n,d), (m,d) -> (n,m).
local function distances(a, b)
  local cross = a:matmul(b:transpose(1, 2))
  local squares = a:square():sum(2, { keepdim = true }) + b:square():sum(2):unsqueeze(1)
  return (squares - cross * 2):relu()
end

-- Inverse multiquadratics of several widths: they have long tails, so that details far away are still drawn in.
local function multiquadratic(a, b)
  local d2, sum = distances(a, b), 0
  for _, scale in ipairs { 0.2, 0.5, 1, 2, 5 } do
    local c = 2 * a:size(2) * scale
    sum = sum + (d2 + c):reciprocal() * c
  end
  return sum
end

local KERNELS = { imq = multiquadratic }

-- For gaussians the width is the dimension: two draws of N(0, I) are sqrt(2 d) apart.
function KERNELS.rbf(a, b)
  return (distances(a, b) * (-1 / (2 * a:size(2)))):exp()
end

local function is_kernel(v)
  return type(v) == "string" and KERNELS[v] ~= nil or check.is(v, "callable"), '"imq", "rbf" or a function'
end

--- `lt.autoencoder.regulariser.mmd(options)`: weight MMD^2(details, draws) + beta KL(q || p), with
--
--   MMD^2 = E k(z, z') + E k(u, u') - 2 E k(z, u),   z details of the batch, u drawn under the same captions
--
-- pairs of one with itself left out. A learned prior gets no gradient from it, and is trained to be likely to make the
-- details. What the log calls kl is the divergence, as for the other prices.
-- @function mmd
-- @tparam[opt] table options
--
--  - weight=100: of MMD^2
--  - beta=0.01: of the divergence, which keeps details from becoming points
--  - kernel="imq": inverse multiquadratics; "rbf"; or a function (n,d), (m,d) -> (n,m)
-- @treturn mmd
local Mmd = nn.class("mmd", function(self, options)
  local o = check.options("mmd", 1, options, {
    weight = { "number", 100, min = 0, max = 1e30 }, beta = { "number", 0.01, min = 0, max = 1e30 },
    kernel = { is_kernel, "imq" },
  })
  self.weight, self.beta, self.kernel = o.weight, o.beta, KERNELS[o.kernel] or o.kernel
end)

Mmd.outputs, Mmd.gap, Mmd.read = kl.outputs, kl.gap, kl.read

local function without_itself(k)
  local n = k:size(1)
  return (k:sum() - (k * core.eye(n)):sum()) * (1 / (n * (n - 1)))
end

--- The price of what was seen: a scalar, and numbers to log (kl, in nats a picture; mmd, MMD^2).
-- @tparam table seen mu, logvar, z
-- @tparam table told prior, pooled (n,k), beta in place of the option, generator
-- @treturn Tensor
-- @treturn table
function Mmd:penalty(seen, told)
  given.check("penalty", seen, told, { "mu", "logvar", "z" })
  local z, prior, c = seen.z, told.prior, told.pooled
  local n = z:size(1)
  if n < 2 then check.fail("penalty", 1, "seen.z: expected at least two details to compare, got %d", n) end
  local u, learn = core.randn(z.shape, { generator = told.generator }), nil
  local kl_now
  if prior then
    u = core.no_grad(prior.inverse, prior, u, c)
    local settled = { z = z:detach(), logvar = seen.logvar:detach() }
    learn = detail.kl_under(settled.z, settled.logvar, prior, c, told.generator)
    kl_now = detail.kl_under(z, seen.logvar, prior, c, told.generator)
  else
    kl_now = detail.kl(seen.mu, seen.logvar, 0)
  end
  local k = self.kernel
  local mmd = without_itself(k(z, z)) + without_itself(k(u, u)) - k(z, u):mean() * 2
  local paid = mmd * self.weight + kl_now * (told.beta or self.beta)
  if learn then paid = paid + learn end
  return paid, { kl = kl_now:item(), mmd = mmd:item() }
end

return Mmd
