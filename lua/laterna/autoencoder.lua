--- The extractor and a generator, trained together. A caption never says all that a picture shows; the extractor looks
-- at picture + caption and writes down the rest, the detail, and the generator must paint the picture back from caption
-- + detail. With no picture to look at, the detail is drawn at random: from N(0, I), or from a prior learned along.
--
--   loss = generator:loss(x, {text, detail = z}) + beta KL(q(z | x, caption) || p(z | caption)),   z drawn from q
--
-- What the generator compares is its own business. One text encoder serves both.
--
--     local ae = lt.autoencoder {
--       extractor = nn.Extractor { detail = 16, text = 64 }, text = lt.text.Encoder(captions),
--       generator = lt.vae { decoder = nn.PictureDecoder { detail = 16, channels = 1, text = 64 }, detail = 16 },
--       detail = 16, prior = lt.prior.Flow(16, { text = 64 }), rate = 20,
--     }
--     local gaps = ae:gap(pictures, { text = captions })         -- nats that the captions leave out
--     local green = ae:edit(pictures, { text = captions }, { text = { "a green star" } })
--
-- Several generators can share one extractor: make an autoencoder of each with the same extractor, text, prior and
-- regulariser; let one extract, give the posterior to all, and let it add the penalty once:
--
--     local posterior = first:extract(x, { text = captions })
--     local sum = first:loss(x, { posterior = posterior }) + second:loss(x, { posterior = posterior }) * weight
--     local penalty, log = first:penalty(posterior, { loss = sum })
--     (sum + penalty):backward()
--
-- With a gan as generator the critic has a turn of its own, critic_loss, and the optimizer of the rest gets
-- generator_parameters.
-- @module laterna.autoencoder
local check = require "laterna.check"
local condition = require "laterna.condition"
local edit = require "laterna.autoencoder.edit"
local evaluation = require "laterna.evaluation"
local game = require "laterna.autoencoder.game"
local gap = require "laterna.autoencoder.gap"
local journal = require "laterna.journal"
local nn = require "laterna.nn"
local painting = require "laterna.autoencoder.painting"
local regulariser = require "laterna.autoencoder.regulariser"

local function has(what, ...)
  local names = { ... }
  return function(v)
    local ok = nn.is_module(v)
    for _, name in ipairs(names) do ok = ok and type(v[name]) == "function" end
    return ok, ("%s: a module with %s"):format(what, table.concat(names, ", "))
  end
end

-- Keys of a condition that are the autoencoder's own; its loss takes those of its generator besides.
local LOSS = condition.keys {
  beta = "number", posterior = "table", generator = check.is_generator, from_prior = "number",
}
local EXTRACT, PLAIN = condition.keys { generator = check.is_generator }, condition.keys()

--- An auto-encoder: `lt.autoencoder(options)`.
-- @function autoencoder
-- @tparam table options
--
--  - extractor: module, (x, cond) -> (n,2d), mu beside logvar of the detail; cond is {tokens, mask, pooled}, nil
--    without text
--  - generator: any family whose condition has text and detail; or a module of one's own with loss and sample, which
--    may state with condition_keys(fname) what else its condition takes
--  - detail: d, the size of the detail
--  - text: a text encoder; without one captions are ignored. It reads for a generator that has none, too
--  - prior: a module with log_prob(z, c) and inverse(u, c), such as lt.prior.Flow; N(0, I) without one
--  - regulariser: what the detail costs, one of lt.autoencoder.regulariser; or, for regulariser.kl, its options:
--  - beta=1; free=0: free nats a coordinate (for N(0, I) only); rate: nats a picture to which beta holds the detail
--  - drop=0: how often a caption is left out in training, so that the empty caption is known, for guidance too
-- @treturn autoencoder
local Autoencoder = nn.class("autoencoder", function(self, options)
  local o = check.options("autoencoder", 1, options, {
    extractor = { nn.module_rule, required = true },
    generator = { has("a generator", "loss", "sample"), required = true },
    text = nn.module_rule, detail = { "integer", required = true, min = 1 }, beta = { "number", min = 0 },
    free = { "number", min = 0 }, rate = { "number", min = 1e-6 }, prior = has("a prior", "log_prob", "inverse"),
    regulariser = has("a regulariser", "outputs", "read", "penalty", "gap"), drop = { "number", 0, min = 0, max = 1 },
  })
  if o.regulariser and (o.beta or o.free or o.rate) then
    check.fail("autoencoder", 1, "regulariser: beta, free and rate are options of regulariser.kl")
  end
  self.extractor, self.generator, self.text, self.detail = o.extractor, o.generator, o.text, o.detail
  self.regulariser, self.drop = o.regulariser or regulariser.kl { beta = o.beta, free = o.free, rate = o.rate }, o.drop
  self.prior = o.prior
  if self.regulariser.prior then
    if o.prior then check.fail("autoencoder", 1, "prior: this regulariser brings its own") end
    self.prior = self.regulariser:prior(o.detail)
  end
end)

Autoencoder.regulariser = regulariser
Autoencoder.formerly = { regulariser = "price" } -- in files of earlier versions
Autoencoder.gap, Autoencoder.report = gap.gap, gap.report
Autoencoder.explain = require "laterna.autoencoder.explain"
Autoencoder.sample, Autoencoder.rsample = painting.sample, painting.rsample
Autoencoder.critic_loss = journal.whole(game.critic_loss)
Autoencoder.generator_parameters = game.generator_parameters
for name, method in pairs(edit) do Autoencoder[name] = method end

