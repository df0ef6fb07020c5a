--- The price of a gaussian detail: its KL divergence from what is drawn where there is no picture.
-- @module laterna.autoencoder.kl
local check = require "laterna.check"
local core = require "laterna.core"
local detail = require "laterna.detail"
local given = require "laterna.autoencoder.given"
local nn = require "laterna.nn"

local START = 1e-3 -- of beta, as a part of the first loss, whatever its unit is

--- `lt.autoencoder.regulariser.kl(options)`: beta KL(q(z | x, caption) || p(z | caption)).
--
-- With a rate R, beta is the dual variable of the constraint KL = R and finds itself (the constraint is that of
-- Rezende and Viola 2018, arXiv 1810.00597, on the other term; proportional and integral parts as in ControlVAE, Shao
-- et al. 2020, arXiv 2004.05988). With e = log(KL / R), held within [-1, 1]:
--
--   log beta_i <- log beta_i + speed e  each step,   beta = beta_i exp(e)
--
-- Steps are relative, so that the unit of the generator's loss does not matter; beta begins at a thousandth of the
-- first loss, which lets the generator learn to use the detail before it has a price. It is saved with the weights.
-- @function kl
-- @tparam[opt] table options
--
--  - beta: weight of the divergence, 1; with rate, where it begins
--  - free=0: free nats a coordinate (for N(0, I) only)
--  - rate: nats a picture that the detail is held to
--  - speed=0.02: of beta, with a rate
-- @treturn kl
local Kl = nn.class("kl", function(self, options)
  local o = check.options("kl", 1, options, {
    beta = { "number", min = 0, max = 1e30 }, free = { "number", 0, min = 0 },
    rate = { "number", min = 1e-6, max = 1e9 }, speed = { "number", 0.02, min = 0, max = 1 },
  })
  if o.rate and o.beta == 0 then check.fail("kl", 1, "beta: with a rate it begins above 0") end
  self.free, self.rate, self.speed = o.free, o.rate, o.speed
  self.beta = o.beta or not o.rate and 1 or nil
  if o.rate then
    self.dual, self.buffers = core.tensor { o.beta and math.log(o.beta) or 0, o.beta and 1 or 0 }, { dual = true }
  end
end)

--- Numbers that the extractor writes for a detail of d: mu beside logvar.
function Kl:outputs(d) return 2 * check.integer("outputs", 1, "d", d, 1) end

--- What the extractor's numbers mean.
-- @tparam Tensor out (n,2d)
-- @tparam[opt] Generator generator
-- @treturn table mu, logvar, z
function Kl:read(out, generator)
  local mu, logvar = check.type("read", 1, "out", out, "tensor"):chunk(2, -1)
  return { mu = mu, logvar = logvar, z = detail.reparameterise(mu, logvar, generator) }
end

-- The dual variable after one more step, at a divergence of kl nats.
local function control(self, kl, loss)
  local log_beta, begun = table.unpack(self.dual:totable())
  if begun == 0 then log_beta = math.log(START * math.max(math.abs(loss or 1), 1e-6)) end
  local e = kl > 0 and math.max(-1, math.min(1, math.log(kl / self.rate))) or -1
  if e ~= e then e = 0 end
  if self.training and core.grad_enabled() then
    log_beta = math.max(-60, math.min(60, log_beta + self.speed * e))
    self.dual:copy_(core.tensor { log_beta, 1 })
  end
  return math.exp(log_beta + e)
end

--- The price of what was seen: a scalar, and numbers to log (kl, in nats a picture; beta, where there is a rate). In
-- training mode a step with a rate moves beta, unless told.beta says what it is.
-- @tparam table seen as read gives it
-- @tparam table told prior, pooled (n,k), loss (a number), beta, generator
-- @treturn Tensor
-- @treturn table
function Kl:penalty(seen, told)
  given.check("penalty", seen, told, { "mu", "logvar", "z" })
  local paid, kl
  if told.prior then
    paid = detail.kl_under(seen.z, seen.logvar, told.prior, told.pooled, told.generator)
    kl = paid
  else
    paid, kl = detail.kl(seen.mu, seen.logvar, self.free)
  end
  local log = { kl = kl:item() }
  local beta = told.beta or self.beta
  if self.rate and not told.beta then beta = control(self, log.kl, told.loss) end
  if self.rate then log.beta = beta end
  return paid * beta, log
end

--- KL(q || p) of each picture, in nats: exact for N(0, I), and under a learned prior the mean over draws.
-- @tparam table seen as read gives it
-- @tparam table told prior, pooled (n,k), draws=1, generator
-- @treturn Tensor (n)
function Kl.gap(_, seen, told)
  given.check("gap", seen, told, { "mu", "logvar" })
  if not told.prior then return core.kl_normal(seen.mu, seen.logvar, { reduction = "none" }):sum(2) end
  local draws, logp = told.draws or 1, 0
  for _ = 1, draws do
    local z = detail.reparameterise(seen.mu, seen.logvar, told.generator)
    logp = logp + told.prior:log_prob(z, told.pooled)
  end
  return -(detail.entropy(seen.logvar) + logp * (1 / draws))
end

return Kl
