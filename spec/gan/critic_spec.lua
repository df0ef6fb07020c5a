-- The critic that reads captions: matching and ranking, wrong captions in training, and its twin without gradients.
local condition = require "laterna.condition"
local core = require "laterna.core"
local Critic = require "laterna.gan.critic"
local fails = require "spec.support.fails"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local TextEncoder = require "laterna.text.encoder"

local WORDS = { "red", "green", "blue" }

-- Pictures of one colour each, and the colours' names; the score is a bilinear form of picture and caption.
local Net = nn.class("ColourCritic", function(self) self.seen, self.told = nn.Linear(3, 8), nn.Linear(8, 8) end)
function Net:forward(x, cond)
  return (self:look(x) * self.told(cond.pooled)):sum(2)
end
function Net:look(x) return self.seen(x:mean { 2, 3 }) end
function Net:features(x, cond) return self(x, cond), { self:look(x) } end

local function critic() return Critic { net = Net(), text = TextEncoder(WORDS, { dim = 8, depth = 0, heads = 1 }) } end

local function batch(n)
  local names, rows = {}, {}
  for i = 1, n do
    local k = i % 3 + 1
    names[i], rows[i] = WORDS[k], { k == 1 and 1 or -1, k == 2 and 1 or -1, k == 3 and 1 or -1 }
  end
  return core.tensor(rows):view(n, 1, 1, 3):expand(n, 2, 2, 3) + core.randn(n, 2, 2, 3) * 0.1, names
end

local Grey = nn.class("Grey", function(self) self.level = core.zeros(1) end)
function Grey:forward(z) return (self.level * core.ones(z:size(1), 2, 2, 3)) end

local function colours(more)
  local options = { generator = Grey(), critic = critic(), detail = 1, loss = "relativistic", r1 = 0.1, r2 = 0.1 }
  for key, v in pairs(more or {}) do options[key] = v end
  return Gan(options)
end

-- The part of the pictures whose own name comes first among all.
local function first_right(judge)
  local x, names = batch(60)
  local order, right = judge:rank(x, WORDS, { batch = 7 }), 0
  for i, name in ipairs(names) do right = right + (WORDS[order[i][1]:item()] == name and 1 or 0) end
  return right / #names
end

