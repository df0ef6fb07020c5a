--- The critic: a network that scores picture and caption together, high where the picture is real and the caption is
-- its own, with a text encoder of its own.
--
--     local critic = lt.gan.Critic { net = net, text = lt.text.Encoder(captions) }
--     local scores = critic(x, { text = captions })
--     local scores = critic:match(pictures, captions)                 -- once trained: how well each pair fits
--     local order = critic:rank(pictures, { "ankle boot", "bag" })    -- the best caption of each picture first
-- @module laterna.gan.critic
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local evaluation = require "laterna.evaluation"
local gan_check = require "laterna.gan.check"
local nn = require "laterna.nn"
local walk = require "laterna.nn.walk"

--- A critic: `Critic(options)`; called as `critic(x, cond)`, x (n,h,w,c) or (n,d), cond {text, detail}: scores (n).
-- @function Critic
-- @tparam table options
--
--  - net: module, (x, cond) -> scores (n) or (n,1), cond nil or {tokens, mask, pooled, detail}
--  - text: a text encoder; without one captions are ignored
-- @treturn Critic
local Critic = nn.class("Critic", function(self, options)
  local o = check.options("Critic", 1, options, { net = { nn.module_rule, required = true }, text = nn.module_rule })
  self.net, self.text = o.net, o.text
end)

Critic.no_blocks = true -- gradient penalties differentiate its gradients

local KEYS = condition.keys()

-- The condition as the net takes it, read with the critic's own encoder.
local function inputs(fname, self, cond, n)
  return condition.read(fname, 2, cond, KEYS, n):inputs(self.text)
end

function Critic:forward(x, cond)
  local n = gan_check.examples("Critic", 1, "x", x):size(1)
  return gan_check.scores("Critic", self.net(x, inputs("Critic", self, cond, n)), n)
end

--- The scores, and what the network saw on the way.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text, detail
-- @treturn Tensor (n)
-- @treturn {Tensor,...} feature maps
-- @treturn ?Tensor (n,c), what the score is made of, from nets that say so (nn.Critic)
function Critic:features(x, cond)
  local n = gan_check.examples("features", 1, "x", x):size(1)
  if type(self.net.features) ~= "function" then
    check.fail("features", nil, "self: this critic's net gives no features")
  end
  local scores, maps, pooled = self.net:features(x, inputs("features", self, cond, n))
  return gan_check.scores("features", scores, n), maps, pooled
end

--- Scores of the same pictures with several captions each. A net that has such a function itself looks at the pictures
-- once for all of them.
-- @tparam Tensor x (n,h,w,c)
-- @tparam {table,...} conds plain conditions, {text, detail}
-- @treturn {Tensor,...} (n) for each
function Critic:scores(x, conds)
  local n = gan_check.examples("scores", 1, "x", x):size(1)
  local all, list = {}, {}
  for i = 1, rawlen(check.type("scores", 2, "conds", conds, "table")) do
    all[i] = inputs("scores", self, rawget(conds, i), n) or {}
  end
  local net = self.net
  if type(net.scores) == "function" then
    list = check.type("scores", nil, "what net:scores gave", net:scores(x, all), "table")
  end
  for i, c in ipairs(all) do list[i] = gan_check.scores("scores", list[i] or net(x, c), n) end
  return list
end

local function readable(fname, self)
  if not self.text then check.fail(fname, nil, "self: this critic reads no captions") end
end

local function is_list(v, kind)
  local n = type(v) == "table" and rawlen(v) or 0
  for i = 1, n do
    if type(rawget(v, i)) ~= kind then return false end
  end
  return n > 0
end

--- How well each picture fits its caption: scores, to be compared with each other. Evaluation mode, nothing recorded.
-- @tparam Tensor pictures (n,h,w,c)
-- @tparam {string,...} captions n of them
-- @treturn Tensor (n)
function Critic:match(pictures, captions)
  local n = gan_check.examples("match", 1, "pictures", pictures):size(1)
  readable("match", self)
  if not is_list(captions, "string") or rawlen(captions) ~= n then
    check.fail("match", 2, "captions: expected a list of %d strings", n)
  end
  return evaluation.quietly(self, self.forward, self, pictures, { text = captions })
end

