--- What the detail may hold, and what that costs: regularisers for lt.autoencoder.
--
-- Families measure their losses in units of their own (nats a picture, bits a dimension, squared error, a game's
-- score), so that a fixed beta means something else for each. A target rate in nats a picture means the same for all.
--
-- A regulariser is a module with
--
--  - outputs(d): how many numbers the extractor is to write for a detail of d
--  - read(out, generator): what they mean, the posterior {mu (n,d), logvar (n,d) or nil, z (n,d)}, z a draw that
--    gradients go through
--  - penalty(posterior, o): a scalar to add to the generator's loss, and numbers to log, kl (nats a picture) among
--    them; o = {prior, pooled, loss, beta, generator}
--  - gap(posterior, o): KL(q || p) in nats, (n); o = {prior, pooled, draws, generator}
--  - prior(d): optional, the distribution that such details have; then the autoencoder takes no other
--
-- `kl` is for a gaussian detail, `mmd` compares all details together with the prior, `fsq` rounds the detail to a few
-- numbers.
-- @module laterna.autoencoder.regulariser
local bounded = require "laterna.bounded"
local check = require "laterna.check"
local Codes = require("laterna.prior").Codes
local core = require "laterna.core"
local detail = require "laterna.detail"
local journal = require "laterna.journal"
local nn = require "laterna.nn"

-- Checks the arguments of penalty and gap. fields: the tensors that the posterior must have; method: which the prior
-- must have, and then there must be one.
local function arguments(fname, posterior, o, fields, method)
  check.type(fname, 1, "posterior", posterior, "table")
  for _, name in ipairs(fields) do check.type(fname, 1, "posterior." .. name, posterior[name], "tensor") end
  check.type(fname, 2, "options", o, "table")
  local prior = o.prior
  if (prior ~= nil or method) and not (nn.is_module(prior) and type(prior[method or "log_prob"]) == "function") then
    check.fail(fname, 2, "prior: expected a module with %s, got %s", method or "log_prob", check.describe(prior))
  end
  check.type(fname, 2, "pooled", o.pooled, "tensor|nil")
  check.type(fname, 2, "loss", o.loss, "number|nil")
  check.type(fname, 2, "beta", o.beta, "number|nil")
  if o.draws ~= nil then check.integer(fname, 2, "draws", o.draws, 1, 1 << 16) end
end

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
-- first loss, which lets the generator learn to use the detail before it costs much. It is saved with the weights.
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
  local mu, logvar = detail.parts(check.type("read", 1, "out", out, "tensor"))
  return { mu = mu, logvar = logvar, z = detail.reparameterise(mu, logvar, generator) }
end

-- The dual variable after one more step, at a divergence of kl nats.
local function control(self, kl, loss)
  local log_beta, begun = table.unpack(self.dual:totable())
  if begun == 0 then log_beta = math.log(START * math.max(math.abs(loss or 1), 1e-6)) end
  local e = kl > 0 and math.max(-1, math.min(1, math.log(kl / self.rate))) or -1
  if e ~= e then e = 0 end
  local finite = kl - kl == 0 and log_beta - log_beta == 0 -- beta does not begin with a batch that is thrown away
  if finite and self.training and core.grad_enabled() then
    journal.note(self.dual)
    log_beta = math.max(-60, math.min(60, log_beta + self.speed * e))
    self.dual:copy_(core.tensor { log_beta, 1 })
  end
  return math.exp(log_beta + e)
end

--- What the posterior costs: a scalar, and numbers to log (kl, in nats a picture; beta, where there is a rate). In
-- training mode a step with a rate moves beta, unless o.beta says what it is.
-- @tparam table posterior as read gives it
-- @tparam table o prior, pooled (n,k), loss (a number), beta, generator
-- @treturn Tensor
-- @treturn table
function Kl:penalty(posterior, o)
  arguments("penalty", posterior, o, { "mu", "logvar", "z" })
  local paid, kl
  if o.prior then
    paid = detail.kl_under(posterior.z, posterior.logvar, o.prior, o.pooled, o.generator)
    kl = paid
  else
    paid, kl = detail.kl(posterior.mu, posterior.logvar, self.free)
  end
  local log = { kl = kl:item() }
  local beta = o.beta or self.beta
  if self.rate and not o.beta then beta = control(self, log.kl, o.loss) end
  if self.rate then log.beta = beta end
  return paid * beta, log
