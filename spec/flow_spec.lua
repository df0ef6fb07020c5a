-- The family of flows: both ways, the bound it minimises, captions, what it refuses.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local flow = require "laterna.flow"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local text = require "laterna.text"
local train = require "laterna.train"
local data = require "spec.support.flow"
local layers = flow.layers

local CAPTIONS = { "a", "b" }

local function told_flow(size, options)
  options = options or {}
  options.size, options.text, options.hidden, options.steps = size, 8, 16, options.steps or 2
  return flow {
    net = flow.Glow(options), size = size, text = text.Encoder(CAPTIONS, { dim = 8, heads = 2, depth = 1 }),
  }
end

describe("a flow", function()
  before_each(function() core.manual_seed(5) end)

  it("gives pictures back exactly, before and after training, near and far from the data #training", function()
    for _, size in ipairs { { 12, 4, 3 }, { 6, 14, 1 }, { 5, 7, 2 } } do
      local options = size[1] % 2 == 1 and { levels = 1 } or {}
      local ok, model = pcall(told_flow, size, options)
      if size[1] % 2 == 1 then
        assert.is_false(ok) -- odd sides cannot be squeezed, and it says so
        assert.truthy(model:find "sides that 2 divides")
      else
        local x = data.levels(core.randn(8, table.unpack(size)) * 0.2)
        local cond = { text = { "a", "b", "", "a", "b", "", "a", "b" } }
        data.train(model, function() return x, cond end, 30)
        for kind, y in pairs(data.pictures(8, size)) do
          local z = model:encode(y, cond)
          assert.same({ 8, size[1] * size[2] * size[3] }, z.shape)
          assert.is_true((model:decode(z, cond) - y):abs():max():item() < 1e-5, kind)
          assert.same(z:totable(), model:join(model:parts(z)):totable())
        end
      end
    end
  end)

  it("says log P of pictures in nats, and the loss in bits", function()
    -- A net that leaves y alone: log p is that of N(0, I) at the dequantised picture, 1/128 wide.
    local net = layers.Permute(1, "reverse")
    local model = flow { net = net, size = { 2, 3, 1 } }
    local x = data.levels(core.rand(4, 2, 3, 1) * 2 - 1)
    local y = (((x + 1) * 127.5):round() + 0.5) * (1 / 128) - 1
    local want = ((y * y + math.log(2 * math.pi)) * -0.5):flatten(2):sum(2) - 6 * math.log(128)
    local got = model:log_prob(x, nil, { draws = 50 })
    assert.is_true((got - want):abs():max():item() < 0.01)
    local loss, log = model:loss(x)
    assert.near(-want:mean():item() / (6 * math.log(2)), loss:item(), 0.01)
    assert.equal(loss:item(), log.bits)
  end)

  it("is right about captions by Bayes' rule, and paints what they say #training", function()
    local model = told_flow({ 2 }, { steps = 3 })
    local function batch(n)
      local side = core.randint(0, 1, { n }):float()
      local names = {}
      for i, k in ipairs(side:totable()) do names[i] = CAPTIONS[k // 1 + 1] end
      return core.randn(n, 2) * 0.5 + (side:view(n, 1) * 4 - 2), { text = names }, side
    end
    data.train(model, function() return batch(64) end, 150, 1e-2)
    local x, cond, side = batch(200)
    local named, logp = model:classify(x, CAPTIONS)
    assert.is_true(core.eq(named:float(), side + 1):mean():item() > 0.98)
    assert.same({ 200, 2 }, logp.shape)
    assert.near(1, logp:exp():sum(2)[7]:item(), 1e-4)
    local right = model:sample({ text = cond.text }, { seed = 3, guidance = 1.5 })
    assert.is_true((right:sign():mean(2) * (side * 2 - 1)):mean():item() > 0.9)
  end)

  it("paints each picture from a seed of its own, colder noise nearer the middle", function()
    local model = told_flow { 4, 4, 1 }
    data.train(model, function() return data.levels(core.randn(8, 4, 4, 1) * 0.3) end, 5)
    local two = model:sample({ text = { "a", "b" } }, { seed = 4 })
    local second = model:sample({ text = { "b" } }, { seed = 5 })
    assert.same(two[2]:totable(), second[1]:totable())
    local cold = model:sample({ n = 3 }, { temperature = 0 })
    assert.same(cold[1]:totable(), cold[2]:totable())
    assert.equal(0, #model:sample({ n = 3 }).shape - 4)
    local quiet = flow { net = model.net, text = model.text, size = { 4, 4, 1 }, temperature = 0 }
    assert.same(cold[1]:totable(), quiet:sample({ n = 1 })[1]:totable())
    assert.not_same(cold[1]:totable(), quiet:sample({ n = 1 }, { temperature = 1 })[1]:totable())
  end)

  it("adds what it takes a caption for, where contrast is asked for", function()
    local encoder = text.Encoder(CAPTIONS, { dim = 4, depth = 0, heads = 1 })
    local net = flow.Glow { size = { 3 }, hidden = 8, steps = 2, text = 4 }
    local model = flow { net = net, size = { 3 }, text = encoder, drop = 0 }
    core.no_grad(function()
      for _, p in ipairs(model:parameters()) do p:add_(core.randn(p.shape) * 0.2) end
    end)
    local x = core.randn(4, 3)
    local own, other = { "a", "b", "b", "a" }, { "b", "a", "a", "b" }
    local plain = model:loss(x, { text = own }):item()
    local loss, log = model:loss(x, { text = own, contrast = 5 })
    local gap = model:log_prob(x, { text = other }) - model:log_prob(x, { text = own })
    assert.near(plain + 5 * gap:softplus():mean():item() / (3 * math.log(2)), loss:item(), 1e-4)
    assert.near(gap:softplus():mean():item(), log.contrast, 1e-4)
    assert.near(gap:lt(0):float():mean():item(), log.named, 1e-6)
    assert.near(plain, log.bits, 1e-5)
    -- Nothing to choose between, and captions that were left out.
    assert.near(model:loss(x, { text = { "a", "a", "a", "a" } }):item(),
      model:loss(x, { text = { "a", "a", "a", "a" }, contrast = 5 }):item(), 1e-6)
    model.drop = 1
    assert.near(model:loss(x, { text = own }):item(), model:loss(x, { text = own, contrast = 5 }):item(), 1e-6)
    model.drop = 0
    -- Wrong captions of one's own choice, and none for the others.
    loss, log = model:loss(x, { text = own, contrast = 5, negatives = { "b", false, "b", "a" } })
    local one = gap:narrow(1, 1, 1):softplus():mean():item()
    assert.near(one, log.contrast, 1e-4)
    assert.near(plain + 5 * one / (3 * math.log(2)), loss:item(), 1e-4)
    fails("cond.negatives: 1 captions for 4 pictures", model.loss, model, x,
      { text = own, contrast = 5, negatives = { "b" } })
    fails("cond.negatives[2]: expected string", model.loss, model, x,
      { text = own, contrast = 5, negatives = { "b", 1, "b", "a" } })
    fails("cond.contrast: expected number", model.loss, model, x, { text = own, contrast = "5" })
    fails("cond.contrast: it needs", model.loss, model, x, { contrast = 5 })
    fails("cond.text: expected a list of captions", model.loss, model, x, { text = encoder(own), contrast = 5 })
  end)

  it("stays finite at noise of ten deviations #training", function()
    for _, name in ipairs { "Glow", "RealNVP", "SplineFlow" } do
      local size = { 8, 8, 1 }
      local model = flow { net = flow[name] { size = size, hidden = 16, steps = 4 }, size = size }
      data.train(model, function() return data.levels(core.randn(8, 8, 8, 1) * 0.2) end, 20, 1e-2)
      local x = model:decode(core.randn(8, 64) * 10)
      assert.is_true(data.finite(x))
    end
  end)

  it("names step and layer where numbers cease to be finite", function()
    local model = told_flow { 4, 4, 1 }
    local x = data.levels(core.rand(4, 4, 4, 1))
    model:loss(x)
    core.no_grad(function() model.net[2].levels[1][3].net.first.bias:fill_(0 / 0) end)
    local ok, err = pcall(function()
      local run = train.run { steps = 3, model = model, progress = false }
      for _ in run:steps() do model:loss(x) end
    end)
    assert.is_false(ok)
    assert.equal("step 1: flow: the loss is not finite: layer net.1.levels.0.2 (AffineCoupling)",
      err:match "^(.-%)) is")
    local bad = core.full({ 1, 4, 4, 1 }, 0 / 0)
    ok, err = pcall(model.loss, model, bad)
    assert.is_false(ok)
    assert.truthy(err:find("to 'Logit' (x: expected values from -1 to 1", 1, true), err)
  end)

  it("never gives NaN without a word at ten times the learning rate #training", function()
    for _, name in ipairs { "Glow", "RealNVP", "SplineFlow" } do
      local model = flow { net = flow[name] { size = { 4, 4, 1 }, hidden = 8, steps = 2 }, size = { 4, 4, 1 } }
      local optimizer = optim.Adam(model:parameters(), { lr = 3e-2 })
      local ok, err = pcall(function()
        for _ = 1, 100 do
          local loss = model:loss(data.levels(core.randn(8, 4, 4, 1) * 0.2))
          assert(loss:item() == loss:item())
          optimizer:zero_grad()
          loss:backward()
          optimizer:step()
        end
      end)
      assert.is_true(ok or err:find "layer" ~= nil, err)
    end
  end)

  it("learns noise for its grey levels #training", function()
    -- All pictures are one level, so that the best bound is 0 bits; noise near its middle is easier to say.
    local size = { 4, 4, 1 }
    local function bits(kind)
      local model = flow { net = layers.Sequence { layers.ActNorm(1) }, size = size, dequantise = kind }
      local x = data.levels(core.zeros(16, 4, 4, 1))
      local last = 0
      data.train(model, function() return x end, 150, 2e-2)
      for _ = 1, 20 do last = last + model:log_prob(x):mean():item() / (-16 * math.log(2) * 20) end
      return last
    end
    local uniform, learned = bits "uniform", bits "variational"
    assert.near(0.5 * math.log(2 * math.pi * math.exp(1) / 12, 2), uniform, 0.02) -- a Gaussian on a uniform density
    assert.is_true(learned < uniform - 0.1 and learned > -0.01)
  end)

  it("records where a gradient is wanted", function()
    local model = flow { net = flow.Glow { size = { 2 }, hidden = 8, steps = 1 }, size = { 2 } }
    model:loss(core.randn(20, 2))
    local x = core.randn(3, 2, { requires_grad = true })
    model:log_prob(x):sum():backward()
    assert.is_true(data.finite(x.grad))
    assert.is_true(model.training and model.net.training)
    assert.is_false(model:log_prob(core.randn(3, 2)).requires_grad)
  end)

  it("refuses what it was not made for", function()
    local model = told_flow { 4, 4, 1 }
    for _, f in ipairs {
      function() flow { size = { 2 } } end,
      function() flow { net = nn.Linear(2, 2), size = { 2 } } end,
      function() flow { net = flow.Glow { size = { 2 } }, size = { 2, 2 } } end,
      function() flow.Glow { size = { 7, 8, 1 } } end,
      function() flow.Glow { size = { 8, 8, 1 }, levels = 5 } end,
      function() model:loss(core.zeros(2, 4, 5, 1)) end,
      function() model:decode(core.zeros(2, 15)) end,
      function() model:sample({ n = 1 }, { temprature = 1 }) end,
      function() model:classify(core.zeros(2, 4, 4, 1), {}) end,
      function() model:join {} end,
    } do
      assert.has_error(f)
    end
  end)
end)
