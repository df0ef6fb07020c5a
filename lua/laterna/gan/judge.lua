--- A critic for any family: what its pictures look like is added to its own loss.
--
--   loss = L(x, caption) + weight lambda G(critic(painted)),    painted = model:rsample(captions), recorded
--
-- The model brings `loss` and `paint`; the critic's turn, its penalties, wrong captions and augmentation are lt.gan's.
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
--       local cond = { text = batch.captions }
--       local loss, log = judge:critic_loss(batch.x, cond)
--       its:zero_grad(); loss:backward(); its:step(); run:log(log)
--       loss, log = judge:loss(batch.x, cond)
--       mine:zero_grad(); loss:backward(); mine:step(); run:log(log)
--     end
-- @module laterna.gan.judge
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local given = require "laterna.gan.given"
local nn = require "laterna.nn"

local DELTA, MOST = 1e-6, 1e4 -- of lambda

-- What else a painter is told in this step; not in a field, where a detail would be one of its parameters.
local asked = setmetatable({}, { __mode = "k" })

-- A generator of captions alone, as lt.gan knows them, that asks the model.
local Painter = nn.class("Painter", function(self, model, options)
  self.model, self.options = model, options
end)

function Painter:forward(_, told)
  local cond, options = asked[self] or {}, self.options
  if cond.generator and not options.generator and not options.seed then
    options = { generator = cond.generator }
    for key, v in pairs(self.options) do options[key] = v end
  end
  local text = told.pooled and told or nil
  local n = text and text.pooled:size(1) or told.n
  return self.model:rsample({ n = n, text = text, detail = cond.detail }, options)
end

local function is_part(v)
  local ok = type(v) == "boolean" or type(v) == "number" and v >= 0 and v <= 1
  return ok, "true, false or a number from 0 to 1"
end

local function is_last(v)
  return check.is(v, "tensor") and v.requires_grad and v.is_leaf, "a parameter that requires a gradient"
end

local GAME = { "loss", "r1", "r2", "gradient_penalty", "penalty_every", "negative_weight", "negatives", "augment" }

-- Every option of lt.gan that is passed on is checked there.
local function read(options)
  local known = {
    critic = { given.is_critic, required = true }, weight = { given.is_weight, 1 }, features = { is_part, false },
    last = is_last, base = "callable", rsample = { "table", {} },
  }
  for _, key in ipairs(GAME) do known[key] = function() return true end end
  return check.options("judge", 2, options, known)
end

local function plain(t)
  local out = {}
  for key, v in next, t do out[key] = v end
  return out
end

--- A judge: `lt.gan.judge(model, options)`, a module that holds model and critic.
-- @function judge
-- @tparam module model a family: `paint(cond, options)`, recorded, and `loss(x, cond)`
-- @tparam table options
--
--  - critic: from lt.gan.Critic
--  - weight=1: of the critic's part, a number or a function of the call of `loss`, counted from 1
--  - last: a parameter; makes the weight adaptive
--  - features=false: true for the critic's features as the reconstruction error of a model that takes cond.likelihood
--    (vae, lt.autoencoder); or the part of it, 0 to 1, the rest being the model's own
--  - base: function(x, cond, model) -> loss, log in place of the model's own loss
--  - paint: options of the model's paint, {steps = 1}
--  - loss, r1, r2, gradient_penalty, penalty_every, wrong, negatives, augment: as for lt.gan
-- @treturn judge
local Judge = nn.class("judge", function(self, model, options)
  if not nn.is_module(model) or type(model.rsample) ~= "function" then
    check.fail("judge", 1, "model: expected a family that can paint and be recorded, got %s", check.describe(model))
  end
  local o = read(options)
  if not o.base and type(model.loss) ~= "function" then
    check.fail("judge", 2, "option base is missing, and the model has no loss of its own")
  end
  self.model, self.critic, self.base = model, o.critic, o.base
  self.weight, self.last = o.weight, o.last
  self.features = o.features == true and 1 or o.features or 0
  if self.features > 0 and o.base then check.fail("judge", 2, "features: with base the error is the script's own") end
  local game = { generator = Painter(model, plain(o.rsample)), critic = o.critic, text = model.text, detail = 0 }
  for _, key in ipairs(GAME) do game[key] = o[key] end
  self.play = require "laterna.gan"(game) -- which has this module in its table, so it is asked for late
  self.calls = core.zeros(1, { dtype = "int32" })
end)

-- The reconstruction error in a critic's eyes: (out, x, the model's likelihood) -> (n), nats but for a constant.
local function in_features(self, cond, log)
  local likelihood = self.critic:likelihood({ text = cond.text }, { part = self.features })
  return function(out, x, own)
    local nll, seen = likelihood(out, x, own)
    log.asked, log.features = true, seen:mean():item()
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
  if self.features == 0 then return self.model:loss(x, cond) end
  local told, seen = plain(cond), {}
  told.likelihood = in_features(self, cond, seen)
  local loss, log = self.model:loss(x, told)
  if not seen.asked then check.fail("loss", nil, "features: this model takes no cond.likelihood") end
  log.features = seen.features
  return loss, log
end

local function slope(name, loss, last)
  local g = loss.requires_grad and core.grad(loss, { last }, { retain_graph = true })[1]
  if not g then check.fail("loss", nil, "last: %s does not depend on it", name) end
  return g:norm():item()
end

local function ready(fname, self, x, cond)
  condition.pictures(fname, x)
  cond = check.type(fname, 2, "cond", cond, "table|nil") or {}
  if type(cond.text) == "table" and cond.text.pooled then
    check.fail(fname, 2, "cond.text: expected captions as strings, for model and critic each read them")
  end
  asked[self.play.generator] = { detail = cond.detail, generator = cond.generator }
  return cond, { n = x:size(1), text = cond.text, generator = cond.generator }
end

--- What the model minimises: a scalar, and numbers to log (the model's own; judged: the critic's part, unweighted;
-- fooled: the part of the painted pictures that the critic takes for real; weight: what it was weighted with;
-- features). No gradient reaches the critic.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text, as strings; detail, given to the model for both parts; generator; and what the model's
-- own loss takes besides
-- @treturn Tensor
-- @treturn table
function Judge:loss(x, cond)
  local told
  cond, told = ready("loss", self, x, cond)
  local call, weight = self.calls:item() + 1, self.weight
  if type(weight) ~= "number" then weight = check.number("loss", nil, "weight", weight(call), 0, math.huge) end
  local own, log = own_loss(self, x, cond)
  local judged, said = self.play:loss(x, told)
  if self.last and weight > 0 then
    local size = slope("the model's own loss", own, self.last)
    weight = weight * math.min(MOST, size / (slope("what is painted", judged, self.last) + DELTA))
  end
  self.calls:copy_(core.tensor({ call }, { dtype = "int32" }))
  asked[self.play.generator] = nil
  log.judged, log.fooled, log.weight = said.loss, said.fooled, weight
  return own + judged * weight, log
end

--- What the critic minimises, and its log: see gan:critic_loss. The model is asked, but not taught.
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond as for loss
-- @treturn Tensor
-- @treturn table
function Judge:critic_loss(x, cond)
  local _, told = ready("critic_loss", self, x, cond)
  local loss, log = self.play:critic_loss(x, told)
  asked[self.play.generator] = nil
  return loss, log
end

return Judge
