--- Generative adversarial networks (Goodfellow et al. 2014, arXiv 1406.2661), conditioned on captions: a generator
-- paints, a critic judges picture and caption together, and the two are trained in turns.
--
-- To the critic a real picture with its own caption is real. A painted picture with the caption that it was painted for
-- is not, and neither is a real picture with the caption of another (Reed et al. 2016, arXiv 1605.05396, section 4.1):
--
--   critic:     L(real, painted) + negative_weight mean L(real, real with the caption of another), or what L says of
--               all such captions, the negatives, at once
--               + r1 / 2 E |d real / dx|^2 + r2 / 2 E |d painted / dx|^2 + gradient_penalty E (|d between / dx| - 1)^2
--   generator:  what the loss has for it, laterna.gan.losses
--
-- The loop is the user's, with one optimizer for each; how often each moves, and how fast, stands there:
--
--     local gan = lt.gan { generator = net, critic = lt.gan.Critic { net = judge, text = lt.text.Encoder(captions) },
--                          text = lt.text.Encoder(captions), detail = 64 }
--     local og = lt.optim.Adam(gan:generator_parameters(), { lr = 2e-4, betas = { 0, 0.99 } })
--     local oc = lt.optim.Adam(gan.critic:parameters(), { lr = 2e-4, betas = { 0, 0.99 } })
--     for _, batch in run:steps() do
--       run:log(oc:update(gan:critic_loss(batch.x, { text = batch.captions })))
--       run:log(og:update(gan:loss(batch.x, { text = batch.captions })))
--     end
--
-- Neither loss leaves a gradient in the parameters of the other side.
--
-- Where details come from an extractor that has seen the picture, the game alone would not ask that they are heeded.
-- With feature_weight, w, the generator's loss has besides what the critic sees in the picture and not in what was
-- painted from its detail (Critic:feature_error): + w mean log (|f(x) - f(painted)|^2 / |f(x)|^2).
-- @module laterna.gan
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"
local game = require "laterna.gan.game"
local gan_check = require "laterna.gan.check"
local journal = require "laterna.journal"
local nn = require "laterna.nn"
local noise = require "laterna.noise"

local KNOWN = {
  generator = { nn.module_rule, required = true }, text = nn.module_rule,
  detail = { "integer", required = true, min = 0, max = 1 << 20 },
  feature_weight = { "number", 0, min = 0, max = 1e9 }, variety = { "number", 0, min = 0, max = 1e9 },
}
for key, rule in pairs(game.options) do KNOWN[key] = rule end

--- A GAN: `lt.gan(options)`.
-- @function gan
-- @tparam table options
--
--  - generator: module, (z (n,d), cond) -> (n,h,w,c), cond nil or {tokens, mask, pooled}; or vectors (n,k).
--    With neither noise nor captions cond is {n}
--  - critic: from lt.gan.Critic
--  - text: the text encoder of the generator; the critic has its own
--  - detail: d, the size of z; 0 for a generator without noise, whose z is nil
--  - loss="relativistic": a name in lt.gan.losses, or a table like those there
--  - r1, r2, gradient_penalty: weights of the penalties, numbers or functions of the call, counted from 1; by default
--    what the loss asks for
--  - penalty_every=1: k, penalties on every k-th call of critic_loss or reading_loss alone, the first among them, with
--    k times the weight (Karras et al. 2020, arXiv 1912.04958, appendix B)
--  - negative_weight: weight of real pictures with captions that are not theirs; by default 1 where the critic reads
--    captions
--  - negatives=1: how many such captions each picture is shown with. Where captions are projected (nn.Critic) more cost
--    little
--  - variety=0: weight of 1 / how far apart two paintings of the same captions are, a detail's distance for a detail's
--    distance (mode seeking: Mao et al. 2019, arXiv 1903.05628, eq. 3), where generators come to pass over their noise
--  - feature_weight=0: weight of the critic's features of x against those of what was painted, where a detail is given
--  - augment: function x -> x between all pictures and the critic, such as lt.gan.augment; where it has a function
--    update, that gets the scores of real pictures, less the boundary
-- @treturn gan
local Gan = nn.class("gan", function(self, options)
  local o = check.options("gan", 1, options, KNOWN)
  self.generator, self.text, self.detail = o.generator, o.text, o.detail
  if o.text and rawequal(o.text, o.critic.text) then
    check.fail("gan", 1, "text: the critic's own encoder; two sides that play against each other cannot share it")
  end
  if o.variety > 0 and o.detail == 0 then check.fail("gan", 1, "variety: this generator has no noise") end
  self.feature_weight, self.variety = o.feature_weight, o.variety
  game.setup(self, o)
end)

