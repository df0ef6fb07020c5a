--- The game between whoever paints and a critic: the losses of both sides, from pictures that have been painted. What
-- plays it is a module with the fields that `setup` gives it: lt.gan, whose generator paints, or lt.gan.judge, where
-- any family does.
-- @module laterna.gan.game
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local gan_check = require "laterna.gan.check"
local journal = require "laterna.journal"
local penalties = require "laterna.gan.penalties"
local watch = require "laterna.gan.watch"

local game = {}

local PENALTIES = { "r1", "r2", "gradient_penalty" }

--- The options of the game, for check.options; laterna.gan says what they mean.
game.options = {
  critic = { gan_check.is_critic, required = true }, loss = { gan_check.is_loss, "relativistic" },
  r1 = gan_check.is_weight, r2 = gan_check.is_weight, gradient_penalty = gan_check.is_weight,
  penalty_every = { "integer", 1, min = 1 }, negative_weight = { "number", min = 0 },
  negatives = { "integer", 1, min = 1, max = 1024 }, augment = "callable",
}

--- Gives a module the fields of a player.
-- @tparam module self
-- @tparam table o options that have been checked
function game.setup(self, o)
  self.critic, self.game, self.penalty_every = o.critic, gan_check.loss(o.loss), o.penalty_every
  self.augmentation, self.weights = o.augment, {}
  for _, name in ipairs(PENALTIES) do self.weights[name] = o[name] or self.game[name] or 0 end
  self.negative_weight, self.negatives = o.negative_weight or o.critic.text and 1 or 0, o.negatives
  if self.negative_weight > 0 and not o.critic.text then
    check.fail("gan", 1, "negative_weight: this critic reads no captions")
  end
  self.calls = core.zeros(1, { dtype = "int32" }) -- saved with the weights: which calls have penalties depends on it
end

local function augmented(self, x)
  if not self.augmentation then return x end
  return gan_check.examples("gan", nil, "what augment gave", self.augmentation(x))
end

--- What the painting side minimises. No gradient reaches the critic.
-- @tparam table self a player
-- @tparam ?Tensor x real pictures; nil where the loss is not paired
-- @tparam Tensor painted recorded
-- @tparam Condition cond
-- @treturn Tensor a scalar
-- @treturn table numbers to log: fooled
-- @treturn Tensor the scores of the painted pictures
function game.generator_loss(self, x, painted, cond)
  local critic, captions = self.critic:frozen_view(), cond:bare()
  captions:encode(critic.text) -- once, for real and painted pictures
  local real = self.game.paired and core.no_grad(function() return critic(augmented(self, x), captions) end) or nil
  local fake = critic(augmented(self, painted), captions)
  local boundary = self.game.boundary
  boundary = boundary ~= "middle" and boundary or real and watch.boundary(boundary, real, fake)
  return self.game.generator(real, fake), { fooled = boundary and watch.above(fake, boundary) or nil }, fake
end

-- The weight of a penalty in this call.
local function weight(self, name, call)
  local w = self.weights[name]
  if type(w) ~= "number" then w = check.number("critic_loss", nil, name, w(call), 0, math.huge) end
  return w
end

-- Pictures as a leaf where a penalty needs their gradient.
local function leaf(x, wanted)
  x = x:detach()
  return wanted and x:requires_grad_(true) or x
end

-- The penalties of this call, as one number to be added; notes their gradient norms.
local function penalty(self, sides, captions, call, generator, log)
  local sum
  local function add(name, w, value, squared)
    local part = value * (w * self.penalty_every)
    sum = sum and sum + part or part
    log[name] = core.no_grad(function() return squared:sqrt():mean():item() end)
  end
  for _, side in ipairs(sides) do
    if side.weight > 0 then
      local squared = penalties.squared_norms(side.scores, side.x)
      add("gradient_" .. side.name, side.weight / 2, squared:mean(), squared)
    end
  end
  local w = #sides == 2 and weight(self, "gradient_penalty", call) or 0
  if w > 0 then
    local value, squared = penalties.gradient_penalty(function(y) return self.critic(augmented(self, y), captions) end,
      sides[1].x:detach(), sides[2].x:detach(), { generator = generator })
    add("gradient_between", w, value, squared)
  end
  return sum
end

-- The list of negatives of the k-th round: those that the caller lists come first.
local function listed(cond, k)
  local list = cond.negatives
  if type(list) == "table" and type(rawget(list, 1)) == "table" then return rawget(list, k) end
  return k == 1 and list or nil
end

