--- A critic for any family: what its pictures look like is added to its own loss.
--
--   loss = L(x, caption) + weight lambda G(critic(painted)),    painted = model:rsample(captions), recorded
--
-- The model brings `loss` and `rsample`; the critic's turn, its penalties, negatives and augmentation are lt.gan's.
--
--  - vae, lt.autoencoder: VAE-GAN (Larsen et al. 2016, arXiv 1512.09300). With features, the reconstruction error is
--    that of what the critic sees in picture and reconstruction, in place of the error of pixels:
--        nll = D / 2 log (|f(x) - f(x^)|^2 / |f(x)|^2),  the mean over the feature maps f;  D the numbers of a picture
--    which is a Gaussian's whose variance is the error itself (optimal sigma-VAE: Rybkin et al. 2021, arXiv 2006.13202)
--  - flow: pictures are decoded noise, and the gradient runs through the inverse (Flow-GAN: Grover et al. 2018, arXiv
--    1705.08868)
--  - diffusion: a student of one or two steps, rsample = {steps = 1}; `base` is its distillation from a teacher
--    (adversarial distillation: Sauer et al. 2023, arXiv 2311.17042)
--
-- With `last`, a parameter that both parts of the loss go through, lambda keeps their gradients of one size
-- (VQGAN: Esser et al. 2021, arXiv 2012.09841, eq. 7):
--
--   lambda = |dL / dlast| / (|dG / dlast| + 1e-6)
--
--     local judge = lt.gan.judge(vae, { critic = critic, features = true, last = vae.decoder.out.weight })
--     local mine, its = lt.optim.Adam(vae:parameters(), ...), lt.optim.Adam(critic:parameters(), ...)
--     for _, batch in run:steps() do
--       run:log(its:update(judge:critic_loss(batch.x, { text = batch.captions })))
--       run:log(mine:update(judge:loss(batch.x, { text = batch.captions })))
--     end
-- @module laterna.gan.judge
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local game = require "laterna.gan.game"
local gan_check = require "laterna.gan.check"
local journal = require "laterna.journal"
local nn = require "laterna.nn"

local DELTA, MOST = 1e-6, 1e4 -- of lambda

local function is_part(v)
  local ok = type(v) == "boolean" or type(v) == "number" and v >= 0 and v <= 1
  return ok, "true, false or a number from 0 to 1"
end

local function is_last(v)
  return check.is(v, "tensor") and v.requires_grad and v.is_leaf, "a parameter that requires a gradient"
end

local KNOWN = {
  weight = { gan_check.is_weight, 1 }, features = { is_part, false }, last = is_last, base = "callable",
  rsample = { "table", {} },
}
for key, rule in pairs(game.options) do KNOWN[key] = rule end

-- What of a condition the game itself takes; the model's loss may take more.
local GAME = condition.keys { generator = check.is_generator, negatives = "table" }

local function plain(t)
  local out = {}
  for key, v in next, t do out[key] = v end
  return out
end

-- The critic's side, with names of its own in the state.
local Play = nn.class("Play", game.setup)

--- A judge: `lt.gan.judge(model, options)`, a module that holds model and critic.
-- @function judge
-- @tparam module model a family: `rsample(cond, options)` and `loss(x, cond)`
-- @tparam table options
--
--  - critic: from lt.gan.Critic
--  - weight=1: of the critic's part, a number or a function of the call of `loss`, counted from 1
--  - last: a parameter; makes the weight adaptive
--  - features=false: true for the critic's features as the reconstruction error of a model that takes cond.likelihood
--    (vae, lt.autoencoder); or the part of it, 0 to 1, the rest being the model's own
--  - base: function(x, cond, model) -> loss, log in place of the model's own loss
--  - rsample: options of the model's rsample, {steps = 1}
--  - loss, r1, r2, gradient_penalty, penalty_every, negative_weight, negatives, augment: as for lt.gan
-- @treturn judge
local Judge = nn.class("judge", function(self, model, options)
  if not nn.is_module(model) or type(model.rsample) ~= "function" then
    check.fail("judge", 1, "model: expected a family with rsample, got %s", check.describe(model))
  end
  local o = check.options("judge", 2, options, KNOWN)
  if not o.base and type(model.loss) ~= "function" then
    check.fail("judge", 2, "option base is missing, and the model has no loss of its own")
  end
  if o.critic.text and rawequal(model.text, o.critic.text) then
    check.fail("judge", 2, "critic: it has the model's own text encoder; two sides that play cannot share it")
  end
  self.model, self.critic, self.base = model, o.critic, o.base
  self.weight, self.last, self.painting = o.weight, o.last, plain(o.rsample)
  self.features = o.features == true and 1 or o.features or 0
  if self.features > 0 and o.base then check.fail("judge", 2, "features: with base the error is the script's own") end
  self.play = Play(o)
  self.calls = core.zeros(1, { dtype = "int32" })
end)

