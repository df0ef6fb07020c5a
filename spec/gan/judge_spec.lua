-- The critic as a part of any family's loss: what is added, with which weight, and who learns from it.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local flow = require "laterna.flow"
local gan = require "laterna.gan"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local SHAPE = { size = 4, channels = 1, width = 4, levels = 1, condition = 4 }
local CAPTIONS = { "dark", "light" }
local function text() return Encoder(CAPTIONS, { dim = 4, depth = 1, heads = 1 }) end
local function pictures(n) return core.rand({ n, 4, 4, 1 }, { generator = core.generator(8) }) * 1.6 - 0.8 end
local function told(n, seed)
  local list = {}
  for i = 1, n do list[i] = CAPTIONS[i % 2 + 1] end
  return { text = list, generator = core.generator(seed or 3) }
end

local function vae(likelihood)
  return Vae { encoder = nn.PictureEncoder(4, SHAPE), decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2,
               text = text(), likelihood = likelihood }
end

-- A critic double: one convolution that it shows, and a score that hears the caption.
local Net = nn.class("Net", function(self, channels)
  self.conv, self.score = nn.Conv2d(channels or 1, 3, 3, { padding = 1 }), nn.Linear(3, 1)
  self.hears = nn.Linear(4, 3)
end)
function Net:features(x, cond)
  local h = self.conv(x):tanh()
  local seen = h:mean { 2, 3 }
  if cond and cond.pooled then seen = seen * self.hears(cond.pooled) end
  return self.score(seen), { h, h:square() }
end
function Net:forward(x, cond) return (self:features(x, cond)) end

local function critic(channels) return gan.Critic { net = Net(channels), text = text() } end

local function near(a, b, tolerance)
  assert.near(a, b, (tolerance or 1e-4) * math.max(1, math.abs(b)))
end

local function gradients(module)
  local list = {}
  for i, p in ipairs(module:parameters()) do list[i] = p.grad and p.grad:clone() or core.zeros(p.shape) end
  module:zero_grad()
  return list
end

