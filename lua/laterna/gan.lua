--- Generative adversarial networks (Goodfellow et al. 2014, arXiv 1406.2661), conditioned on captions: a generator
-- paints, a critic judges picture and caption together, and the two are trained in turns.
--
-- To the critic a real picture with its own caption is real. A painted picture with the caption that it was painted for
-- is not, and neither is a real picture with the caption of another (Reed et al. 2016, arXiv 1605.05396, section 4.1):
--
--   critic:     L(real, painted) + wrong mean L(real, real with a wrong caption), or what L says of all wrong captions
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
--       local cond = { text = batch.captions }
--       local loss, log = gan:critic_loss(batch.x, cond)
--       oc:zero_grad(); loss:backward(); oc:step(); run:log(log)
--       loss, log = gan:loss(batch.x, cond)
--       og:zero_grad(); loss:backward(); og:step(); run:log(log)
--     end
--
-- Neither loss leaves a gradient in the parameters of the other side.
--
-- Where details come from an extractor that has seen the picture, the game alone would not ask that they are heeded.
-- With compare, a weight w, the generator pays besides for what the critic sees in the picture and not in what was
-- painted from its detail (laterna.gan.features): + w mean log (|f(x) - f(painted)|^2 / |f(x)|^2).
-- @module laterna.gan
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local features = require "laterna.gan.features"
local given = require "laterna.gan.given"
local losses = require "laterna.gan.losses"
local nn = require "laterna.nn"
local noise = require "laterna.noise"
local penalties = require "laterna.gan.penalties"
local refuse = require "laterna.gan.refuse"
local watch = require "laterna.gan.watch"

local PENALTIES = { "r1", "r2", "gradient_penalty" }

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
--  - wrong: weight of real pictures with wrong captions; by default 1 where the critic reads captions
--  - negatives=1: how many each picture is shown with. Where captions are projected (nn.Critic) more cost little
--  - variety=0: weight of 1 / how far apart two paintings of the same captions are, a detail's distance for a detail's
--    distance (mode seeking: Mao et al. 2019, arXiv 1903.05628, eq. 3), where generators come to pass over their noise
--  - compare=0: weight of the critic's features of x against those of what was painted, where a detail is given
--  - augment: function x -> x between all pictures and the critic, such as lt.gan.augment; where it has a function
--    update, that gets the scores of real pictures, less the boundary
-- @treturn gan
local Gan = nn.class("gan", function(self, options)
  local o = check.options("gan", 1, options, {
    generator = { nn.module_rule, required = true }, critic = { given.is_critic, required = true },
    text = nn.module_rule, detail = { "integer", required = true, min = 0, max = 1 << 20 },
    loss = { given.is_game, "relativistic" }, r1 = given.is_weight, r2 = given.is_weight,
    gradient_penalty = given.is_weight, penalty_every = { "integer", 1, min = 1 }, negative_weight = { "number", min = 0 },
    negatives = { "integer", 1, min = 1, max = 1024 }, augment = "callable",
    compare = { "number", 0, min = 0, max = 1e9 }, variety = { "number", 0, min = 0, max = 1e9 },
  })
  self.generator, self.critic, self.text, self.detail = o.generator, o.critic, o.text, o.detail
  if o.text and rawequal(o.text, o.critic.text) then
    check.fail("gan", 1, "text: the critic's own encoder; two sides that play against each other cannot share it")
  end
  self.game, self.penalty_every, self.augmentation = given.game(o.loss), o.penalty_every, o.augment
  self.compare, self.variety = o.compare, o.variety
  if o.variety > 0 and o.detail == 0 then check.fail("gan", 1, "variety: this generator has no noise") end
  self.weights = {}
  for _, name in ipairs(PENALTIES) do self.weights[name] = o[name] or self.game[name] or 0 end
  self.negative_weight, self.negatives = o.negative_weight or o.critic.text and 1 or 0, o.negatives
  if self.negative_weight > 0 and not o.critic.text then check.fail("gan", 1, "negative_weight: this critic reads no captions") end
  self.calls = core.zeros(1, { dtype = "int32" }) -- saved with the weights: which calls have penalties depends on it
end)

Gan.losses, Gan.penalties, Gan.watch = losses, penalties, watch
Gan.Critic = require "laterna.gan.critic"
Gan.augment, Gan.judge = require "laterna.gan.augment", require "laterna.gan.judge"

local DRAWN = noise.with { temperature = { "number", 1, min = 0 } }