Gan.losses, Gan.penalties = require "laterna.gan.losses", require "laterna.gan.penalties"
Gan.watch, Gan.Critic = require "laterna.gan.watch", require "laterna.gan.critic"
Gan.augment, Gan.judge = require "laterna.gan.augment", require "laterna.gan.judge"

local DRAWN = noise.with { temperature = { "number", 1, min = 0 } }
local SAMPLE = condition.keys(nil, DRAWN)
local LOSS = condition.keys { generator = check.is_generator, judged_detail = "tensor", negatives = "table" }

--- The keys of its condition, for a model that passes its own on (laterna.condition).
-- @tparam string fname "loss" or "sample"
-- @treturn table
function Gan:condition_keys(fname) return fname == "sample" and SAMPLE or LOSS end -- luacheck: ignore self

-- What the generator paints. z: details, or nil to draw them from `source`; i: which argument cond was.
local function paint(fname, i, self, cond, z, source, temperature)
  local n = cond.n
  if self.detail == 0 then
    if z then check.fail(fname, i, "cond.detail: this generator takes none") end
  elseif not z then
    z = noise.draw({ n, self.detail }, source)
    if temperature then z = z * temperature end
  elseif z:dim() ~= 2 or z:size(1) ~= n or z:size(2) ~= self.detail then
    check.fail(fname, i, "cond.detail: expected (%d,%d), got (%s)", n, self.detail, table.concat(z.shape, ","))
  end
  local heard = cond:encode(self.text)
  if not z and not heard then heard = { n = n } end
  return gan_check.examples(fname, nil, "what the generator painted", self.generator(z, heard))
end

local function like(fname, x, painted)
  local a, b = table.concat(x.shape, ","), table.concat(painted.shape, ",")
  if a ~= b then check.fail(fname, 1, "x: the generator paints (%s), got (%s)", b, a) end
end

-- The paintings that are judged: those of the details at random that cond lists, for the first pictures, and for the
-- rest what was painted anyway.
local function to_judge(self, painted, cond)
  local z, n = cond.judged_detail, cond.n
  if not z then return painted end
  local k = z:size(1)
  if k > n then check.fail("loss", 2, "cond.judged_detail: %d details for %d pictures", k, n) end
  local more = paint("loss", 2, self, cond:first(k), z)
  return k == n and more or core.cat { more, painted:narrow(1, k + 1, n - k) }
end