--- The keys of its condition: the game's, and those that the model states (laterna.condition).
-- @tparam string fname
-- @treturn table
function Judge:condition_keys(fname)
  return condition.joined(GAME, condition.keys_of(self.model, fname))
end

-- The reconstruction error in a critic's eyes: (out, x, the model's likelihood) -> (n), nats but for a constant.
local function in_features(self, cond, log)
  local likelihood = self.critic:likelihood({ text = cond.text }, { part = self.features })
  return function(out, x, own)
    local nll, by_features = likelihood(out, x, own)
    log.asked, log.features = true, by_features:mean():item()
    return nll
  end
end

-- The model's own loss, and its log.
local function own_loss(self, x, cond)
  if self.base then
    local loss, log = self.base(x, cond, self.model)
    return check.type("loss", nil, "what base gave", loss, "tensor"), check.type("loss", nil, "the log that base gave",
      log or {}, "table")
  end
  local keys = condition.keys_of(self.model, "loss")
  cond = keys and cond:limited(keys) or cond
  if self.features == 0 then return self.model:loss(x, cond) end
  if keys and not keys.rules.likelihood then
    check.fail("loss", nil, "features: this model takes no cond.likelihood")
  end
  local noted = {}
  local loss, log = self.model:loss(x, cond:with { likelihood = in_features(self, cond, noted) })
  if not noted.asked then check.fail("loss", nil, "features: this model takes no cond.likelihood") end
  log.features = noted.features
  return loss, log
end

local function slope(name, loss, last)
  local g = loss.requires_grad and core.grad(loss, { last }, { retain_graph = true })[1]
  if not g then check.fail("loss", nil, "last: %s does not depend on it", name) end
  return g:norm():item()
end

-- What the model paints of the captions, and of a detail that comes from elsewhere; drawn as the condition says.
local function paint(self, cond)
  local options = self.painting
  if cond.generator and not options.generator and not options.seed then
    options = plain(options)
    options.generator = cond.generator
  end
  return self.model:rsample(cond:bare():with { detail = cond.detail or false }, options)
end

--- What the model minimises: a scalar, and numbers to log (the model's own; judged: the critic's part, unweighted;
-- fooled: the part of the painted pictures that the critic takes for real; weight: what it was weighted with;
-- features). No gradient reaches the critic.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text; detail, used by the model for both parts; generator; and what the model's own loss
-- takes besides
-- @treturn Tensor
-- @treturn table
function Judge:loss(x, cond)
  condition.pictures("loss", x)
  cond = condition.read("loss", 2, cond, self:condition_keys "loss", x:size(1))
  local call, weight = self.calls:item() + 1, self.weight
  if type(weight) ~= "number" then weight = check.number("loss", nil, "weight", weight(call), 0, math.huge) end
  local own, log = own_loss(self, x, cond)
  local painted = paint(self, cond)
  local judged, said, fake = game.generator_loss(self.play, x, painted, cond)
  local sides = { calls = self.play.calls, critic = self.critic, generator = self.model }
  local v = gan_check.finite(sides, "generator", judged, {
    { "pictures x", x }, { "painted pictures", painted }, { "scores of painted pictures", fake },
  })
  if self.last and weight > 0 then
    local size = slope("the model's own loss", own, self.last)
    weight = weight * math.min(MOST, size / (slope("what is painted", judged, self.last) + DELTA))
  end
  journal.note(self.calls)
  self.calls:copy_(core.tensor({ call }, { dtype = "int32" }))
  log.judged, log.fooled, log.weight = v, said.fooled, weight
  return own + judged * weight, log
end

--- What the critic minimises, and its log: see gan:critic_loss. The model is asked, but not taught.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond as for loss
-- @treturn Tensor
-- @treturn table
function Judge:critic_loss(x, cond)
  condition.pictures("critic_loss", x)
  cond = condition.read("critic_loss", 2, cond, self:condition_keys "loss", x:size(1))
  return game.critic_loss(self.play, x, core.no_grad(paint, self, cond), cond, self.model)
end

Judge.loss, Judge.critic_loss = journal.whole(Judge.loss), journal.whole(Judge.critic_loss)

return Judge