local function paint(fname, i, self, cond, options)
  local n = condition.count(fname, i, cond)
  local o = check.options(fname, i + 1, options, DRAWN)
  local z = cond and cond.detail
  if self.detail == 0 then
    if z then check.fail(fname, i, "cond.detail: this generator takes none") end
  elseif not z then
    z = noise.draw({ n, self.detail }, noise.source(fname, i + 1, o, n)) * o.temperature
  elseif z:dim() ~= 2 or z:size(1) ~= n or z:size(2) ~= self.detail then
    check.fail(fname, i, "cond.detail: expected (%d,%d), got (%s)", n, self.detail, table.concat(z.shape, ","))
  end
  local told = condition.text(fname, i, self.text, cond, n)
  if not z and not told then told = { n = n } end
  return given.examples(fname, nil, "what the generator painted", self.generator(z, told))
end

-- What the two sides are told in training. Without captions, details or n: as many as there are pictures.
local function asked(cond, n)
  return { n = n, text = cond and cond.text, detail = cond and cond.detail }, { generator = cond and cond.generator }
end

local function augmented(self, x)
  if not self.augmentation then return x end
  return given.examples("gan", nil, "what augment gave", self.augmentation(x))
end

local function like(fname, x, painted)
  local a, b = table.concat(x.shape, ","), table.concat(painted.shape, ",")
  if a ~= b then check.fail(fname, 1, "x: the generator paints (%s), got (%s)", b, a) end
end

-- The paintings that are judged: those of the details that were drawn, for the first pictures, and for the rest what
-- was painted anyway.
local function to_judge(self, painted, cond, n)
  local drawn = cond and cond.drawn
  if not drawn then return painted end
  local k = check.type("loss", 2, "cond.drawn", drawn, "tensor"):size(1)
  if k > n then check.fail("loss", 2, "cond.drawn: %d details for %d pictures", k, n) end
  local text = cond.text
  if type(text) == "table" then text = condition.slice(text, 1, k) end
  local more = paint("loss", 2, self, { n = k, text = text, detail = drawn })
  return k == n and more or core.cat { more, painted:narrow(1, k + 1, n - k) }
end

