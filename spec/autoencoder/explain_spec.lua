-- What explain says, on networks made by hand, where every nat is known.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local Flow = require("laterna.prior").Flow

local SPREAD = math.exp(-2) -- of what the extractor is sure of
local function kl(mean, variance) return 0.5 * (mean * mean + variance - 1 - math.log(variance)) end

-- Knows only whether a caption has the words "left" and "right".
local Text = nn.class("SpecText", function() end)
function Text:forward(captions) -- luacheck: ignore self
  local rows = {}
  for i, caption in ipairs(captions) do
    rows[i] = { caption:find "left" and 1 or 0, caption:find "right" and 1 or 0 }
  end
  local pooled = core.tensor(rows)
  return { pooled = pooled, tokens = pooled:view(#captions, 1, 2), mask = core.ones(#captions, 1) }
end

-- Writes the two pixels of a picture, surely, and a third number of which nothing is known. A pixel that the caption
-- names is not written, if it is as the caption says: white.
local Extractor = nn.class("SpecExtractor", function() end)
function Extractor:forward(x, cond) -- luacheck: ignore self
  local pixels = x:view(-1, 2)
  local named = cond and cond.pooled or core.zeros(pixels.shape)
  local mu = pixels - named
  local logvar = core.where(core.eq(mu, 0), 0, 2 * math.log(SPREAD)) * core.gt(named, 0)
    + (1 - core.gt(named, 0)) * (2 * math.log(SPREAD))
  local unknown = core.zeros(#pixels, 1)
  return core.cat({ mu, unknown, logvar, unknown }, 2)
end

-- Paints detail + caption; its chance, if it has any, is the same in both pixels.
local Generator = nn.class("SpecGenerator", function(self, chance) self.chance = chance end)
function Generator:loss(x) return x:mean() * self.chance, {} end
function Generator:sample(cond, options)
  local z = cond.detail:narrow(2, 1, 2)
  if cond:pooled() then z = z + cond:pooled() end
  local noise = core.randn(#z, 1, { generator = options.generator }) * self.chance
  return (z + noise):view(-1, 1, 2, 1)
end

local function make(more)
  local o = { extractor = Extractor(), generator = Generator(more.chance or 0), detail = 3 }
  o.text, o.prior = more.text, more.prior
  return Autoencoder(o)
end

local picture = core.tensor { { { 1 }, { -0.5 } } }

describe("explain", function()
  it("ranks the detail's coordinates by nats, which sum to the gap", function()
    local found = make {}:explain(picture)
    local first, second, third = table.unpack(found.axes)
    assert.same({ 1, 2, 3 }, { first.index, second.index, third.index })
    assert.near(kl(1, SPREAD ^ 2), first.nats, 1e-4)
    assert.near(kl(-0.5, SPREAD ^ 2), second.nats, 1e-4)
    assert.near(0, third.nats, 1e-6)
    assert.near(-0.5, second.value, 1e-6)
    assert.near(SPREAD, second.spread, 1e-5)
    assert.near(first.nats + second.nats, found.gap, 1e-4)
  end)

  it("walks along one coordinate while the rest is held", function()
    local found = make {}:explain(picture, nil, { strips = 2, steps = 3, span = 1.5 })
    assert.same({ 3, 1, 2, 1 }, found.axes[1].strip.shape)
    for k, at in ipairs { -1.5, 0, 1.5 } do
      local along_first, along_second = found.axes[1].strip[k]:view(-1), found.axes[2].strip[k]:view(-1)
      assert.near(at, along_first[1]:item(), 1e-6)
      assert.near(-0.5, along_first[2]:item(), 1e-6)
      assert.near(1, along_second[1]:item(), 1e-6)
      assert.near(at, along_second[2]:item(), 1e-6)
    end
    assert.is_nil(found.axes[3].strip)
  end)

  it("holds what the generator draws for itself, and paints the same again", function()
    local model = make { chance = 1 }
    local function strip(sample)
      local found = model:explain(picture, "", { strips = 1, steps = 4, sample = sample })
      return found.axes[1].strip:view(4, 2):totable()
    end
    local first = strip()
    for k = 2, 4 do assert.near(first[1][2], first[k][2], 1e-6) end
    assert.same(first, strip())
    assert.not_same(first, strip { generator = core.generator(9) })
  end)

  it("finds the word that saves most: a true one, of what was dear; a false one costs", function()
    local model = make { text = Text() }
    local found = model:explain(picture, "a picture", { words = { "left", "right", "blue", both = "left, right" } })
    local save = {}
    for _, item in ipairs(found.words) do save[item.word] = item.saves end
    assert.equal("left", found.words[1].word)
    assert.equal("a picture left", found.words[1].caption)
    assert.near(kl(1, SPREAD ^ 2), save.left, 1e-4)
    assert.near(0, save.blue, 1e-6)
    -- the right pixel is not white: said to be, it must be taken back
    assert.near(kl(-0.5, SPREAD ^ 2) - kl(-1.5, SPREAD ^ 2), save.right, 1e-4)
    assert.near(save.left + save.right, save.both, 1e-4)
    assert.near(found.gap - found.words[2].gap, found.words[2].saves, 1e-9)
    local function say(caption, word) return caption .. "<" .. word .. ">" end
    assert.equal("<left>", model:explain(picture, "", { words = { "left" }, say = say }).words[1].caption)
  end)

  it("counts in the noise of a learned prior, given the caption #slow", function()
    local prior = Flow(3, { condition = 2, layers = 1, hidden = 4 }) -- starts as N(0, I)
    local model = make { text = Text(), prior = prior }
    assert.near(kl(1, SPREAD ^ 2), model:explain(picture, "", { draws = 4000 }).axes[1].nats, 0.1)
    -- now N(1, scale^2) of each: the flow's bounded log-scale is 2 tanh(-1 / 2)
    prior.base[5].bias:detach():copy_(core.tensor { -1, -1, -1, 1, 1, 1 })
    local e = math.exp(-1)
    local scale = math.exp(2 * (e - 1) / (e + 1))
    local found = model:explain(picture, "", { draws = 4000, strips = 1, steps = 2, span = 1 })
    local by_index = {}
    for _, axis in ipairs(found.axes) do by_index[axis.index] = axis end
    for i, mean in ipairs { 1, -0.5, 0 } do
      local spread = (i == 3 and 1 or SPREAD) / scale
      assert.near((mean - 1) / scale, by_index[i].value, 0.1)
      assert.near(spread, by_index[i].spread, 0.05 * spread)
    end
    -- the strip walks in units of that prior
    local strip = found.axes[1].strip:view(2, 2)
    assert.equal(2, found.axes[1].index) -- the black pixel, which lies far from what is drawn
    assert.near(1 - scale, strip[1][2]:item(), 1e-4)
    assert.near(1 + scale, strip[2][2]:item(), 1e-4)
  end)

  it("finds directions along which nothing varies together #slow", function()
    -- the noise is the detail turned by 45 degrees: coordinates of it vary together, the principal axes do not
    local r = math.sqrt(0.5)
    local turn = core.tensor { { r, r, 0 }, { -r, r, 0 }, { 0, 0, 1 } }
    local Turned = nn.class("SpecTurned", function() end)
    function Turned:log_prob(z) -- luacheck: ignore self
      return z:square():sum(2) * -0.5 - 1.5 * math.log(2 * math.pi), core.matmul(z, turn)
    end
    function Turned:inverse(u) return core.matmul(u, turn:transpose()) end -- luacheck: ignore self
    local Lopsided = nn.class("SpecLopsided", function() end)
    function Lopsided:forward(x) -- luacheck: ignore self
      local logvar = core.tensor { { 2 * math.log(SPREAD), math.log(0.25), 0 } }
      return core.cat({ core.cat({ x:view(-1, 2), core.zeros(#x, 1) }, 2), logvar:expand { #x, 3 } }, 2)
    end
    local model = Autoencoder { extractor = Lopsided(), generator = Generator(0), detail = 3, prior = Turned() }
    local by = {}
    for _, how in ipairs { "coordinates", "directions" } do
      local sum, found = 0, model:explain(picture, "", { by = how, draws = 4000 })
      for _, axis in ipairs(found.axes) do sum = sum + axis.nats end
      by[how] = { sum = sum, axes = found.axes, gap = found.gap }
    end
    local exact = kl(1, SPREAD ^ 2) + kl(-0.5, 0.25)
    assert.near(exact, by.directions.sum, 0.1)
    assert.near(exact, by.directions.gap, 0.1)
    assert.is_true(by.coordinates.sum < exact - 0.5)
    local first = by.directions.axes[1]
    assert.near(SPREAD, first.spread, 0.01)
    assert.near(r, math.abs(first.axis[1]:item()), 0.02)
    assert.near(0, first.axis[3]:item(), 0.05)
  end)

  it("lays out what a grid shows", function()
    local found = make {}:explain(picture, "", { strips = 2, steps = 5 })
    assert.equal(3, #found.rows)
    assert.equal(#found.rows, #found.labels)
    local again = found.rows[1]:view(2, 2)
    assert.is_true((again[1] - again[2]):abs():max():item() < 1e-5)
    assert.equal(3, require "laterna.show.grid"(found.rows, { row_labels = found.labels }):dim())
    assert.equal(1, #make {}:explain(picture, "", { strips = 0 }).rows)
  end)

  it("refuses what it cannot explain", function()
    local model = make {}
    fails("picture: expected (h,w,c), got 4 axes", model.explain, model, core.zeros(1, 1, 2, 1))
    fails("words: this autoencoder has no text encoder", model.explain, model, picture, "", { words = { "left" } })
    model = make { text = Text() }
    fails("words[1]: expected string, got 1", model.explain, model, picture, "", { words = { 1 } })
    fails("what say gave: expected string, got nil", model.explain, model, picture, "",
      { words = { "left" }, say = function() end })
    fails("by: expected", model.explain, model, picture, "", { by = "colour" })
    fails("caption: expected string or nil", model.explain, model, picture, { text = { "left" } })
  end)
end)