end

--- KL(q || p) of each picture, in nats: exact for N(0, I), and under a learned prior the mean over draws.
-- @tparam table posterior as read gives it
-- @tparam table o prior, pooled (n,k), draws=1, generator
-- @treturn Tensor (n)
function Kl.gap(_, posterior, o)
  arguments("gap", posterior, o, { "mu", "logvar" })
  if not o.prior then return detail.kl_each(posterior.mu, posterior.logvar):sum(2) end
  local draws, logp = o.draws or 1, 0
  for _ = 1, draws do
    local z = detail.reparameterise(posterior.mu, posterior.logvar, o.generator)
    logp = logp + o.prior:log_prob(z, o.pooled)
  end
  return -(detail.entropy(posterior.logvar) + logp * (1 / draws))
end

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

--- `lt.autoencoder.regulariser.mmd(options)`, the regulariser of InfoVAE (Zhao et al. 2017, arXiv 1706.02262), which
-- asks not how much each detail says, but how far all of them together are from what is drawn: weight MMD^2(details,
-- draws) + beta KL(q || p), with
--
--   MMD^2 = E k(z, z') + E k(u, u') - 2 E k(z, u),   z details of the batch, u drawn under the same captions
--
-- pairs of one with itself left out. A learned prior gets no gradient from it, and is trained to be likely to make the
-- details. What the log calls kl is the divergence, as for the other regularisers.
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

Mmd.outputs, Mmd.gap, Mmd.read = Kl.outputs, Kl.gap, Kl.read

local function without_itself(k)
  local n = k:size(1)
  return (k:sum() - (k * core.eye(n)):sum()) * (1 / (n * (n - 1)))
end

--- What the posterior costs: a scalar, and numbers to log (kl, in nats a picture; mmd, MMD^2).
-- @tparam table posterior mu, logvar, z
-- @tparam table o prior, pooled (n,k), beta in place of the option, generator
-- @treturn Tensor
-- @treturn table
function Mmd:penalty(posterior, o)
  arguments("penalty", posterior, o, { "mu", "logvar", "z" })
  local z, prior, c = posterior.z, o.prior, o.pooled
  local n = z:size(1)
  if n < 2 then check.fail("penalty", 1, "posterior.z: expected at least two details to compare, got %d", n) end
  local u, learn = core.randn(z.shape, { generator = o.generator }), nil
  local kl_now
  if prior then
    u = core.no_grad(prior.inverse, prior, u, c)
    learn = detail.kl_under(z:detach(), posterior.logvar:detach(), prior, c, o.generator)
    kl_now = detail.kl_under(z, posterior.logvar, prior, c, o.generator)
  else
    kl_now = detail.kl(posterior.mu, posterior.logvar, 0)
  end
  local k = self.kernel
  local mmd = without_itself(k(z, z)) + without_itself(k(u, u)) - k(z, u):mean() * 2
  local paid = mmd * self.weight + kl_now * (o.beta or self.beta)
  if learn then paid = paid + learn end
  return paid, { kl = kl_now:item(), mmd = mmd:item() }
end

local EDGE = 1e-3 -- the outermost numbers are reached, as in the paper

local function is_levels(v)
  local ok = type(v) == "table" and rawlen(v) > 0
  for i = 1, ok and rawlen(v) or 0 do
    local k = rawget(v, i)
    ok = ok and type(k) == "number" and math.tointeger(k) ~= nil and k >= 2 and k <= 1024
  end
  return ok, "a list of integers from 2 to 1024"
end