-- Scores of real pictures with their own captions; and a list of {negative (m,k), positive (m), share}: scores of
-- pictures with captions that are not theirs, and with their own; their part of all. Pictures are looked at once where
-- the critic can, and all have a negative.
local function judge_real(fname, self, x, cond)
  local captions = cond:bare()
  local all, few = { captions }, {}
  for k = 1, self.negative_weight > 0 and self.critic.text and cond.text and self.negatives or 0 do
    local rows, other = condition.negatives(fname, 2, captions:with { generator = cond.generator }, listed(cond, k))
    other = other and other:bare()
    if other and #rows == cond.n then all[#all + 1] = other elseif other then few[#few + 1] = { rows, other } end
  end
  local scores, sides = self.critic:scores(x, all), {}
  local real = table.remove(scores, 1)
  if #scores > 0 then sides[1] = { negative = core.stack(scores, 2), positive = real } end
  for _, one in ipairs(few) do
    local rows = core.tensor(one[1], { dtype = "int32" })
    sides[#sides + 1] = { negative = self.critic(x:detach():index_select(1, rows), one[2]):unsqueeze(2),
                          positive = real:index_select(1, rows) }
  end
  for _, side in ipairs(sides) do side.share = side.negative:size(2) / (#scores + #few) end
  return real, sides
end

-- The critic's loss of its scores of negatives: the mean over them, or what the loss says of all at once.
local function negative_loss(self, sides)
  local sum, loss = 0, self.game
  for _, side in ipairs(sides) do
    local share = self.negative_weight * side.share
    if loss.ranking then
      sum = sum + loss.ranking(side.positive, side.negative) * share
    else
      local count = side.negative:size(2)
      for k = 1, count do
        sum = sum + loss.critic(side.positive, side.negative:narrow(2, k, 1):squeeze(2)) * (share / count)
      end
    end
  end
  return sum
end

local function note(self, real, fake, sides, log)
  local boundary = watch.boundary(self.game.boundary, real, fake)
  log.accuracy_real = watch.above(real, boundary)
  log.accuracy_painted = 1 - watch.above(fake, boundary)
  for _, side in ipairs(sides) do
    log.accuracy_negatives = (log.accuracy_negatives or 0) + (1 - watch.above(side.negative, boundary)) * side.share
  end
  local a = self.augmentation
  if type(a) == "table" and type(a.update) == "function" then a:update(real:detach() - boundary) end
end

-- The number of this call, and whether it goes without penalties.
local function begin(self)
  local call = self.calls:item() + 1
  return call, (call - 1) % self.penalty_every ~= 0
end

local function count(self, call)
  journal.note(self.calls)
  self.calls:copy_(core.tensor({ call }, { dtype = "int32" }))
end

--- What the critic minimises for real pictures alone: see Gan:reading_loss.
-- @tparam table self a player
-- @tparam Tensor x
-- @tparam Condition cond text, negatives, generator
-- @treturn Tensor a scalar
-- @treturn table
function game.reading_loss(self, x, cond)
  local call, lazy = begin(self)
  if self.negative_weight == 0 then
    check.fail("reading_loss", nil, "self: it has no weight for negatives, option negative_weight")
  end
  if cond.text == nil then check.fail("reading_loss", 2, "cond.text: expected the captions to be read") end
  local r1, log = lazy and 0 or weight(self, "r1", call), {}
  x = leaf(x, r1 > 0)
  local real, sides = judge_real("reading_loss", self, augmented(self, x), cond)
  if #sides == 0 then check.fail("reading_loss", 2, "cond.text: no picture has a negative, a caption of another") end
  local loss, read = negative_loss(self, sides), 0
  for _, side in ipairs(sides) do
    local best = core.no_grad(function() return side.negative:max(2) end)
    read = read + watch.above(side.positive:detach() - best, 0) * side.share
  end
  local sum = r1 > 0 and penalty(self, { { name = "real", x = x, scores = real, weight = r1 } }, cond:bare(), call,
    cond.generator, log)
  if sum then loss = loss + sum end
  count(self, call)
  log.reading_loss = gan_check.finite(self, "critic", loss, {
    { "pictures x", x }, { "scores of real pictures", real }, { "scores of negatives", sides[1].negative },
    { "gradient penalties", sum },
  })
  log.accuracy_read = read
  return loss, log
end

--- What the critic minimises: see Gan:critic_loss.
-- @tparam table self a player
-- @tparam Tensor x
-- @tparam Tensor painted like x
-- @tparam Condition cond text, negatives, generator
-- @tparam[opt] module painter who painted, where it is not the player's own generator
-- @treturn Tensor a scalar
-- @treturn table
function game.critic_loss(self, x, painted, cond, painter)
  local call, lazy = begin(self)
  local r1, r2 = lazy and 0 or weight(self, "r1", call), lazy and 0 or weight(self, "r2", call)
  x, painted = leaf(x, r1 > 0), leaf(painted, r2 > 0)
  local captions, log = cond:bare(), {}
  local real, sides = judge_real("critic_loss", self, augmented(self, x), cond)
  local fake = self.critic(augmented(self, painted), captions)
  local loss = self.game.critic(real, fake) + negative_loss(self, sides)
  local sum = not lazy and penalty(self, {
    { name = "real", x = x, scores = real, weight = r1 }, { name = "painted", x = painted, scores = fake, weight = r2 },
  }, captions, call, cond.generator, log)
  if sum then loss = loss + sum end
  count(self, call)
  local players = { calls = self.calls, critic = self.critic, generator = painter or self.generator }
  log.critic_loss = gan_check.finite(players, "critic", loss, {
    { "pictures x", x }, { "painted pictures", painted }, { "scores of real pictures", real },
    { "scores of painted pictures", fake }, { "scores of negatives", sides[1] and sides[1].negative },
    { "gradient penalties", sum },
  })
  if log.critic_loss - log.critic_loss == 0 then note(self, real, fake, sides, log) end
  return loss, log
end

return game
