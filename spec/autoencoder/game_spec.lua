-- An autoencoder whose generator plays against a critic; several generators that share one extractor.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gan = require "laterna.gan"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local prior = require "laterna.prior"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local SHAPE = { size = 4, channels = 1, width = 8, levels = 1, condition = 8 }
local CAPTIONS = { "dark", "light" }
local function text() return Encoder(CAPTIONS, { dim = 8, depth = 1, heads = 2 }) end
local function extractor() return nn.Extractor { size = 4, width = 8, levels = 1, detail = 2, text = 8, heads = 2 } end

local Net = nn.class("Net", function(self)
  self.conv, self.score = nn.Conv2d(1, 8, 3, { padding = 1 }), nn.Linear(8, 1)
  self.hears = nn.Linear(8, 8)
end)
function Net:features(x, cond)
  local h = self.conv(x):silu()
  return self.score(h:mean { 2, 3 } * self.hears(cond.pooled)), { h }
end
function Net:forward(x, cond) return (self:features(x, cond)) end

-- A decoder as gan generators are called: (z, cond).
local Painter = nn.class("Painter", function(self) self.net = nn.PictureDecoder(2, 1, SHAPE) end)
function Painter:forward(z, cond) return self.net(z, cond.pooled) end

local function player(feature_weight)
  return Autoencoder {
    extractor = extractor(), detail = 2, text = text(),
    prior = prior.Flow(2, { text = 8, layers = 2, hidden = 8 }),
    generator = gan { generator = Painter(), critic = gan.Critic { net = Net(), text = text() }, detail = 2,
                      feature_weight = feature_weight, r1 = 0.1, r2 = 0.1 },
  }
end

local function batch(n)
  local x, said = core.zeros(n, 4, 4, 1), {}
  for i = 1, n do
    local light, right = i % 2, i // 2 % 2
    said[i] = CAPTIONS[light + 1]
    for column = 1, 2 do
      for row = 1, 4 do x[i][row][column + 2 * right] = light == 1 and 0.9 or -0.9 end
    end
  end
  return x, said
end

local function moved(module)
  local sum = 0
  for _, p in ipairs(module:parameters()) do sum = sum + (p.grad and p.grad:norm():item() or 0) end
  module:zero_grad()
  return sum
end

describe("an autoencoder with a critic", function()
  local ae, x, said
  before_each(function()
    core.manual_seed(3)
    ae, x, said = player(2), batch(16)
  end)

  it("compares with the picture what was painted from its detail, and teaches no critic by it", function()
    local loss, log = ae:loss(x, { text = said })
    loss:backward()
    assert.is_true(log.feature_error ~= nil and log.kl ~= nil)
    assert.equal(0, moved(ae.generator.critic))
    assert.is_true(moved(ae.extractor) > 0 and moved(ae.generator.generator) > 0 and moved(ae.text) > 0)
    -- the formula, by hand
    local g = core.generator(1)
    local seen = ae:extract(x, { text = said, generator = g })
    local _, own = ae:loss(x, { text = said, posterior = seen })
    local _, real = ae.generator.critic:features(x, { text = said })
    local _, again = ae.generator.critic:features(ae:rsample { text = said, detail = seen.z }, { text = said })
    local relative = (again[1] - real[1]):square():mean():item() / real[1]:square():mean():item()
    assert.near(math.log(relative), own.feature_error, 1e-3)
  end)

  it("shows the critic details that the extractor wrote, in the critic's own reading of the captions", function()
    local loss, log = ae:critic_loss(x, { text = said, from_prior = 0.25 })
    loss:backward()
    assert.is_true(log.accuracy_negatives ~= nil)
    assert.is_true(moved(ae.generator.critic) > 0)
    assert.equal(0, moved(ae.extractor) + moved(ae.generator.generator) + moved(ae.text) + moved(ae.prior))
    ae:loss(x, { text = said, from_prior = 0.5 }):backward()
    assert.equal(0, moved(ae.generator.critic))
  end)

  it("keeps two lists of parameters, which have nothing in common and leave nothing out", function()
    local mine, its, seen = ae:generator_parameters(), ae.generator.critic:parameters(), {}
    for _, p in ipairs(mine) do seen[p] = true end
    for _, p in ipairs(its) do assert.is_nil(seen[p]) end
    assert.equal(#ae:parameters(), #mine + #its)
  end)

  it("learns to paint a picture again #training", function()
    local mine = optim.Adam(ae:generator_parameters(), { lr = 5e-3, betas = { 0.5, 0.99 } })
    local its = optim.Adam(ae.generator.critic:parameters(), { lr = 1e-3, betas = { 0, 0.99 } })
    for _ = 1, 150 do
      local loss = ae:critic_loss(x, { text = said })
      its:zero_grad()
      loss:backward()
      its:step()
      loss = ae:loss(x, { text = said, beta = 0.02 })
      mine:zero_grad()
      loss:backward()
      mine:step()
    end
    local wrong = (ae:reconstruct(x, { text = said }) - x):abs():gt(0.5):float():mean():item()
    assert.is_true(wrong < 0.1, "wrong " .. wrong)
  end)

  it("is refused where there is no critic", function()
    local plain = Autoencoder { extractor = extractor(), detail = 2, text = text(),
                                generator = Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 } }
    fails("this generator has no critic", function() plain:critic_loss(x, { text = said }) end)
    fails("cond.from_prior: this generator has no critic", function()
      plain:loss(x, { text = said, from_prior = 0.5 })
    end)
    assert.equal(#plain:parameters(), #plain:generator_parameters())
  end)
end)

describe("one extractor", function()
  it("serves several generators with one draw, and its penalty counts once", function()
    core.manual_seed(5)
    local shared = { extractor = extractor(), text = text(), regulariser = Autoencoder.regulariser.kl { rate = 1 } }
    local function with(generator)
      return Autoencoder { extractor = shared.extractor, text = shared.text, regulariser = shared.regulariser,
                           detail = 2, generator = generator }
    end
    local first = with(Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 })
    local second = with(gan { generator = Painter(), critic = gan.Critic { net = Net(), text = text() }, detail = 2,
                              feature_weight = 1 })
    local x, said = batch(8)
    local seen = first:extract(x, { text = said })
    assert.same({ 8, 2 }, seen.z.shape)
    local a, log = first:loss(x, { posterior = seen })
    local b = second:loss(x, { posterior = seen })
    assert.is_nil(log.kl)
    local cost, said_of = first:penalty(seen, { loss = a })
    assert.is_true(said_of.kl > 0 and said_of.beta > 0)
    second:critic_loss(x, { posterior = seen }):backward()
    assert.equal(0, moved(shared.extractor))
    second.generator.critic:zero_grad()
    ;(a + b + cost):backward()
    assert.is_true(moved(shared.extractor) > 0 and moved(first.generator) > 0)
    assert.is_true(moved(second.generator.generator) > 0)
  end)
end)

describe("captions that are left out", function()
  it("are left out of training alone, for extractor and generator alike", function()
    core.manual_seed(6)
    local ae = Autoencoder { extractor = extractor(), detail = 2, text = text(), drop = 1,
                             generator = Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 } }
    local x, said = batch(4)
    assert.same({ "", "", "", "" }, ae:extract(x, { text = said }).cond.text)
    ae:eval()
    assert.same(said, ae:extract(x, { text = said }).cond.text)
  end)
end)