--- `lt.autoencoder.regulariser.fsq(options)`, finite scalar quantisation (Mentzer et al. 2023, arXiv 2309.15505): what
-- the detail can hold is limited by its codebook, so that it needs no further penalty. Every coordinate is
-- bounded and rounded to one of its levels, and gradients pass as if it had not been rounded:
--
--   b = tanh(out + shift) (L - 1) / 2 - offset,   z = round(b) / floor(L / 2);   offset = 1/2 for an even L, else 0
--
-- The extractor writes one number a coordinate (nn.Extractor's outputs = 1). The gap is -log p(z | caption), for q is
-- certain: the logarithm of the codebook's size where all codes are alike, and less where a prior has been learned.
-- @function fsq
-- @tparam table options
--
--  - levels: {L,...}, begun again until every coordinate of the detail has one: {8, 5, 5, 5}
--  - learned=true: learn p(z | caption) along (lt.prior.Codes); false: all codes alike
--  - text=0: size of the caption vector, for the learned prior (condition: the same by its older name); hidden=64: of
--    its nets
--  - beta=1: weight of the prior's -log p(z | caption) in the loss; only the prior and the text encoder learn from it
-- @treturn fsq
local Fsq = nn.class("fsq", function(self, options)
  local o = check.options("fsq", 1, options, {
    levels = { is_levels, required = true }, learned = { "boolean", true }, text = { "integer", 0, min = 0 },
    condition = { "integer", min = 0 }, hidden = { "integer", 64, min = 1 },
    beta = { "number", 1, min = 0, max = 1e30 },
  })
  self.levels, self.beta, self.learned = {}, o.beta, o.learned
  for i = 1, rawlen(o.levels) do self.levels[i] = math.tointeger(rawget(o.levels, i)) end
  self.prior_options = { learned = o.learned, text = o.condition or o.text, hidden = o.hidden }
end)

local MOST <const> = 1 << 16 -- coordinates of a detail

-- The levels of d coordinates.
local function spread(self, d)
  local list = {}
  for i = 1, d do list[i] = self.levels[(i - 1) % #self.levels + 1] end
  return list
end

--- Numbers that the extractor writes for a detail of d.
function Fsq.outputs(_, d) return check.integer("outputs", 1, "d", d, 1) end

--- The distribution of such details.
-- @tparam integer d
-- @treturn Codes
function Fsq:prior(d)
  return Codes(spread(self, check.integer("prior", 1, "d", d, 1, MOST)), self.prior_options)
end

--- What the extractor's numbers mean.
-- @tparam Tensor out (n,d)
-- @treturn table mu and z, the same
function Fsq:read(out)
  if check.type("read", 1, "out", out, "tensor"):dim() ~= 2 then
    check.fail("read", 1, "out: expected (n,d), got %d axes", out:dim())
  elseif out:size(2) > MOST then
    check.fail("read", 1, "out: expected at most %d numbers for a detail, got %d", MOST, out:size(2))
  end
  local shift, half, offset, scale = {}, {}, {}, {}
  for i, count in ipairs(spread(self, out:size(2))) do
    half[i], offset[i] = (count - 1) * (1 + EDGE) / 2, count % 2 == 0 and 0.5 or 0
    local at = offset[i] / half[i]
    shift[i], scale[i] = 0.5 * math.log((1 + at) / (1 - at)), 1 / (count // 2)
  end
  local b = bounded.tanh(out + core.tensor(shift)) * core.tensor(half) - core.tensor(offset)
  local z = (b + (b:round() - b):detach()) * core.tensor(scale)
  return { mu = z, z = z }
end

--- What it costs: -log p(z | caption) for the prior to learn from, and numbers to log (kl: the same, nats a picture).
-- @tparam table posterior z
-- @tparam table o prior, pooled (n,k), beta in place of the option
-- @treturn Tensor
-- @treturn table
function Fsq:penalty(posterior, o)
  arguments("penalty", posterior, o, { "z" }, "bound")
  local cost = -o.prior:bound(posterior.z, o.pooled):mean()
  return cost * (o.beta or self.beta), { kl = cost:item() }
end

--- KL(q || p) = -log p(z | caption) of each picture, in nats.
-- @tparam table posterior z
-- @tparam table o prior, pooled (n,k)
-- @treturn Tensor (n)
function Fsq.gap(_, posterior, o)
  arguments("gap", posterior, o, { "z" }, "bound")
  return -o.prior:bound(posterior.z, o.pooled)
end

return { kl = Kl, mmd = Mmd, fsq = Fsq }
