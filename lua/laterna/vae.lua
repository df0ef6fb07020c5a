--- The variational auto-encoder, conditioned on captions (Kingma & Welling 2014, arXiv 1312.6114; conditional: Sohn et
-- al. 2015). A decoder paints from caption + detail z; an encoder, used in training only, looks at the picture and says
-- which z it was.
--
--   loss = E_q [-log p(x | z, caption)] + beta KL(q(z | x, caption) || N(0, I))       nats a picture
--
-- z is a vector; or a small picture, detail = {8, 8, 4} with nn.SpatialEncoder and nn.SpatialDecoder, for diffusion in
-- its place (Rombach et al. 2022, arXiv 2112.10752). Then the price, beta, is light, so that little is lost.
--
-- Without an encoder it is a decoder with a likelihood: a generator for laterna.autoencoder, which brings its own.
--
--     local vae = lt.vae {
--       encoder = nn.PictureEncoder(2 * 16, { condition = 64 }),
--       decoder = nn.PictureDecoder(16, 1, { condition = 64 }),
--       detail = 16, text = lt.text.Encoder(captions),
--     }
--     local loss, log = vae:loss(x, { text = captions })
--     local pictures = vae:sample { text = { "ankle boot", "bag" } }
-- @module laterna.vae
local check = require "laterna.check"
local condition = require "laterna.condition"
local detail = require "laterna.detail"
local likelihood = require "laterna.likelihood"
local nn = require "laterna.nn"
local noise = require "laterna.noise"

-- The size of z: one number, or height, width and channels.
local function is_detail(v)
  local list = type(v) == "table" and v or { v }
  local ok = type(v) ~= "table" or rawlen(v) == 3
  for i = 1, rawlen(list) do
    local k = rawget(list, i)
    ok = ok and type(k) == "number" and math.tointeger(k) ~= nil and k >= 1
  end
  return ok, "an integer of at least 1, or {height, width, channels}"
end

--- A VAE: `lt.vae(options)`.
-- @function vae
-- @tparam table options
--
--  - decoder: module, (z (n,d), caption vector (n,k) or nil) -> (n,h,w,c)
--  - encoder: module, (x, caption vector) -> (n,2d), mu beside logvar; may be left out
--  - detail: d, the size of z; or {h,w,c}: then z is (n,h,w,c), and the encoder gives (n,h,w,2c)
--  - text: a text encoder; without one captions are ignored
--  - likelihood: a module of laterna.likelihood; gaussian by default
--  - beta=1: weight of the KL term; free=0: free nats a coordinate
-- @treturn vae
local Vae = nn.class("vae", function(self, options)
  local o = check.options("vae", 1, options, {
    decoder = { nn.module_rule, required = true }, encoder = nn.module_rule, text = nn.module_rule,
    likelihood = nn.module_rule,
    detail = { is_detail, required = true }, beta = { "number", 1, min = 0 }, free = { "number", 0, min = 0 },
  })
  for key, value in pairs(o) do self[key] = value end
  self.detail = type(o.detail) == "table" and table.move(o.detail, 1, 3, 1, {}) or { o.detail }
  self.likelihood = o.likelihood or likelihood.Gaussian()
end)

local function pooled(fname, i, self, cond, n)
  local text = condition.text(fname, i, self.text, cond, n)
  return text and text.pooled
end

local function posterior(fname, self, x, c)
  if not self.encoder then check.fail(fname, 1, "self: this vae has no encoder; give cond.detail") end
  return self.encoder(x, c):chunk(2, -1)
end

-- The negative log-likelihood of pictures, as the vae has it or as the step asks for.
local function error_of(self, out, x, asked)
  if check.type("loss", 2, "cond.likelihood", asked, "callable|nil") == nil then
    return self.likelihood(out, x):mean()
  end
  return check.type("loss", 2, "what cond.likelihood gave", asked(out, x, self.likelihood), "tensor"):mean()
end

--- What to minimise: a scalar, and numbers to log (loss, and nats a picture: nll, kl).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam table cond text; detail, a z, if it comes from elsewhere, then there is no KL term; beta for this step
-- (`beta = math.min(1, step / 1000)` is warm-up); generator for the draw; likelihood, a function (out, x, the vae's own
-- likelihood) -> (n) that takes the place of the vae's own in this step, as a critic's features do (laterna.gan.judge)
-- @treturn Tensor
-- @treturn table
function Vae:loss(x, cond)
  condition.pictures("loss", x)
  cond = cond or {}
  local c = pooled("loss", 2, self, cond, x:size(1))
  if cond.detail then
    local nll = error_of(self, self.decoder(cond.detail, c), x, cond.likelihood)
    return nll, { nll = nll:item() }
  end
  local mu, logvar = posterior("loss", self, x, c)
  local z = detail.reparameterise(mu, logvar, cond.generator)
  local nll = error_of(self, self.decoder(z, c), x, cond.likelihood)
  local price, kl = detail.kl(mu, logvar, self.free)
  return nll + price * (cond.beta or self.beta), { nll = nll:item(), kl = kl:item() }
end

local function paint(fname, self, cond, options)
  local n = condition.count(fname, 1, cond)
  local o = check.options(fname, 2, options, noise.with { temperature = { "number", 1, min = 0 } })
  local z = cond and cond.detail
    or noise.draw({ n, table.unpack(self.detail) }, noise.source(fname, 2, o, n)) * o.temperature
  return self.likelihood:mean(self.decoder(z, pooled(fname, 1, self, cond, n)))
end

--- Pictures (n,h,w,c) in [-1,1] from captions and details; the detail is drawn from N(0, I) where it is not given.
-- Painted in evaluation mode, nothing recorded.
-- @tparam table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the drawn detail); seed: picture i has its own generator, seeded
-- with seed + i - 1; seeds: the same with a list; or generator: one for all
-- @treturn Tensor
function Vae:sample(cond, options)
  return condition.quietly(self, paint, "sample", self, cond, options)
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the decoder.
-- @tparam table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor
function Vae:rsample(cond, options)
  return paint("rsample", self, cond, options)
end

--- The mean of the detail that the encoder sees in pictures.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor mu (n,d) or (n,h,w,c), as large as z
-- @treturn Tensor logvar like mu
function Vae:encode(x, cond)
  condition.pictures("encode", x)
  return condition.quietly(self, function()
    return posterior("encode", self, x, pooled("encode", 2, self, cond, x:size(1)))
  end)
end

--- The picture that a detail stands for, under a caption: sample with nothing left to chance.
-- @tparam Tensor z (n,d) or (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor (n,h,w,c) in [-1,1]
function Vae:decode(z, cond)
  check.type("decode", 1, "z", z, "tensor")
  check.type("decode", 2, "cond", cond, "table|nil")
  return condition.quietly(self, function()
    return self.likelihood:mean(self.decoder(z, pooled("decode", 2, self, cond, z:size(1))))
  end)
end

return Vae
