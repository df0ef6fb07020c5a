-- The GAN's face: what its losses are made of, what it logs, paints and refuses.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local TextEncoder = require "laterna.text.encoder"
local train = require "laterna.train"

local function mlp(inputs, outputs)
  return nn.Sequential(nn.Linear(inputs, 32), core.silu, nn.Linear(32, 32), core.silu, nn.Linear(32, outputs))
end

local function small(more)
  local options = { generator = mlp(3, 2), critic = Gan.Critic { net = mlp(2, 1) }, detail = 3, loss = "hinge" }
  for key, v in pairs(more or {}) do options[key] = v end
  return Gan(options)
end

describe("the gan", function()
  it("keeps each loss out of the other side's parameters", function()
    for name in pairs(Gan.losses) do
      local gan = small { loss = name, r1 = 1, r2 = 1 }
      local x = core.randn(8, 2)
      local loss, log = gan:loss(x)
      loss:backward()
      assert.near(loss:item(), log.loss, 0)
      for _, p in ipairs(gan.critic:parameters()) do assert.is_nil(p.grad) end
      for _, p in ipairs(gan:generator_parameters()) do assert.is_truthy(p.grad) end
      gan:zero_grad()
      gan:critic_loss(x):backward()
      for _, p in ipairs(gan:generator_parameters()) do assert.is_nil(p.grad) end
      local seen = 0
      for _, p in ipairs(gan.critic:parameters()) do seen = seen + (p.grad and 1 or 0) end
      assert.is_true(seen >= 5)
    end
  end)

  it("is judged by the critic as it is, not as it was", function()
    local gan = small { loss = "non_saturating" }
    local z = core.randn(4, 3)
    local before = gan:loss(nil, { detail = z }):item()
    gan.critic.net[5].bias:detach():fill_(3)
    local scores = core.no_grad(gan.critic, gan:rsample { detail = z })
    assert.near(scores:neg():softplus():mean():item(), gan:loss(nil, { detail = z }):item(), 1e-6)
    assert.is_true(math.abs(before - gan:loss(nil, { detail = z }):item()) > 0.1)
  end)

  it("has penalties on every k-th call, with k times the weight", function()
    core.manual_seed(2)
    local x, z = core.randn(6, 2), core.randn(6, 3)
    local function losses(every)
      core.manual_seed(3)
      local gan = small { r1 = 0.5, r2 = function(call) return 0.25 * call end, penalty_every = every }
      gan:apply(function(m) if m.weight then m.weight:detach():mul_(2) end end)
      local out = {}
      for i = 1, 4 do
        local loss, log = gan:critic_loss(x, { detail = z })
        out[i] = loss:item()
        assert.equal((i - 1) % every == 0, log.gradient_real ~= nil)
      end
      local r1 = Gan.penalties.r1(gan.critic, x):item()
      local r2 = Gan.penalties.r2(gan.critic, gan:rsample { detail = z }):item()
      return out, gan, r1, r2
    end
    local always, gan, r1, r2 = losses(1)
    local lazy = losses(3)
    local plain = Gan.losses.hinge.critic(gan.critic(x), gan.critic(gan:rsample { detail = z })):item()
    for i = 1, 4 do
      assert.near(plain + 0.25 * r1 + 0.125 * i * r2, always[i], 1e-5)
      local w = i == 1 and 3 or i == 4 and 3 or 0
      assert.near(plain + w * (0.25 * r1 + 0.125 * i * r2), lazy[i], 1e-5)
    end
  end)

  it("weighs the Wasserstein loss's penalty with 10, between the pictures that its generator draws", function()
    local gan = small { loss = "wasserstein", penalty_every = 2 }
    local x, z = core.randn(6, 2), core.randn(6, 3)
    local painted = core.no_grad(gan.rsample, gan, { detail = z })
    local loss = gan:critic_loss(x, { detail = z, generator = core.generator(8) }):item()
    local slope = Gan.penalties.gradient_penalty(gan.critic, x, painted, { generator = core.generator(8) }):item()
    local plain = gan:critic_loss(x, { detail = z }):item()
    assert.near(Gan.losses.wasserstein.critic(gan.critic(x), gan.critic(painted)):item(), plain, 1e-5)
    assert.near(plain + 2 * 10 * slope, loss, 1e-4)
  end)

  it("goes on counting calls where a checkpoint left off", function()
    local gan, other = small { r1 = 1, penalty_every = 2 }, small { r1 = 1, penalty_every = 2 }
    gan:critic_loss(core.randn(4, 2))
    other:load_state(gan:state())
    local _, log = other:critic_loss(core.randn(4, 2))
    assert.is_nil(log.gradient_real)
    _, log = other:critic_loss(core.randn(4, 2))
    assert.is_number(log.gradient_real)
  end)

  it("takes a script's own loss, which compares with real pictures unless it says otherwise", function()
    local seen = {}
    local own = {
      critic = function(real, fake) return (fake - real):mean() end,
      generator = function(real, fake)
        seen[#seen + 1] = real and real.shape[1] or "none"
        return -fake:mean()
      end,
    }
    small { loss = own }:loss(core.randn(5, 2))
    own.paired = false
    small { loss = own }:loss(core.randn(5, 2))
    assert.same({ 5, "none" }, seen)
    assert.equal(3, small { loss = { critic = own.critic, generator = own.generator, r1 = 3 } }.weights.r1)
    assert.equal(0, small({ loss = "relativistic", r1 = 0 }).weights.r1)
    assert.equal(1, small({ loss = "relativistic", r1 = 0 }).weights.r2)
  end)

  it("shows real and painted pictures through the same augmentation, and tells it the scores of real ones", function()
    local shown, told = 0, nil
    local augment = setmetatable({}, { __call = function(_, x)
      shown = shown + 1
      return x + 100
    end, __index = { update = function(_, scores) told = scores end } })
    local gan = small { augment = augment, loss = "least_squares" }
    local x = core.randn(4, 2)
    gan:critic_loss(x)
    assert.equal(2, shown)
    assert.same((core.no_grad(gan.critic, x + 100) - 0.5):totable(), told:totable())
    assert.is_false(told.requires_grad)
    gan:loss(x)
    assert.equal(3, shown)
  end)

  it("paints as many as it is asked for, the same ones from the same seed, however they are batched", function()
    local gan = small()
    assert.same({ 1, 2 }, gan:sample().shape)
    local a, b = gan:sample({ n = 3 }, { seed = 7 }), gan:sample({ n = 1 }, { seed = 9 })
    assert.near(0, (a[3] - b[1]):abs():max():item(), 1e-6)
    assert.is_false(a.requires_grad)
    assert.is_true(gan:rsample({ n = 1 }).requires_grad)
    local still = gan:sample({ n = 2 }, { temperature = 0 })
    assert.same(still[1]:totable(), gan:sample({ detail = core.zeros(1, 3) })[1]:totable())
    local loud = small { generator = nn.Sequential(nn.Linear(3, 4), function(x) return x:view(-1, 2, 2, 1) * 100 end) }
    assert.is_true(loud:sample({ n = 8 }):abs():max():item() <= 1)
  end)

  it("refuses what it cannot be made of, and what it cannot judge", function()
    fails("is missing", Gan, {})
    fails("critic: expected a critic: lt.gan.Critic { net = ... }, got table", small, { critic = mlp(2, 1) })
    fails("loss: expected the name of one of lt.gan.losses", small, { loss = "best" })
    fails("negative_weight: this critic reads no captions", small, { negative_weight = 1 })
    fails("unknown option \"r3\"", small, { r3 = 1 })
    fails("the critic's own encoder", function()
      local text = TextEncoder { "a" }
      small { text = text, critic = Gan.Critic { net = mlp(2, 1), text = text } }
    end)
    local gan = small()
    fails("bad argument #1 to 'critic_loss' (x: the generator paints (4,2), got (4,3))", gan.critic_loss, gan,
      core.zeros(4, 3))
    fails("cond.detail: expected (2,3), got (2,4)", gan.sample, gan, { detail = core.zeros(2, 4) })
    fails("x: expected tensor, got nil", small({ loss = "relativistic" }).loss, small { loss = "relativistic" })
  end)
end)

describe("a gan that diverges", function()
  it("stops with step and reason, and the last good checkpoint stays", function()
    local folder = child.folder()
    local gan = small { loss = "least_squares" }
    local optimizer = optim.SGD(gan.critic:parameters(), { lr = 0.01 })
    local run = train.run { save = folder, steps = 10, every = 2, model = gan, optimizer = optimizer,
                            progress = false }
    local good
    local message = fails("step 5: gan: the loss of the critic is", function()
      for step in run:steps() do
        local x = core.randn(4, 2) * (step == 5 and 1e30 or 1)
        optimizer:zero_grad()
        gan:critic_loss(x):backward()
        optimizer:step()
        if step == 4 then good = gan:state() end
      end
    end)
    assert.is_truthy(message:find("pictures x have run away, to", 1, true), message)
    local again = train.run { save = folder, steps = 10, model = small(), progress = false, resume = true,
                              optimizer = optim.SGD(gan.critic:parameters(), { lr = 0.01 }) }
    assert.equal(4, again.step)
    for name, t in pairs(again.model:state()) do assert.same(good[name]:totable(), t:totable()) end
    child.remove(folder)
  end)

  it("names the first thing that is not finite", function()
    local function told(text, spoil)
      local gan = small { loss = "least_squares" }
      local x = spoil(gan) or core.randn(4, 2)
      fails(text, gan.critic_loss, gan, x)
    end
    told("step 1: gan: the loss of the critic is nan: parameter 0.weight of the generator is not finite", function(gan)
      gan.generator[1].weight:detach():fill_(0 / 0)
    end)
    told("parameter net.4.bias of the critic is not finite", function(gan)
      gan.critic.net[5].bias:detach():fill_(1 / 0)
    end)
    told("pictures x are not finite, though all parameters are", function() return core.full({ 4, 2 }, 0 / 0) end)
    told("scores of real pictures have run away, to 1e+15", function(gan)
      gan.critic.net[5].bias:detach():fill_(1e15)
    end)
    local gan = small()
    gan.generator[5].bias:detach():fill_(1 / 0)
    fails("the loss of the generator is nan: parameter 4.bias of the generator is not finite", gan.loss, gan)
  end)
end)
