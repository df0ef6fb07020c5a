--- The detail: what a caption left out, as a vector with an uncertainty, q(z | x, caption) = N(mu, exp(logvar)).
-- An encoder may write any numbers: logvar counts as held within [-30, 20] everywhere, and beyond that range the
-- gradient that leads back into it passes.
-- @module laterna.detail
local bounded = require "laterna.bounded"
local core = require "laterna.core"

local detail = {}

--- Mean and log-variance that an encoder wrote beside each other.
-- @tparam Tensor out (n,2d), or (n,h,w,2c)
-- @treturn Tensor mu (n,d), or (n,h,w,c)
-- @treturn Tensor logvar like mu, held within [-30, 20]
function detail.parts(out)
  local mu, logvar = out:chunk(2, -1)
  return mu, bounded.logvar(logvar)
end

--- One draw, through which gradients reach mu and logvar (Kingma & Welling 2014, arXiv 1312.6114, eq. 10):
-- z = mu + exp(logvar / 2) noise.
-- @tparam Tensor mu (n,d), or (n,h,w,c)
-- @tparam Tensor logvar like mu
-- @tparam[opt] Generator generator
-- @treturn Tensor like mu
function detail.reparameterise(mu, logvar, generator)
  return mu + (bounded.logvar(logvar) * 0.5):exp() * core.randn(mu.shape, { generator = generator })
end

--- What each coordinate says beyond N(0, I), in nats: KL = 1/2 (mu^2 + exp(logvar) - 1 - logvar).
-- @tparam Tensor mu
-- @tparam Tensor logvar like mu
-- @treturn Tensor like mu
function detail.kl_each(mu, logvar)
  return core.kl_normal(mu, bounded.logvar(logvar), { reduction = "none" })
end

--- What the detail says beyond N(0, I), in nats a picture: KL = 1/2 sum (mu^2 + exp(logvar) - 1 - logvar), and the
-- penalty to train with. With free bits (Kingma et al. 2016, arXiv 1606.04934, eq. 15) a coordinate costs nothing below
-- `free` nats on the batch's average, so that training does not begin by switching coordinates off.
-- @tparam Tensor mu (n,d), or (n,h,w,c)
-- @tparam Tensor logvar like mu
-- @tparam[opt=0] number free nats a coordinate
-- @treturn Tensor the penalty, a scalar
-- @treturn Tensor the KL, a scalar
function detail.kl(mu, logvar, free)
  local each = detail.kl_each(mu, logvar):mean(1) -- over the batch
  local kl = each:sum()
  if not free or free == 0 then return kl, kl end
  return core.maximum(each, free):sum(), kl
end

--- Entropy of N(mu, exp(logvar)) in nats.
-- @tparam Tensor logvar (n,d)
-- @treturn Tensor (n)
function detail.entropy(logvar)
  return (bounded.logvar(logvar) + (1 + math.log(2 * math.pi))):sum(2) * 0.5
end

--- The same from a learned distribution p(z | caption): KL(q || p) = -H(q) - E log p, with the one draw for the
-- expectation. In nats a picture.
-- @tparam Tensor z (n,d), drawn from q
-- @tparam Tensor logvar (n,d)
-- @tparam prior a module with log_prob(z, c); where that takes long, with bound(z, c, generator), at most as much in
-- the mean, to be trained with
-- @tparam ?Tensor c (n,k)
-- @tparam[opt] Generator generator for the bound's draws
-- @treturn Tensor a scalar
function detail.kl_under(z, logvar, prior, c, generator)
  local logp = prior.bound and prior:bound(z, c, generator) or prior:log_prob(z, c)
  return -(detail.entropy(logvar) + logp):mean()
end

--- Spherical interpolation: details between two keep the length that N(0, I) gives them.
-- @tparam Tensor a (d)
-- @tparam Tensor b (d)
-- @tparam integer steps at least 2
-- @treturn Tensor (steps,d), from a to b
function detail.between(a, b, steps)
  local function unit(t) return t / t:norm():clamp(1e-12) end
  local cos = (unit(a) * unit(b)):sum():item()
  local angle = math.acos(math.max(-1, math.min(1, cos)))
  local rows = {}
  for i = 1, steps do
    local t = (i - 1) / (steps - 1)
    local u, v = 1 - t, t
    if math.sin(angle) > 1e-4 then
      u, v = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    end
    rows[i] = a * u + b * v
  end
  return core.stack(rows)
end

return detail