describe("a judge of a vae", function()
  local model, its, x
  before_each(function()
    core.manual_seed(6)
    model, its, x = vae(), critic(), pictures(6)
  end)

  it("adds the critic's part, and teaches the model alone", function()
    local judge = gan.judge(model, { critic = its, weight = 0.7, loss = "non_saturating" })
    local cond = told(6)
    local own = model:loss(x, cond)
    local scores = its(model:rsample({ text = cond.text }, { generator = cond.generator }), { text = cond.text })
    local want = own + scores:neg():softplus():mean() * 0.7
    want:backward()
    local wanted = gradients(model)
    its:zero_grad()
    local loss, log = judge:loss(x, told(6))
    near(loss:item(), want:item())
    near(log.judged, scores:neg():softplus():mean():item())
    assert.equal(0.7, log.weight)
    assert.is_true(log.kl >= 0 and log.fooled >= 0 and log.fooled <= 1)
    loss:backward()
    for i, g in ipairs(gradients(model)) do
      assert.is_true((g - wanted[i]):abs():max():item() < 1e-4 * math.max(1, wanted[i]:abs():max():item()))
    end
    for _, p in ipairs(its:parameters()) do assert.is_nil(p.grad) end
  end)

  it("gives the critic its turn, as lt.gan does, and teaches the critic alone", function()
    local judge = gan.judge(model, { critic = its })
    local loss, log = judge:critic_loss(x, told(6))
    loss:backward()
    for _, p in ipairs(model:parameters()) do assert.is_nil(p.grad) end
    assert.is_true(its.net.conv.weight.grad:norm():item() > 0)
    for _, key in ipairs { "critic_loss", "accuracy_real", "accuracy_painted", "accuracy_negatives",
      "gradient_real" } do
      assert.equal("number", type(log[key]), key)
    end
    local _, unread = gan.judge(model, { critic = its, negative_weight = 0 }):critic_loss(x, told(6))
    assert.is_nil(unread.accuracy_negatives)
  end)

  it("is the same for the same generator", function()
    local judge = gan.judge(model, { critic = its, features = true })
    assert.equal(judge:loss(x, told(6, 5)):item(), judge:loss(x, told(6, 5)):item())
    assert.not_equal(judge:loss(x, told(6, 5)):item(), judge:loss(x, told(6, 6)):item())
    assert.equal(judge:critic_loss(x, told(6, 5)):item(), judge:critic_loss(x, told(6, 5)):item())
  end)

  it("keeps both gradients of one size at the last layer, and weights that", function()
    local last = model.decoder.out.weight
    local plain = gan.judge(model, { critic = its, weight = 0 })
    plain:loss(x, told(6)):backward()
    local own = last.grad:clone()
    model:zero_grad()
    gan.judge(model, { critic = its, weight = 1 }):loss(x, told(6)):backward()
    local judged = last.grad - own
    model:zero_grad()
    for _, w in ipairs { 1, 0.25 } do
      local loss, log = gan.judge(model, { critic = its, weight = w, last = last }):loss(x, told(6))
      near(log.weight, w * own:norm():item() / judged:norm():item(), 2e-3)
      loss:backward()
      near((last.grad - own):norm():item(), w * own:norm():item(), 2e-3)
      model:zero_grad()
    end
    core.no_grad(function() its.net.score.weight:fill_(0) end) -- a critic that says nothing
    local _, log = gan.judge(model, { critic = its, last = last }):loss(x, told(6))
    assert.equal(1e4, log.weight)
  end)

  it("tells the model a detail that comes from elsewhere, for both parts, and keeps it to itself", function()
    local judge = gan.judge(model, { critic = its, loss = "non_saturating" })
    local z, count = core.randn(6, 2):requires_grad_(true), 0
    for _ in pairs(judge:state()) do count = count + 1 end
    local cond = told(6)
    cond.detail = z * 1
    local loss, log = judge:loss(x, cond)
    assert.is_nil(log.kl)
    local scores = its(model:rsample { text = cond.text, detail = z }, { text = cond.text })
    near(log.judged, scores:neg():softplus():mean():item())
    loss:backward()
    assert.is_true(z.grad:norm():item() > 0)
    judge:critic_loss(x, cond):backward()
    for _ in pairs(judge:state()) do count = count - 1 end
    assert.equal(0, count)
  end)

  it("weights by the call, which is counted in its state", function()
    local function ramp(call) return call - 1 end
    local judge = gan.judge(model, { critic = its, weight = ramp })
    assert.equal(0, select(2, judge:loss(x, told(6))).weight)
    assert.equal(1, select(2, judge:loss(x, told(6))).weight)
    local other = gan.judge(vae(), { critic = critic(), weight = ramp })
    other:load_state(judge:state())
    assert.equal(2, select(2, other:loss(x, told(6))).weight)
    assert.equal(2, select(2, judge:loss(x, told(6))).weight)
  end)

  it("takes the critic's features for the reconstruction error", function()
    local cond = told(6)
    local seen
    local plain = { text = cond.text, generator = cond.generator, likelihood = function(out, y, own)
      assert.equal(model.likelihood, own)
      local a, b = select(2, its:features(own:mean(out), { text = cond.text })), select(2, its:features(y))
      seen = 0
      for i = 1, 2 do seen = seen + math.log((a[i] - b[i]):square():sum():item() / b[i]:square():sum():item()) / 2 end
      return core.full({ 6 }, seen * 8)
    end }
    local _, want = model:loss(x, plain)
    local judge = gan.judge(model, { critic = its, features = true })
    local loss, log = judge:loss(x, told(6))
    near(log.nll, want.nll, 1e-3)
    near(log.features, want.nll, 1e-3)
    loss:backward()
    for _, p in ipairs(its:parameters()) do assert.is_nil(p.grad) end
    assert.is_true(model.encoder.out.weight.grad:norm():item() > 0)
    assert.is_nil(model.likelihood.logvar.grad) -- the pixels' deviation has no say
    local half = select(2, gan.judge(model, { critic = its, features = 0.5 }):loss(x, told(6)))
    local pixels = select(2, gan.judge(model, { critic = its }):loss(x, told(6)))
    near(half.nll, (pixels.nll + log.nll) / 2, 1e-3)
  end)

  it("judges what an augmentation makes of the pictures", function()
    local calls = 0
    local judge = gan.judge(model, { critic = its, augment = function(y)
      calls = calls + 1
      return y * 0
    end, loss = "non_saturating" })
    judge:loss(x, told(6)):backward()
    assert.equal(1, calls)
    judge:critic_loss(x, told(6))
    assert.equal(3, calls)
  end)

  it("judges an autoencoder as it judges its generator", function()
    local ae = Autoencoder { extractor = nn.PictureEncoder(4, SHAPE), detail = 2, text = text(),
                             generator = Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 } }
    local judge = gan.judge(ae, { critic = its, features = true, last = ae.generator.decoder.out.weight })
    local loss, log = judge:loss(x, told(6))
    loss:backward()
    assert.is_true(log.weight > 0 and log.features ~= nil)
    assert.is_true(ae.extractor.out.weight.grad:norm():item() > 0)
  end)
end)

