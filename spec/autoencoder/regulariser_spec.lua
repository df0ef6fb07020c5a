-- Prices of the detail: a rate that is held whatever the unit of the loss is.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local regulariser = Autoencoder.regulariser

-- A generator whose loss is known: the squared error of a vector that is to be told, in a unit of one's own.
local Teller = nn.class("Teller", function(self, unit)
  self.unit, self.scale = unit, core.ones(4)
end)
function Teller:loss(x, cond)
  local error2 = (x:flatten(2) - cond.detail * self.scale):square():mean()
  return error2 * self.unit, { mse = error2:item() }
end
function Teller.sample() end

local Straight = nn.class("Straight", function(self)
  self.mu, self.logvar = nn.Linear(4, 4), core.zeros(4)
end)
function Straight:forward(x)
  x = x:flatten(2)
  return core.cat({ self.mu(x), self.logvar + core.zeros(x.shape) }, 2)
end

local function train(unit, rate, steps)
  local ae = Autoencoder { extractor = Straight(), generator = Teller(unit), detail = 4, rate = rate }
  local optimizer, mean = optim.Adam(ae:parameters(), { lr = 1e-2 }), 0
  local log
  for step = 1, steps do
    local loss
    loss, log = ae:loss(core.randn(64, 2, 2, 1))
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    if step > steps - 50 then mean = mean + log.kl / 50 end
  end
  return mean, log.beta, ae
end

describe("a target rate", function()
  it("is held whatever the unit of the generator's loss is #training", function()
    core.manual_seed(5)
    local betas = {}
    for i, unit in ipairs { 1e-3, 1, 1e3 } do
      local kl, beta = train(unit, 4, 1200)
      assert.near(4, kl, 0.3)
      betas[i] = beta / unit
    end
    -- beta is the slope of distortion over rate, for gaussians -dD/dR = 2 D / d, with D = exp(-2R/d)
    for _, beta in ipairs(betas) do
      assert.near(1, beta / (2 / 4 * math.exp(-2 * 4 / 4)), 0.3)
    end
  end)

  it("is saved with the weights, rests in evaluation mode and where beta is given", function()
    core.manual_seed(6)
    local _, _, ae = train(1, 4, 20)
    local other = Autoencoder { extractor = Straight(), generator = Teller(1), detail = 4, rate = 4 }
    other:load_state(ae:state())
    local dual = ae.regulariser.dual:totable()
    assert.same(dual, other.regulariser.dual:totable())
    local x = core.randn(8, 2, 2, 1)
    local _, log = ae:loss(x, { beta = 0.25 })
    assert.equal(0.25, log.beta)
    ae:eval()
    ae:loss(x)
    assert.same(dual, ae.regulariser.dual:totable())
    ae:train()
    ae:loss(x)
    assert.not_same(dual, ae.regulariser.dual:totable())
    for _, p in ipairs(ae:parameters()) do assert.is_false(rawequal(p, ae.regulariser.dual)) end
  end)

  it("is refused beside a regulariser of one's own", function()
    fails("regulariser: beta, free and rate are options of regulariser.kl", function()
      Autoencoder { extractor = Straight(), generator = Teller(1), detail = 4, rate = 4,
                    regulariser = regulariser.kl() }
    end)
    fails("rate", function() regulariser.kl { rate = -1 } end)
    fails("beta: with a rate it begins above 0", function() regulariser.kl { rate = 1, beta = 0 } end)
  end)
end)

describe("the regulariser of InfoVAE", function()
  it("is nothing for details that are drawn as they should be, and much for others #slow", function()
    core.manual_seed(2)
    for _, kernel in ipairs { "imq", "rbf" } do
      local mmd = regulariser.mmd { weight = 1, beta = 0, kernel = kernel }
      local function of(z)
        local _, log = mmd:penalty({ z = z, mu = z, logvar = core.zeros(z.shape) }, {})
        return log.mmd
      end
      local right, shifted, narrow = 0, 0, 0
      for _ = 1, 10 do
        local z = core.randn(200, 3)
        right, shifted, narrow = right + of(z) / 10, shifted + of(z + 1) / 10, narrow + of(z * 0.3) / 10
      end
      assert.is_true(math.abs(right) < 0.01)
      assert.is_true(shifted > 0.05 and narrow > 0.05, kernel .. " " .. shifted .. " " .. narrow)
    end
  end)

  it("draws details towards the prior, and teaches a learned prior without being taught by it", function()
    core.manual_seed(3)
    local prior = require("laterna.prior").Flow(4)
    local ae = Autoencoder { extractor = Straight(), generator = Teller(1), detail = 4, prior = prior,
                             regulariser = regulariser.mmd { weight = 10 } }
    local loss, log = ae:loss(core.randn(32, 2, 2, 1) + 2)
    loss:backward()
    assert.is_true(log.mmd > 0 and log.kl == log.kl)
    assert.is_true(prior.couplings[1][5].weight.grad:norm():item() > 0)
    assert.is_true(ae.extractor.mu.weight.grad:norm():item() > 0)
    fails("posterior.z: expected at least two details", function() ae:loss(core.randn(1, 2, 2, 1)) end)
  end)
end)

describe("finite scalar quantisation", function()
  it("rounds to its levels, all of which are reached, and lets gradients pass", function()
    local fsq = regulariser.fsq { levels = { 8, 5, 2 } }
    local out = core.linspace(-6, 6, 200):view(200, 1):expand(200, 4):clone():requires_grad_(true)
    local seen = fsq:read(out)
    for i, count in ipairs { 8, 5, 2, 8 } do
      local found, n = {}, 0
      for _, row in ipairs(seen.z:totable()) do
        local k = row[i] * (count // 2)
        assert.near(math.floor(k + 0.5), k, 1e-5)
        if not found[math.floor(k + 0.5)] then found[math.floor(k + 0.5)], n = true, n + 1 end
      end
      assert.equal(count, n)
      assert.is_true(found[-(count // 2)])
    end
    seen.z:sum():backward()
    assert.is_true(out.grad:narrow(1, 50, 50):min():item() > 0)
  end)

  it("is a detail like any other: painted from, drawn, measured", function()
    core.manual_seed(4)
    local One = nn.class("One", function(self) self.mu = nn.Linear(4, 4) end)
    function One:forward(x) return self.mu(x:flatten(2)) end
    local function make(learned)
      return Autoencoder { extractor = One(), generator = Teller(1), detail = 4,
                           regulariser = regulariser.fsq { levels = { 4, 3 }, learned = learned } }
    end
    local x = core.randn(16, 2, 2, 1)
    local ae = make(false)
    assert.near(2 * math.log(4) + 2 * math.log(3), ae:gap(x):mean():item(), 1e-4)
    ae = make(true)
    local loss, log = ae:loss(x)
    loss:backward()
    assert.near(2 * math.log(4) + 2 * math.log(3), log.kl, 1e-4)
    assert.is_true(ae.extractor.mu.weight.grad:norm():item() > 0)
    assert.is_true(ae.prior.nets[1].grad:norm():item() > 0)
    local z, logvar = ae:encode(x)
    assert.is_nil(logvar)
    assert.is_true((ae:from_noise(ae:to_noise(z)) - z):abs():max():item() < 1e-6)
    fails("prior: this regulariser brings its own", function()
      Autoencoder { extractor = One(), generator = Teller(1), detail = 4,
                    regulariser = regulariser.fsq { levels = { 4 } },
                    prior = require("laterna.prior").Flow(4) }
    end)
  end)
end)
