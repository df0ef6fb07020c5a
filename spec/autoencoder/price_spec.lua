-- Prices of the detail: a rate that is held whatever the unit of the loss is.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local price = Autoencoder.price

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
  it("is held whatever the unit of the generator's loss is", function()
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
    local dual = ae.price.dual:totable()
    assert.same(dual, other.price.dual:totable())
    local x = core.randn(8, 2, 2, 1)
    local _, log = ae:loss(x, { beta = 0.25 })
    assert.equal(0.25, log.beta)
    ae:eval()
    ae:loss(x)
    assert.same(dual, ae.price.dual:totable())
    ae:train()
    ae:loss(x)
    assert.not_same(dual, ae.price.dual:totable())
    for _, p in ipairs(ae:parameters()) do assert.is_false(rawequal(p, ae.price.dual)) end
  end)

  it("is refused beside a price of one's own", function()
    fails("price: beta, free and rate are options of price.kl", function()
      Autoencoder { extractor = Straight(), generator = Teller(1), detail = 4, rate = 4, price = price.kl() }
    end)
    fails("rate", function() price.kl { rate = -1 } end)
    fails("beta: with a rate it begins above 0", function() price.kl { rate = 1, beta = 0 } end)
  end)
end)