describe("a judge of other families", function()
  before_each(function() core.manual_seed(2) end)

  it("teaches a flow through its inverse", function()
    local model = flow { net = flow.Glow { size = { 4, 4, 1 }, levels = 1, steps = 1, hidden = 4, text = 4 },
                         size = { 4, 4, 1 }, text = text() }
    local function nothing(_, _, m)
      assert.equal(model, m)
      return core.zeros(1):sum()
    end
    local judge = gan.judge(model, { critic = critic(), rsample = { temperature = 0.5 }, base = nothing })
    judge:loss(pictures(4), told(4)):backward()
    local moved = 0
    for _, p in model:named_parameters() do moved = moved + (p.grad and p.grad:norm():item() or 0) end
    assert.is_true(moved > 0)
    fails("features: this model takes no cond.likelihood", function()
      gan.judge(model, { critic = critic(), features = true }):loss(pictures(4), told(4))
    end)
  end)

  -- Pictures of one pixel and two channels are (-0.8,-0.8) or (0.8,0.8). The best that one step can say by squared
  -- error is their mean, 0; the critic knows that no picture looks so.
  it("makes one step of diffusion paint pictures, not their mean #training", function()
    local Student = nn.class("Student", function(self)
      self.net = nn.Sequential(nn.Linear(2, 32), core.relu, nn.Linear(32, 32), core.relu, nn.Linear(32, 2))
    end)
    function Student:forward(y) return self.net(y) end
    local Eye = nn.class("Eye", function(self)
      self.net = nn.Sequential(nn.Linear(2, 32), core.relu, nn.Linear(32, 32), core.relu, nn.Linear(32, 1))
    end)
    function Eye:forward(y) return self.net(y:flatten(2)) end
    local function trained(weight)
      core.manual_seed(4)
      local model = diffusion { net = Student(), size = { 1, 1, 2 }, predict = "x0" }
      local its = gan.Critic { net = Eye() }
      local judge = gan.judge(model, {
        critic = its, rsample = { steps = 1 }, weight = weight, r1 = 0.1, r2 = 0.1, base = function(x)
          return core.mse_loss(model:rsample { n = x:size(1) }, x) * (weight > 0 and 0.05 or 1)
        end,
      })
      local mine = optim.Adam(model:parameters(), { lr = 2e-3, betas = { 0, 0.99 } })
      local theirs = optim.Adam(its:parameters(), { lr = 2e-3, betas = { 0, 0.99 } })
      for _ = 1, 300 do
        local x = (core.rand(32, 1, 1, 1):lt(0.5) * 1.6 - 0.8):expand(32, 1, 1, 2)
        theirs:zero_grad()
        judge:critic_loss(x):backward()
        theirs:step()
        mine:zero_grad()
        judge:loss(x):backward()
        mine:step()
      end
      local painted = model:sample({ n = 200 }, { sampler = "ddim", steps = 1, seed = 1 }):view(200, 2)
      local left = painted:mean(2):lt(0):sum():item()
      return (painted:abs() - 0.8):abs():mean():item(), left
    end
    local blurred = trained(0)
    assert.is_true(blurred > 0.6, blurred)
    local off, left = trained(1)
    assert.is_true(off < 0.2, off)
    assert.is_true(left > 40 and left < 160, left)
  end)

  it("names who spoiled the critic's loss", function()
    local model, its = vae(), critic()
    local judge = gan.judge(model, { critic = its })
    core.no_grad(its.net.score.bias.fill_, its.net.score.bias, 0 / 0)
    local function spoiled(words) fails(words, judge.critic_loss, judge, pictures(2), told(2)) end
    spoiled "the loss of the critic is nan: parameter net.score.bias of the critic is not finite"
    core.no_grad(model.decoder.out.bias.fill_, model.decoder.out.bias, 0 / 0)
    spoiled "the loss of the critic is nan: parameter decoder.out.bias of the generator is not finite"
  end)

  it("asks for what it needs", function()
    local model = vae()
    fails("bad argument #1 to 'judge' (model: expected a family with rsample, got 3)", gan.judge, 3)
    fails("bad argument #1 to 'judge' (model", gan.judge, nn.Linear(1, 1))
    fails("bad argument #2 to 'judge' (option critic is missing)", gan.judge, model)
    fails("bad argument #2 to 'judge' (features: expected true, false or a number from 0 to 1, got 2)", gan.judge,
      model, { critic = critic(), features = 2 })
    fails("bad argument #2 to 'judge' (last: expected a parameter that requires a gradient, got tensor)", gan.judge,
      model, { critic = critic(), last = core.ones(2) })
    fails("loss: expected the name of one of lt.gan.losses", gan.judge, model, { critic = critic(), loss = "mse" })
    fails("features: with base the error is the script's own", gan.judge, model,
      { critic = critic(), features = true, base = print })
    local judge = gan.judge(model, { critic = critic(), last = nn.Linear(1, 1).weight })
    fails("last: the model's own loss does not depend on it", judge.loss, judge, pictures(2), told(2))
    fails("bad argument #1 to 'loss' (x: expected tensor, got nil)", judge.loss, judge)
    fails("cond.text: expected a list of captions", judge.critic_loss, judge, pictures(2),
      { text = text()({ "dark", "light" }) })
  end)
end)