-- How far apart paintings are, for how far apart the details are that they come from: means of absolute differences.
local function spread(self, painted, cond, z)
  local other = core.randn({ #painted, self.detail }, { generator = cond.generator })
  return (painted - paint("loss", 2, self, cond, other)):abs():mean() / (z - other):abs():mean()
end

--- What the generator minimises: a scalar, and numbers to log (loss; fooled: the part of the painted pictures that the
-- critic takes for real; feature_error: the relative error of features; spread: how far apart paintings of the same
-- captions are, for how far apart their details are). The critic's parameters get no gradient. A loss that is not
-- finite is an error that names step and reason.
-- @tparam ?Tensor x (n,h,w,c) in [-1,1], or vectors (n,d); may be nil where the loss is not paired
-- @tparam[opt] table cond text; detail, a z, if it comes from elsewhere; judged_detail (k,d), details at random, from
-- which what the critic judges is painted for the first k pictures, while x is compared with what the detail makes;
-- generator for draws; n, without x
-- @treturn Tensor
-- @treturn table
function Gan:loss(x, cond)
  if self.game.paired or x ~= nil then gan_check.real("loss", x) end
  cond = condition.read("loss", 2, cond, LOSS, x and x:size(1))
  if x and x:dim() == 4 then self.pictures = { x:size(2), x:size(3), x:size(4) } end
  local vary, z, source = self.variety > 0 and not cond.detail, cond.detail, cond.generator
  if vary then z = core.randn({ cond.n, self.detail }, { generator = source }) end
  local painted = paint("loss", 2, self, cond, z, source)
  if x then like("loss", x, painted) end
  local loss, log, fake = game.generator_loss(self, x, to_judge(self, painted, cond), cond)
  if vary then
    local apart = spread(self, painted, cond, z)
    loss, log.spread = loss + self.variety / (apart + 1e-5), apart:item()
  end
  if self.feature_weight > 0 and x and cond.detail then
    local far = self.critic:frozen_view():feature_error(x, painted, cond:bare())
    loss, log.feature_error = loss + far * self.feature_weight, far:item()
  end
  log.loss = gan_check.finite(self, "generator", loss,
    { { "pictures x", x }, { "painted pictures", painted }, { "scores of painted pictures", fake } })
  return loss, log
end

--- Height, width and channels of the pictures that it was trained on; nil before, and for vectors.
-- @treturn ?table
function Gan:picture_size() return self.pictures end

--- What the critic minimises: a scalar, and numbers to log (critic_loss; accuracy_real, accuracy_painted,
-- accuracy_negatives: right judgements of the kinds of pairs, 0 to 1; gradient_real, gradient_painted,
-- gradient_between: mean norms, where there was a penalty). The generator is asked, in training mode, but not taught. A
-- loss that is not finite is an error that names step and reason.
-- @tparam Tensor x (n,h,w,c) in [-1,1], or vectors (n,d)
-- @tparam[opt] table cond text; negatives, a list of captions that are not the pictures', where those of others of the
-- batch would be too easily seen through (false: none for this picture), or a list of such lists, which are taken
-- before others; detail, a z, if it comes from elsewhere; generator for all draws
-- @treturn Tensor
-- @treturn table
function Gan:critic_loss(x, cond)
  gan_check.real("critic_loss", x)
  cond = condition.read("critic_loss", 2, cond, LOSS, x:size(1))
  local painted = core.no_grad(paint, "critic_loss", 2, self, cond, cond.detail, cond.generator)
  like("critic_loss", x, painted)
  return game.critic_loss(self, x, painted, cond)
end

--- What the critic minimises for real pictures alone: their captions among negatives, and R1. A critic that has learned
-- to read before the game begins shows the generator from the first step what words mean; in the game, where it must
-- stay smooth, it learns that slowly.
-- @tparam Tensor x (n,h,w,c) in [-1,1], or vectors (n,d)
-- @tparam table cond as for critic_loss
-- @treturn Tensor
-- @treturn table numbers to log: reading_loss; accuracy_read, the part of the pictures whose own caption has the best
-- score of all that they are shown with
function Gan:reading_loss(x, cond)
  gan_check.real("reading_loss", x)
  return game.reading_loss(self, x, condition.read("reading_loss", 2, cond, LOSS, x:size(1)))
end

for _, name in ipairs { "loss", "critic_loss", "reading_loss" } do Gan[name] = journal.whole(Gan[name]) end

local function sampled(fname, self, cond, options)
  cond = condition.read(fname, 1, cond, SAMPLE)
  local o = check.options(fname, 2, options, DRAWN)
  return paint(fname, 1, self, cond, cond.detail, noise.source(fname, 2, o, cond.n), o.temperature)
end

--- Pictures (n,h,w,c) in [-1,1] from captions and details, or vectors as they come; the detail is drawn from N(0, I)
-- where it is not given. Painted in evaluation mode, nothing recorded.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the drawn detail: less variety, more likely pictures); seed: example
-- i has its own generator, seeded with seed + i - 1; seeds: the same with a list; generator: one for all
-- @treturn Tensor
function Gan:sample(cond, options)
  local x = evaluation.quietly(self, sampled, "sample", self, cond, options)
  return x:dim() == 4 and x:clamp(-1, 1) or x
end

--- The same in training mode and recorded, not clamped, so that whoever judges the pictures can teach the generator.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor
function Gan:rsample(cond, options)
  return sampled("rsample", self, cond, options)
end

--- The parameters of the generator and its text encoder, for its optimizer; the critic's are gan.critic:parameters().
-- @treturn {tensor,...}
function Gan:generator_parameters()
  local list, known = {}, {}
  for _, module in ipairs { self.generator, self.text } do
    for _, p in ipairs(module:parameters()) do
      if not known[p] then list[#list + 1], known[p] = p, true end
    end
  end
  return list
end

return Gan