-- The k-th candidate of each of the pictures first..last.
local function column(captions, k, first, last)
  local list = {}
  for i = first, last do
    local own = rawget(captions, i)
    list[#list + 1] = type(rawget(captions, 1)) == "table" and rawget(own, k) or rawget(captions, k)
  end
  return list
end

local function candidates(captions, n)
  if is_list(captions, "string") then return rawlen(captions) end
  local ok = is_list(captions, "table") and rawlen(captions) == n
  local m = ok and rawlen(rawget(captions, 1))
  for i = 1, ok and n or 0 do
    local own = rawget(captions, i)
    ok = ok and is_list(own, "string") and rawlen(own) == m
  end
  if not ok then
    check.fail("rank", 2, "captions: expected a list of strings, or %d lists of as many strings each", n)
  end
  return m
end

--- Ranks captions for pictures. Evaluation mode, nothing recorded.
-- @tparam Tensor pictures (n,h,w,c)
-- @tparam table captions m candidates for all pictures, or n lists of m each
-- @tparam[opt] table options batch=100, pictures at a time
-- @treturn Tensor (n,m) int32: positions in the list of candidates, the one that fits best first
-- @treturn Tensor (n,m) the scores, in the order of the candidates
function Critic:rank(pictures, captions, options)
  local n = gan_check.examples("rank", 1, "pictures", pictures):size(1)
  readable("rank", self)
  local m = candidates(captions, n)
  local o = check.options("rank", 3, options, { batch = { "integer", 100, min = 1 } })
  local parts = {}
  for first = 1, n, o.batch do
    local last = math.min(first + o.batch - 1, n)
    local part, columns = pictures:narrow(1, first, last - first + 1), {}
    for k = 1, m do columns[k] = { text = column(captions, k, first, last) } end
    columns = evaluation.quietly(self, self.scores, self, part, columns)
    parts[#parts + 1] = core.stack(columns, 2)
  end
  local scores = core.cat(parts)
  return scores:argsort(2, { descending = true }), scores
end

local DELTA = 1e-6 -- of what there is to see
local LEAST = 1e-8 -- of a relative error

local function relative(again, map)
  return ((again - map):square():mean() / (map:square():mean() + DELTA) + LEAST):log()
end

-- Tables without tensors below them are shared, not copied.
local function without_gradients(v, made)
  if check.is_tensor(v) then return v.requires_grad and v.is_leaf and v:detach() or v end
  if not (walk.is_module(v) or type(v) == "table" and getmetatable(v) == nil) then return v end
  if made[v] ~= nil then return made[v] end
  local out, changed = {}, false
  made[v] = out
  for key, inner in next, v do
    out[key] = without_gradients(inner, made)
    changed = changed or not rawequal(out[key], inner)
  end
  if not changed then
    made[v] = v
    return v
  end
  return setmetatable(out, getmetatable(v))
end

--- The same critic, with the same numbers in the same memory, whose parameters want no gradient: what the generator is
-- judged by. Nothing of its loss reaches the critic, and backward spares the work.
-- @treturn Critic
function Critic:frozen_view()
  return without_gradients(self, {})
end

--- How far painted pictures are from x in this critic's eyes: the reconstruction error of VAE-GAN (Larsen et al. 2016,
-- arXiv 1512.09300), relative to what there is to see. The mean over the critic's feature maps f of
--
--   log (|f(x) - f(x^)|^2 / |f(x)|^2)
--
-- is, but for a constant and a factor 1/2, a Gaussian's negative log-likelihood of a number whose variance is the error
-- itself (optimal sigma-VAE: Rybkin et al. 2021, arXiv 2006.13202). Gradients reach the painted pictures; ask a
-- frozen_view, so that they end there.
-- @tparam Tensor x (n,h,w,c)
-- @tparam Tensor painted like x
-- @tparam[opt] table cond text
-- @tparam[opt=0] number pooled_part the part, 0 to 1, of what the score is made of in place of the maps
-- @treturn Tensor a scalar
function Critic:feature_error(x, painted, cond, pooled_part)
  local _, real, pooled = core.no_grad(self.features, self, x, cond)
  local _, again, pooled_again = self:features(painted, cond)
  if #check.type("features", nil, "what the critic's net saw", real, "table") == 0 then
    check.fail("features", nil, "self: this critic's net gives no features")
  end
  pooled_part = pooled_part or 0
  if pooled_part > 0 and not pooled then
    check.fail("features", nil, "pooled_part: this critic's net does not say what its score is made of")
  end
  local sum = 0
  for i, map in ipairs(real) do sum = sum + relative(again[i], map) end
  sum = sum * ((1 - pooled_part) / #real)
  return pooled_part > 0 and sum + relative(pooled_again, pooled) * pooled_part or sum
end

--- A reconstruction error in this critic's eyes, for lt.vae's cond.likelihood, alone or through an autoencoder: what a
-- critic that has learned to read captions sees are the things that captions name, and few pixels may show them. Pixels
-- would rather have every cloud right.
--
--     cond.likelihood = critic:likelihood({ text = captions }, { part = 0.5 })
--     local loss = vae:loss(x, cond)
--
-- @tparam[opt] table cond text, of the pictures to come, for a critic that reads them where it looks
-- @tparam[opt] table options part=1: of the error, 0 to 1; the rest is that of the model's own likelihood.
-- pooled_part=0: of the critic's part, 0 to 1, what its score is made of, in place of its feature maps: where things
-- are, to the pixel, counts for less there than what they are
-- @treturn function (out, x, the model's likelihood) -> (n), nats but for a constant (feature_error); and the part that
-- is the critic's, a tensor. Gradients reach out, not the critic
function Critic:likelihood(cond, options)
  check.type("likelihood", 1, "cond", cond, "table|nil")
  local o = check.options("likelihood", 2, options,
    { part = { "number", 1, min = 0, max = 1 }, pooled_part = { "number", 0, min = 0, max = 1 } })
  local part, frozen = o.part, self:frozen_view()
  return function(out, x, own)
    local d = x:flatten(2):size(2)
    local by_features = (frozen:feature_error(x, own:mean(out), cond, o.pooled_part) * (d / 2)):expand(x:size(1))
    return part == 1 and by_features or by_features * part + own(out, x) * (1 - part), by_features
  end
end

return Critic