describe("a critic that reads captions", function()
  it("learns from wrong captions which one fits, on pictures that it has not seen too", function()
    core.manual_seed(4)
    local gan = colours()
    assert.is_true(first_right(gan.critic) < 0.9)
    local optimizer = optim.Adam(gan.critic:parameters(), { lr = 0.01 })
    for _ = 1, 80 do
      local x, names = batch(24)
      local loss = gan:critic_loss(x, { text = names })
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    assert.equal(1, first_right(gan.critic))
    local x, names = batch(12)
    local found = Gan.watch.held_out(gan, x, { text = names })
    assert.equal(1, found.held_real)
    assert.equal(1, found.held_negatives)
  end)

  it("matches pairs, and ranks candidates of each picture's own", function()
    local judge = critic()
    local x, names = batch(4)
    local scores = judge:match(x, names)
    assert.same({ 4 }, scores.shape)
    assert.is_false(scores.requires_grad)
    assert.is_true(judge.training)
    local order, all = judge:rank(x, WORDS)
    assert.same({ 4, 3 }, order.shape)
    for i = 1, 4 do
      assert.near(scores[i]:item(), all[i][i % 3 + 1]:item(), 1e-6)
      for k = 1, 2 do
        assert.is_true(all[i][order[i][k]:item()]:item() >= all[i][order[i][k + 1]:item()]:item())
      end
    end
    local own = {}
    for i = 1, 4 do own[i] = { names[i], "red" } end
    local _, pairs_of = judge:rank(x, own, { batch = 3 })
    assert.same({ 4, 2 }, pairs_of.shape)
    for i = 1, 4 do
      assert.near(scores[i]:item(), pairs_of[i][1]:item(), 1e-6)
      assert.near(all[i][1]:item(), pairs_of[i][2]:item(), 1e-6)
    end
  end)

  it("says of several captions at once what it says of each, whether its net can look once or not", function()
    core.manual_seed(6)
    local judge, looks = critic(), 0
    local x, names = batch(4)
    local conds = { { text = names }, { text = { "blue", "blue", "red", "green" } } }
    local each = { judge(x, conds[1]), judge(x, conds[2]) }
    local function agrees()
      local both = judge:scores(x, conds)
      assert.equal(2, #both)
      for k, scores in ipairs(both) do assert.same(each[k]:totable(), scores:totable()) end
    end
    agrees()
    function judge.net:scores(pictures, told)
      local seen, list = self:look(pictures), {}
      looks = looks + 1
      for k, c in ipairs(told) do list[k] = (seen * self.told(c.pooled)):sum(2) end
      return list
    end
    agrees()
    assert.equal(1, looks)
    judge:rank(x, WORDS)
    assert.equal(2, looks)
    -- In training too: the same loss as without.
    local gan = colours { critic = judge }
    local function loss()
      local cond = { text = names, detail = core.zeros(4, 1), generator = core.generator(3) }
      return gan:critic_loss(x, cond):item()
    end
    local once = loss()
    assert.equal(3, looks)
    judge.net.scores = nil
    assert.near(once, loss(), 1e-5)
    judge.net.scores = function() return {} end
    assert.equal(2, #judge:scores(x, conds)) -- a net that gives none is asked for each
    judge.net.scores = function() return 3 end
    fails("what net:scores gave: expected table", judge.scores, judge, x, conds)
  end)

  it("adds what it says of wrong captions to its loss", function()
    core.manual_seed(5)
    local gan = colours { negative_weight = 0.5, r1 = 0, r2 = 0, loss = "hinge" }
    local x, z = batch(3), core.zeros(3, 1)
    local loss, log = gan:critic_loss(x, { text = { "red", "blue", "red" }, detail = z, generator = core.generator(3) })
    -- The first and third see the blue caption; the second one of the two red ones.
    local judge = gan.critic
    local real, fake = judge(x, { text = { "red", "blue", "red" } }), judge(gan:rsample { detail = z },
      { text = { "red", "blue", "red" } })
    local wrong = judge(x, { text = { "blue", "red", "blue" } })
    local hinge = gan.game.critic
    assert.near(hinge(real, fake):item() + 0.5 * hinge(real, wrong):item(), loss:item(), 1e-5)
    local right = 0
    for i = 1, 3 do right = right + (wrong[i]:item() <= 0 and 1 or 0) end
    assert.near(right / 3, log.accuracy_negatives, 1e-6)
  end)

  it("takes wrong captions of the user's choice", function()
    local gan = colours { negative_weight = 0.5, r1 = 0, r2 = 0, loss = "hinge" }
    local x, z, own = batch(3), core.zeros(3, 1), { text = { "red", "blue", "red" } }
    local judge, hinge = gan.critic, gan.game.critic
    local fair = hinge(judge(x, own), judge(gan:rsample { detail = z }, own)):item()
    local function loss(against)
      return gan:critic_loss(x, { text = own.text, detail = z, negatives = against }):item()
    end
    assert.near(fair + 0.5 * hinge(judge(x, own), judge(x, { text = { "blue", "red", "blue" } })):item(),
      loss { "blue", "red", "blue" }, 1e-5)
    local third = x:narrow(1, 3, 1)
    assert.near(fair + 0.5 * hinge(judge(third, { text = { "red" } }), judge(third, { text = { "blue" } })):item(),
      loss { false, "blue", "blue" }, 1e-5)
    assert.near(fair, loss { false, false, "red" }, 1e-5)
    gan = colours { negative_weight = 0.5, negatives = 2, r1 = 0, r2 = 0, loss = "hinge", critic = judge }
    local seen = x:index_select(1, core.tensor({ 2, 3 }, { dtype = "int32" }))
    local lies = hinge(judge(seen, { text = { "blue", "red" } }), judge(seen, { text = { "red", "blue" } }))
      + hinge(judge(x, own), judge(x, { text = { "blue", "red", "blue" } }))
    assert.near(hinge(judge(x, own), judge(gan:rsample { detail = z }, own)):item() + 0.25 * lies:item(),
      gan:critic_loss(x, { text = own.text, detail = z, negatives = { false, "red", "blue" } }):item(), 1e-5)
    fails("cond.negatives: 2 captions for 3 pictures", gan.critic_loss, gan, x,
      { text = own.text, negatives = { "a", "b" } })
    fails("cond.negatives: expected table, got \"red\"", gan.critic_loss, gan, x,
      { text = own.text, negatives = "red" })
  end)

  it("takes several wrong captions a picture, and lets the loss choose among them", function()
    local x, z, own = batch(3), core.zeros(3, 1), { text = { "red", "blue", "red" } }
    local first, second = { "blue", "red", "blue" }, { "red blue", "red red", "blue blue" }
    local cond = { text = own.text, detail = z, negatives = { first, second } }
    local gan = colours { negative_weight = 0.5, negatives = 2, r1 = 0, r2 = 0, loss = "relativistic" }
    local judge, game = gan.critic, gan.game
    local right, fake = judge(x, own), judge(gan:rsample { detail = z }, own)
    local wrong = core.stack({ judge(x, { text = first }), judge(x, { text = second }) }, 2)
    local wanted = game.critic(right, fake):item() + 0.5 * game.ranking(right, wrong):item()
    assert.near(wanted, gan:critic_loss(x, cond):item(), 1e-5)
    cond.negatives = { first, { "red blue", false, "blue blue" } } -- the second picture has one lie less
    local seen = core.tensor({ 1, 3 }, { dtype = "int32" })
    wanted = game.critic(right, fake):item()
      + 0.25 * game.critic(right, judge(x, { text = first })):item()
      + 0.25 * game.critic(right:index_select(1, seen), wrong:index_select(1, seen):narrow(2, 2, 1):squeeze(2)):item()
    assert.near(wanted, gan:critic_loss(x, cond):item(), 1e-5)
    fails("cond.negatives: 1 captions for 3 pictures", gan.critic_loss, gan, x,
      { text = own.text, negatives = { first, { "red" } } })
  end)

  it("pays for paintings of the same captions that are alike", function()
    local x, cond = batch(3), { text = { "red", "blue", "red" } }
    local painter = nn.class("Shade", function(self) self.level = core.full({ 1 }, 0.3) end)()
    function painter:forward(z) return (z * self.level):view(-1, 1, 1, 1):expand(z:size(1), 2, 2, 3) end
    local gan = colours { variety = 0.5, r1 = 0, r2 = 0, loss = "hinge", generator = painter }
    local g = core.generator(4)
    local z = { core.randn(3, 1, { generator = g }), core.randn(3, 1, { generator = g }) }
    local painted = {}
    for i = 1, 2 do painted[i] = gan:rsample { text = cond.text, detail = z[i] } end
    local apart = ((painted[1] - painted[2]):abs():mean() / (z[1] - z[2]):abs():mean()):item()
    cond.generator = core.generator(4)
    local loss, log = gan:loss(x, cond)
    assert.near(apart, log.spread, 1e-6)
    assert.near(gan.critic(painted[1], { text = cond.text }):mean():item() * -1 + 0.5 / apart, loss:item(), 1e-3)
    cond.detail = z[1] -- what comes from elsewhere is not drawn twice
    loss, log = gan:loss(x, cond)
    assert.is_nil(log.spread)
    assert.near(gan.critic(painted[1], { text = cond.text }):mean():item() * -1, loss:item(), 1e-4)
    fails("variety: this generator has no noise", colours, { variety = 1, detail = 0 })
  end)

  it("learns to read before the game: wrong captions and R1 alone", function()
    local x, own = batch(3), { "red", "blue", "red" }
    local lies = { { "blue", "red", "blue" }, { "red blue", "red red", "blue blue" } }
    local gan = colours { negative_weight = 0.5, negatives = 2, r1 = 3, penalty_every = 2, loss = "relativistic" }
    local judge, cond = gan.critic, { text = own, negatives = lies }
    local right = judge(x, { text = own })
    local wrong = core.stack({ judge(x, { text = lies[1] }), judge(x, { text = lies[2] }) }, 2)
    local reading = 0.5 * gan.game.ranking(right, wrong):item()
    local r1 = gan.penalties.r1(judge, x, { text = own }):item()
    local loss, log = gan:reading_loss(x, cond)
    assert.near(reading + 2 * 3 / 2 * r1, loss:item(), 1e-4)
    assert.near(reading, gan:reading_loss(x, cond):item(), 1e-5) -- every second call has no penalty
    local best = 0
    for i = 1, 3 do
      if right[i]:item() > math.max(wrong[i][1]:item(), wrong[i][2]:item()) then best = best + 1 end
    end
    assert.near(best / 3, log.accuracy_read, 1e-6)
    loss:backward()
    for _, p in ipairs(gan.generator:parameters()) do assert.is_nil(p.grad) end
    gan = colours { negative_weight = 0.5, r1 = 0, loss = "hinge", critic = judge }
    assert.near(0.5 * gan.game.critic(right, judge(x, { text = lies[1] })):item(),
      gan:reading_loss(x, { text = own, negatives = lies[1] }):item(), 1e-5)
    fails("bad argument #2 to 'reading_loss' (cond.negatives: 1 captions for 3 pictures)", gan.reading_loss, gan, x,
      { text = own, negatives = { "red" } })
    fails("cond.text: no picture has a negative", gan.reading_loss, gan, x, { text = { "red", "red", "red" } })
    fails("cond.text: expected the captions to be read", gan.reading_loss, gan, x)
    fails("option negative_weight", gan.reading_loss, colours { negative_weight = 0 }, x, { text = own })
  end)

  it("leaves out pictures for which the batch has no other caption", function()
    local gan = colours { r1 = 0, r2 = 0, loss = "hinge" }
    local x, z = batch(3), core.zeros(3, 1)
    local _, log = gan:critic_loss(x, { text = { "red", "red", "red" }, detail = z })
    assert.is_nil(log.accuracy_negatives)
    local one = colours()
    _, log = one:critic_loss(x:narrow(1, 1, 1), { text = { "red" } })
    assert.is_nil(log.accuracy_negatives)
  end)

  it("draws wrong captions from all others", function()
    local names, seen, rounds = { "a", "b", "a", "c" }, {}, 200
    for round = 1, rounds do
      local rows, others = condition.others(names, core.generator(round))
      assert.same({ 1, 2, 3, 4 }, rows)
      for i, j in ipairs(others) do
        assert.is_true(names[i] ~= names[j])
        seen[i .. j] = (seen[i .. j] or 0) + 1
      end
    end
    for _, pair in ipairs { "12", "14", "21", "23", "24", "32", "34", "41", "42", "43" } do
      assert.is_true((seen[pair] or 0) > rounds / 10, pair)
    end
  end)

  it("teaches the generator's text encoder, not its own, through the generator's loss", function()
    local Told = nn.class("Told", function(self) self.fc = nn.Linear(4, 3) end)
    function Told:forward(z, cond)
      return (self.fc(cond.pooled) * z):view(-1, 1, 1, 3):expand(z:size(1), 2, 2, 3)
    end
    local gan = colours { generator = Told(), text = TextEncoder(WORDS, { dim = 4, depth = 0, heads = 1 }) }
    local x, names = batch(3)
    gan:loss(x, { text = names }):backward()
    assert.is_truthy(gan.text.token.weight.grad)
    assert.is_nil(gan.critic.text.token.weight.grad)
    assert.equal(#gan:generator_parameters() + #gan.critic:parameters(), #gan:parameters())
    assert.same({ 2, 2, 2, 3 }, gan:sample({ text = { "red", "blue" } }).shape)
  end)

  it("has a twin of the same numbers that wants no gradient", function()
    local judge = critic()
    judge.net.note = { "kept" }
    local twin = judge:frozen_view()
    local x, names = batch(3)
    assert.same(judge(x, { text = names }):totable(), twin(x, { text = names }):totable())
    assert.is_false(twin(x, { text = names }).requires_grad)
    assert.equal(judge.net.note, twin.net.note)
    judge.net.seen.weight:detach():fill_(0)
    assert.same(judge(x, { text = names }):totable(), twin(x, { text = names }):totable())
    assert.is_true(judge.net.seen.weight.requires_grad)
    local scores, features = judge:features(x, { text = names })
    assert.same({ 3 }, scores.shape)
    assert.same({ 3, 8 }, features[1].shape)
  end)

  it("gives a vae an error in its eyes, and the part of the vae's own that is asked for", function()
    local judge, x, names = critic(), batch(4)
    local out = core.randn(x.shape, { requires_grad = true })
    local own = require("laterna.likelihood").Gaussian()
    local function seen(y) return judge.net:look(y) end
    local error = ((seen(own:mean(out)) - seen(x)):square():mean() / (seen(x):square():mean() + 1e-6) + 1e-8):log()
    local nll, part = judge:likelihood({ text = names })(out, x, own)
    assert.same({ 4 }, nll.shape)
    assert.near(6 * error:item(), nll:mean():item(), 1e-4) -- 12 numbers a picture, and a half
    assert.near(nll:mean():item(), part:mean():item(), 0)
    local mixed = judge:likelihood({ text = names }, { part = 0.25 })(out, x, own):mean()
    assert.near(0.25 * nll:mean():item() + 0.75 * own(out, x):mean():item(), mixed:item(), 1e-3)
    mixed:backward()
    assert.is_true(out.grad:abs():sum():item() > 0)
    assert.is_nil(judge.net.seen.weight.grad)
    fails("part: expected number from 0 to 1, got 2", judge.likelihood, judge, nil, { part = 2 })
    fails("pooled_part: this critic's net does not say what its score is made of",
      judge:likelihood({ text = names }, { pooled_part = 0.5 }), out, x, own)
  end)

  it("compares, where that is asked for, what the score is made of", function()
    local judge = Critic { net = nn.Critic { size = 8, channels = 3, width = 4, multipliers = { 1, 2 } } }
    local x, y = core.randn(2, 8, 8, 3), core.randn(2, 8, 8, 3)
    local own = { mean = function(_, out) return out end }
    local function error(whole) return judge:likelihood(nil, { pooled_part = whole })(y, x, own):mean():item() / 96 end
    local _, maps, a = judge:features(x)
    local _, others, b = judge:features(y)
    local function relative(again, f) return ((again - f):square():mean() / f:square():mean()):log():item() end
    assert.near((relative(others[1], maps[1]) + relative(others[2], maps[2])) / 2, error(0), 1e-3)
    assert.near(relative(b, a), error(1), 1e-3)
    assert.near(0.25 * error(0) + 0.75 * error(1), error(0.75), 1e-3)
    local scores = judge:features(x)
    assert.is_true((scores - judge(x)):abs():max():item() < 1e-6)
  end)

  it("refuses what it cannot compare", function()
    local judge, x = critic(), batch(2)
    fails("captions: expected a list of 2 strings", judge.match, judge, x, { "red" })
    fails("captions: expected a list of strings, or 2 lists of as many strings each", judge.rank, judge, x,
      { { "red" }, { "red", "blue" } })
    local mute = Critic { net = nn.Sequential(nn.Linear(3, 1)) }
    fails("self: this critic reads no captions", mute.match, mute, core.zeros(1, 3), { "red" })
    fails("this critic's net gives no features", mute.features, mute, core.zeros(1, 3))
    fails("the critic's net gave (1,2,2,1), expected scores (1)", mute, core.zeros(1, 2, 2, 3))
    fails("x: expected (n,h,w,c) or (n,d), got (3)", mute, core.zeros(3))
  end)
end)
