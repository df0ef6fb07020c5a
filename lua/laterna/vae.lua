--- The variational auto-encoder, conditioned on captions (Kingma & Welling 2014, arXiv 1312.6114; conditional: Sohn et
-- al. 2015). A decoder paints from caption + detail z; an encoder, used in training only, looks at the picture and says
-- which z it was.
--
--   loss = E_q [-log p(x | z, caption)] + beta KL(q(z | x, caption) || N(0, I))       nats a picture
--
-- z is a vector; or a small picture, detail = {8, 8, 4} with nn.SpatialEncoder and nn.SpatialDecoder, for diffusion in
-- its place (Rombach et al. 2022, arXiv 2112.10752). Then beta is small, so that little is lost.
--
-- Without an encoder it is a decoder with a likelihood: a generator for laterna.autoencoder, which brings its own.
--
--     local vae = lt.vae {
--       encoder = nn.PictureEncoder { outputs = 2 * 16, text = 64 },
--       decoder = nn.PictureDecoder { detail = 16, channels = 1, text = 64 },
--       detail = 16, text = lt.text.Encoder(captions),
--     }
--     local loss, log = vae:loss(x, { text = captions })
--     local pictures = vae:sample { text = { "ankle boot", "bag" } }
-- @module laterna.vae
local check = require "laterna.check"
local condition = require "laterna.condition"
local detail = require "laterna.detail"
local evaluation = require "laterna.evaluation"
local journal = require "laterna.journal"
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

local LOSS = condition.keys { beta = "number", generator = check.is_generator, likelihood = "callable" }
local OPTIONS = noise.with { temperature = { "number", 1, min = 0 } }
local SAMPLE, ENCODE = condition.keys(nil, OPTIONS), condition.keys()

--- The keys of its condition, for a model that passes its own on (laterna.condition).
-- @tparam string fname "loss" or "sample"
-- @treturn table
function Vae:condition_keys(fname) return fname == "sample" and SAMPLE or LOSS end -- luacheck: ignore self

local function posterior(fname, self, x, c)
  if not self.encoder then check.fail(fname, 1, "self: this vae has no encoder; give cond.detail") end
  return detail.parts(self.encoder(x, c))
end

-- The negative log-likelihood of pictures, as the vae has it or as the step asks for.
local function error_of(self, out, x, likelihood_of)
  if likelihood_of == nil then return self.likelihood(out, x):mean() end
  return check.type("loss", 2, "what cond.likelihood gave", likelihood_of(out, x, self.likelihood), "tensor"):mean()
end

--- What to minimise: a scalar, and numbers to log (loss, and nats a picture: nll, kl).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text; detail, a z, if it comes from elsewhere, then there is no KL term; beta for this step
-- (`beta = math.min(1, step / 1000)` is warm-up); generator for the draw; likelihood, a function (out, x, the vae's own
-- likelihood) -> (n) that takes the place of the vae's own in this step, as a critic's features do (laterna.gan.judge)
-- @treturn Tensor
-- @treturn table
function Vae:loss(x, cond)
  condition.pictures("loss", x)
  cond = condition.read("loss", 2, cond, LOSS, x:size(1))
  self.pictures = { x:size(2), x:size(3), x:size(4) }
  local c = cond:pooled(self.text)
  if cond.detail then
    local nll = error_of(self, self.decoder(cond.detail, c), x, cond.likelihood)
    return nll, { nll = nll:item() }
  end
  local mu, logvar = posterior("loss", self, x, c)
  local z = detail.reparameterise(mu, logvar, cond.generator)
  local nll = error_of(self, self.decoder(z, c), x, cond.likelihood)
  local penalty, kl = detail.kl(mu, logvar, self.free)
  return nll + penalty * (cond.beta or self.beta), { nll = nll:item(), kl = kl:item() }
end

Vae.loss = journal.whole(Vae.loss)

--- Height, width and channels of the pictures that it was trained on; nil before.
-- @treturn ?table
function Vae:picture_size() return self.pictures end

local function paint(fname, self, cond, options)
  cond = condition.read(fname, 1, cond, SAMPLE)
  local o = check.options(fname, 2, options, OPTIONS)
  local z = cond.detail
    or noise.draw({ cond.n, table.unpack(self.detail) }, noise.source(fname, 2, o, cond.n)) * o.temperature
  return self.likelihood:mean(self.decoder(z, cond:pooled(self.text)))
end

--- Pictures (n,h,w,c) in [-1,1] from captions and details; the detail is drawn from N(0, I) where it is not given.
-- Painted in evaluation mode, nothing recorded.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the drawn detail); seed: picture i has its own generator, seeded
-- with seed + i - 1; seeds: the same with a list; or generator: one for all
-- @treturn Tensor
function Vae:sample(cond, options)
  return evaluation.quietly(self, paint, "sample", self, cond, options)
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the decoder.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor
function Vae:rsample(cond, options)
  return paint("rsample", self, cond, options)
end

--- The mean of the detail that the encoder sees in pictures.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor mu (n,d) or (n,h,w,c), as large as z
-- @treturn Tensor logvar like mu, held within [-30, 20] (laterna.detail)
function Vae:encode(x, cond)
  condition.pictures("encode", x)
  cond = condition.read("encode", 2, cond, ENCODE, x:size(1))
  return evaluation.quietly(self, function() return posterior("encode", self, x, cond:pooled(self.text)) end)
end

--- The picture that a detail stands for, under a caption: sample with nothing left to chance.
-- @tparam Tensor z (n,d) or (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor (n,h,w,c) in [-1,1]
function Vae:decode(z, cond)
  cond = condition.read("decode", 2, cond, ENCODE, check.type("decode", 1, "z", z, "tensor"):size(1))
  return evaluation.quietly(self, function()
    return self.likelihood:mean(self.decoder(z, cond:pooled(self.text)))
  end)
end

return Vae