-- How far apart paintings are, for how far apart the details are that they come from: means of absolute differences.
local function spread(self, painted, told, source)
  local z = core.randn({ #painted, self.detail }, source)
  local other = paint("loss", 2, self, { n = #painted, text = told.text, detail = z })
  return (painted - other):abs():mean() / (told.detail - z):abs():mean()
end

--- What the generator minimises: a scalar, and numbers to log (loss; fooled: the part of the painted pictures that the
-- critic takes for real; compared: the relative error of features; spread: how far apart paintings of the same captions
-- are, for how far apart their details are). The critic's parameters get no gradient. A loss that is not finite is an
-- error that names step and reason.
-- @tparam ?Tensor x (n,h,w,c) in [-1,1], or vectors (n,d); may be nil where the loss is not paired
-- @tparam[opt] table cond text; detail, a z, if it comes from elsewhere; drawn (k,d), details at random, from which
-- what the critic judges is painted for the first k pictures, while x is compared with what the detail makes;
-- generator for draws; n, without x
-- @treturn Tensor
-- @treturn table
function Gan:loss(x, cond)
  local paired = self.game.paired
  if paired or x ~= nil then given.examples("loss", 1, "x", x) end
  check.type("loss", 2, "cond", cond, "table|nil")
  local n = x and x:size(1) or condition.count("loss", 2, cond)
  local mine, source = asked(cond, n)
  local vary = self.variety > 0 and not mine.detail
  if vary then mine.detail = core.randn({ n, self.detail }, source) end
  local painted = paint("loss", 2, self, mine, source)
  if x then like("loss", x, painted) end
  local critic = self.critic:frozen_view()
  local told = { text = core.no_grad(condition.text, "loss", 2, critic.text, condition.unread(cond), n) }
  local judged = to_judge(self, painted, cond, n)
  local real = paired and core.no_grad(function() return critic(augmented(self, x), told) end) or nil
  local fake = critic(augmented(self, judged), told)
  local loss, compared, apart = self.game.generator(real, fake), nil, nil
  if vary then
    apart = spread(self, painted, mine, source)
    loss = loss + self.variety / (apart + 1e-5)
  end
  if self.compare > 0 and x and cond and cond.detail then
    compared = features.error(critic, x, painted, told)
    loss = loss + compared * self.compare
  end
  local v = refuse.look(self, "generator", loss,
    { { "pictures x", x }, { "painted pictures", painted }, { "scores of painted pictures", fake } })
  local boundary = self.game.boundary
  boundary = boundary ~= "middle" and boundary or real and watch.boundary(boundary, real, fake)
  return loss, { loss = v, fooled = boundary and watch.above(fake, boundary) or nil,
    compared = compared and compared:item() or nil, spread = apart and apart:item() or nil }
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
local function penalty(self, sides, told, call, log)
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
    local value, squared = penalties.gradient_penalty(function(y) return self.critic(augmented(self, y), told) end,
      sides[1].x:detach(), sides[2].x:detach(), { generator = told.generator })
    add("gradient_between", w, value, squared)
  end
  return sum
end

-- Captions that are not those of the pictures, as the critic reads them, and for which pictures; nil if there are none.
local function lie(fname, self, told, cond, n)
  local rows, wrong, strings = condition.negatives(fname, 2, cond, n)
  if #rows == 0 then return nil end
  local text = strings and condition.text(fname, 2, self.critic.text, { text = wrong }, #wrong)
    or condition.rows(told.text, core.tensor(wrong, { dtype = "int32" }))
  return rows, { text = text }
end

-- What stands in the place of cond in the k-th round of wrong captions: those that the caller lists come first.
local function round(cond, k)
  local against = cond.negatives
  local lists = type(against) == "table" and type(rawget(against, 1)) == "table"
  if lists then against = rawget(against, k) elseif k > 1 then against = nil end
  return { text = cond.text, negatives = against, generator = cond.generator }
end

-- Scores of real pictures with their own captions; and a list of {wrong (m,k), right (m), share}: scores of pictures
-- with wrong captions, and with their own; their part of all. Pictures are looked at once where the critic can, and
-- all have a wrong caption.
local function judge_real(fname, self, x, told, cond)
  local n, whole, few = x:size(1), { told }, {}
  for k = 1, self.negative_weight > 0 and told.text and cond and cond.text and self.negatives or 0 do
    local rows, text = lie(fname, self, told, round(cond, k), n)
    if rows and #rows == n then whole[#whole + 1] = text elseif rows then few[#few + 1] = { rows, text } end
  end
  local scores, sides = self.critic:scores(x, whole), {}
  local real = table.remove(scores, 1)
  if #scores > 0 then sides[1] = { wrong = core.stack(scores, 2), right = real } end
  for _, one in ipairs(few) do
    local rows = core.tensor(one[1], { dtype = "int32" })
    sides[#sides + 1] = { wrong = self.critic(x:detach():index_select(1, rows), one[2]):unsqueeze(2),
                          right = real:index_select(1, rows) }
  end
  for _, side in ipairs(sides) do side.share = side.wrong:size(2) / (#scores + #few) end
  return real, sides
end

-- What the critic pays for its scores of wrong captions: the mean over them, or what the loss says of all at once.
local function price_of_lies(self, sides)
  local sum, loss = 0, self.game
  for _, side in ipairs(sides) do
    local share = self.negative_weight * side.share
    if loss.ranking then
      sum = sum + loss.ranking(side.right, side.wrong) * share
    else
      local count = side.wrong:size(2)
      for k = 1, count do
        sum = sum + loss.critic(side.right, side.wrong:narrow(2, k, 1):squeeze(2)) * (share / count)
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
    log.accuracy_negatives = (log.accuracy_negatives or 0) + (1 - watch.above(side.wrong, boundary)) * side.share
  end
  local a = self.augmentation
  if type(a) == "table" and type(a.update) == "function" then a:update(real:detach() - boundary) end
end

-- The number of this call, and whether it goes without penalties.
local function begin(self, fname, x, cond)
  local n = given.examples(fname, 1, "x", x):size(1)
  check.type(fname, 2, "cond", cond, "table|nil")
  local call = self.calls:item() + 1
  return n, call, (call - 1) % self.penalty_every ~= 0
end

--- What the critic pays for real pictures alone: for wrong captions, and R1. A critic that has learned to read before
-- the game begins tells the generator from the first step what words mean; in the game, where it must stay smooth, it
-- learns that slowly.
-- @tparam Tensor x (n,h,w,c) in [-1,1], or vectors (n,d)
-- @tparam table cond as for critic_loss
-- @treturn Tensor
-- @treturn table numbers to log: reading_loss; accuracy_read, the part of the pictures whose own caption has the best
-- score of all that they are shown with
function Gan:reading_loss(x, cond)
  local n, call, lazy = begin(self, "reading_loss", x, cond)
  if self.negative_weight == 0 then check.fail("reading_loss", nil, "self: it has no weight for wrong captions, option wrong") end
  if not cond or cond.text == nil then check.fail("reading_loss", 2, "cond.text: expected the captions to be read") end
  local r1, log = lazy and 0 or weight(self, "r1", call), {}
  x, cond = leaf(x, r1 > 0), condition.unread(cond)
  local told = { text = condition.text("reading_loss", 2, self.critic.text, cond, n), generator = cond.generator }
  local real, sides = judge_real("reading_loss", self, augmented(self, x), told, cond)
  if #sides == 0 then check.fail("reading_loss", 2, "cond.text: no picture has a wrong caption") end
  local loss, read = price_of_lies(self, sides), 0
  for _, side in ipairs(sides) do
    local best = core.no_grad(function() return side.wrong:max(2) end)
    read = read + watch.above(side.right:detach() - best, 0) * side.share
  end
  local price = r1 > 0 and penalty(self, { { name = "real", x = x, scores = real, weight = r1 } }, told, call, log)
  if price then loss = loss + price end
  self.calls:copy_(core.tensor({ call }, { dtype = "int32" }))
  log.reading_loss = refuse.look(self, "critic", loss, {
    { "pictures x", x }, { "scores of real pictures", real }, { "scores of wrong captions", sides[1].wrong },
    { "gradient penalties", price },
  })
  log.accuracy_read = read
  return loss, log
end

--- What the critic minimises: a scalar, and numbers to log (critic_loss; accuracy_real, accuracy_painted,
-- accuracy_negatives: right judgements of the kinds of pairs, 0 to 1; gradient_real, gradient_painted, gradient_between:
-- mean norms, where there was a penalty). The generator is asked, in training mode, but not taught. A loss that is not
-- finite is an error that names step and reason.
-- @tparam Tensor x (n,h,w,c) in [-1,1], or vectors (n,d)
-- @tparam[opt] table cond text; against, a list of wrong captions, where those of others of the batch would be too
-- easily seen through (false: none for this picture), or a list of such lists, which are taken before others; detail, a
-- z, if it comes from elsewhere; generator for all draws
-- @treturn Tensor
-- @treturn table
function Gan:critic_loss(x, cond)
  local n, call, lazy = begin(self, "critic_loss", x, cond)
  local r1, r2 = lazy and 0 or weight(self, "r1", call), lazy and 0 or weight(self, "r2", call)
  local painted = core.no_grad(paint, "critic_loss", 2, self, asked(cond, n))
  like("critic_loss", x, painted)
  x, painted = leaf(x, r1 > 0), leaf(painted, r2 > 0)
  cond = condition.unread(cond)
  local text = condition.text("critic_loss", 2, self.critic.text, cond, n)
  local told, shown, log = { text = text, generator = cond and cond.generator }, augmented(self, x), {}
  local real, sides = judge_real("critic_loss", self, shown, told, cond)
  local fake = self.critic(augmented(self, painted), told)
  local loss = self.game.critic(real, fake) + price_of_lies(self, sides)
  local price = not lazy and penalty(self, {
    { name = "real", x = x, scores = real, weight = r1 }, { name = "painted", x = painted, scores = fake, weight = r2 },
  }, told, call, log)
  if price then loss = loss + price end
  self.calls:copy_(core.tensor({ call }, { dtype = "int32" }))
  log.critic_loss = refuse.look(self, "critic", loss, {
    { "pictures x", x }, { "painted pictures", painted }, { "scores of real pictures", real },
    { "scores of painted pictures", fake }, { "scores of wrong captions", sides[1] and sides[1].wrong },
    { "gradient penalties", price },
  })
  note(self, real, fake, sides, log)
  return loss, log
end

--- Pictures (n,h,w,c) in [-1,1] from captions and details, or vectors as they come; the detail is drawn from N(0, I)
-- where it is not given. Painted in evaluation mode, nothing recorded.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the drawn detail: less variety, more likely pictures); seed: example
-- i has its own generator, seeded with seed + i - 1; seeds: the same with a list; generator: one for all
-- @treturn Tensor
function Gan:sample(cond, options)
  local x = condition.quietly(self, paint, "sample", 1, self, cond, options)
  return x:dim() == 4 and x:clamp(-1, 1) or x
end

--- The same in training mode and recorded, not clamped, so that whoever judges the pictures can teach the generator.
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor
function Gan:rsample(cond, options)
  return paint("rsample", 1, self, cond, options)
end

--- The parameters of the generator and its text encoder, for its optimizer; the critic's are gan.critic:parameters().
-- @treturn {tensor,...}
function Gan:generator_parameters()
  local list, seen = {}, {}
  for _, module in ipairs { self.generator, self.text } do
    for _, p in ipairs(module:parameters()) do
      if not seen[p] then list[#list + 1], seen[p] = p, true end
    end
  end
  return list
end

return Gan