--- The keys of its condition: its own, and those that its generator states (laterna.condition).
-- @tparam string fname "loss" or "sample"
-- @treturn table
function Autoencoder:condition_keys(fname)
  return condition.joined(fname == "sample" and painting.keys or LOSS, condition.keys_of(self.generator, fname))
end

-- What the extractor writes about pictures.
local function write(fname, self, x, cond)
  local out = check.type(fname, nil, "what the extractor wrote", self.extractor(x, cond:encode(self.text)), "tensor")
  local n, k = x:size(1), self.regulariser:outputs(self.detail)
  if out:dim() ~= 2 or out:size(1) ~= n or out:size(2) ~= k then
    check.fail(fname, nil, "the extractor wrote (%s), expected (%d,%d)", table.concat(out.shape, ","), n, k)
  end
  return out
end

local function extract(fname, self, x, cond)
  local kept = cond:dropped(self):bare():read_by(self.text):settle()
  local posterior = self.regulariser:read(write(fname, self, x, kept), cond.generator)
  posterior.cond = kept
  return posterior
end

--- What the extractor reads in pictures, q(detail | x, caption), with a draw of the detail; in training mode captions
-- are left out as `drop` says.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text; generator for the draws
-- @treturn table the posterior: mu (n,d), logvar (n,d) or nil, z (n,d); cond, the condition with the captions that were
-- kept (posterior.cond.text, posterior.cond:pooled())
function Autoencoder:extract(x, cond)
  condition.pictures("extract", x, 1, true)
  return extract("extract", self, x, condition.read("extract", 2, cond, EXTRACT, x:size(1)))
end

--- What a posterior costs: a scalar to add to a generator's loss, and numbers to log (kl, in nats a picture; beta,
-- where there is a rate).
-- @tparam table posterior from extract
-- @tparam[opt] table options beta for this step (warm-up); loss, the generator's, tensor or number, from which a rate
-- finds where beta begins; generator for draws
-- @treturn Tensor
-- @treturn table
function Autoencoder:penalty(posterior, options)
  check.type("penalty", 1, "posterior", posterior, "table")
  check.type("penalty", 1, "posterior.z", posterior.z, "tensor")
  local o = check.options("penalty", 2, options, {
    beta = { "number", min = 0 }, generator = check.is_generator,
    loss = function(v) return type(v) == "number" or check.is(v, "tensor"), "a number or a tensor" end,
  })
  return self.regulariser:penalty(posterior, {
    prior = self.prior, pooled = posterior.cond and posterior.cond:pooled(self.text), beta = o.beta,
    generator = o.generator, loss = type(o.loss) == "number" and o.loss or o.loss and o.loss:mean():item() or nil,
  })
end

--- What to minimise: a scalar, and numbers to log (the generator's; kl: nats a picture in the detail; beta, where there
-- is a rate).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text; beta for this step (warm-up); posterior, from extract, in place of one of its own: then
-- the loss is the generator's alone; from_prior=0, for a gan: the part of the batch whose paintings the critic is to
-- judge with details at random; generator for draws; all else is the generator's, such as a vae's likelihood: pixels
-- alone would spend the detail on clouds, a critic that has learned to read (critic:likelihood) on what words are for
-- @treturn Tensor
-- @treturn table
function Autoencoder:loss(x, cond)
  condition.pictures("loss", x, 1, true)
  cond = condition.read("loss", 2, cond, self:condition_keys "loss", x:size(1))
  self.pictures = { x:size(2), x:size(3), x:size(4) }
  local posterior = cond.posterior or extract("loss", self, x, cond)
  check.type("loss", 2, "cond.posterior.z", posterior.z, "tensor")
  local loss, log = self.generator:loss(x, game.condition_of("loss", self, cond, posterior))
  if cond.posterior then return loss, log end
  local cost, said = self:penalty(posterior, { beta = cond.beta, loss = loss, generator = cond.generator })
  for key, v in pairs(said) do log[key] = v end
  return loss + cost, log
end

Autoencoder.loss = journal.whole(Autoencoder.loss)

--- Height, width and channels of the pictures that it was trained on; nil before.
-- @treturn ?table
function Autoencoder:picture_size() return self.pictures end

--- The detail that the extractor reads: mean and log-variance (nil where the regulariser knows no variance).
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor mu (n,d)
-- @treturn ?Tensor logvar (n,d)
function Autoencoder:encode(x, cond)
  condition.pictures("encode", x, 1, true)
  cond = condition.read("encode", 2, cond, PLAIN, x:size(1))
  local posterior = evaluation.quietly(self, extract, "encode", self, x, cond)
  return posterior.mu, posterior.logvar
end

--- The picture that a detail stands for, under a caption; what else the generator draws is drawn.
-- @tparam Tensor z (n,d)
-- @tparam[opt] table cond text
-- @tparam[opt] table options the generator's
-- @treturn Tensor (n,h,w,c) in [-1,1]
function Autoencoder:decode(z, cond, options)
  cond = condition.read("decode", 2, cond, PLAIN, check.type("decode", 1, "z", z, "tensor"):size(1))
  return self:sample(cond:with { detail = z }, options)
end

return Autoencoder
