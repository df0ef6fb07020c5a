-- The diffusion over details: a path that runs both ways, a density that is counted right, a bound below it.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local optim = require "laterna.optim"
local support = require "spec.support.prior"
local Diffusion = require("laterna.prior").Diffusion

local normal = support.normal
local function shaken(d, options) return support.shaken(Diffusion(d, options), 0.2) end

describe("the diffusion prior", function()
  before_each(function() core.manual_seed(3) end)

  it("starts as N(0, I), and so does its bound #slow", function()
    local z, prior = core.randn(400, 3), Diffusion(3)
    assert.is_true((prior:log_prob(z) - normal(z)):abs():max():item() < 1e-4)
    assert.is_true((prior:inverse(z) - z):abs():max():item() < 1e-6)
    local sum = 0
    for _ = 1, 40 do sum = sum + prior:bound(z):mean():item() / 40 end
    -- noise of a level that is never trained costs (exp(LOUD) and exp(-QUIET)) next to nothing
    assert.near(normal(z):mean():item(), sum, 0.1)
  end)

  it("runs back to where it came from", function()
    local prior, z, c = shaken(4, { condition = 3, hidden = 16 }), core.randn(6, 4), core.randn(6, 3)
    local _, u = prior:log_prob(z, c)
    assert.is_true((u - z):abs():max():item() > 0.1)
    assert.is_true((prior:inverse(u, c) - z):abs():max():item() < 2e-3)
  end)

  it("has the log-determinant of its numeric Jacobian", function()
    local prior, z, c = shaken(3, { condition = 2, hidden = 16 }), core.randn(1, 3), core.randn(1, 2)
    local numeric, told = support.logdets(prior, z, c, 1e-2)
    assert.near(numeric, told, 1e-2)
  end)

  it("learns by its bound a distribution that depends on the condition #training", function()
    -- two points, +-1.5, with deviation 0.3, and N(2 side, 0.5^2): both sides of the caption have the same entropy
    local function data(n)
      local side = core.randint(0, 1, { n }):float():view(n, 1) * 2 - 1
      local which = core.randint(0, 1, { n }):float():view(n, 1) * 2 - 1
      return core.cat({ which * 1.5 + core.randn(n, 1) * 0.3, side * 2 + core.randn(n, 1) * 0.5 }, 2), side
    end
    local prior = Diffusion(2, { condition = 1, hidden = 32 })
    local optimizer = optim.Adam(prior:parameters(), { lr = optim.schedule.cosine(1e-2, 500) })
    for _ = 1, 500 do
      local z, c = data(128)
      local loss = -prior:bound(z, c):mean()
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    local z, c = data(1000)
    local entropy = math.log(2) + math.log(2 * math.pi) + 1 + math.log(0.3) + math.log(0.5)
    local found = core.no_grad(prior.log_prob, prior, z, c):mean():item()
    assert.near(-entropy, found, 0.15)
    local bound = 0
    for _ = 1, 20 do bound = bound + core.no_grad(prior.bound, prior, z, c):mean():item() / 20 end
    assert.is_true(bound < found + 0.03, bound .. " is no bound of " .. found)
    local drawn = core.no_grad(prior.inverse, prior, core.randn(1000, 2), core.ones(1000, 1))
    assert.near(2, drawn:mean(1)[2]:item(), 0.1)
    assert.near(0.5, drawn:std(1)[2]:item(), 0.1)
    local first = drawn:abs():mean(1)[1]:item()
    assert.near(1.5, first, 0.1)
  end)

  it("sends gradients through its bound to the details", function()
    local prior = shaken(3, { hidden = 8 })
    local z = core.randn(4, 3):requires_grad_(true)
    prior:bound(z, nil, core.generator(1)):sum():backward()
    local slope, h = z.grad[2][1]:item(), 1e-2
    local step = core.zeros(4, 3)
    step[2][1] = h
    local function at(y) return core.no_grad(prior.bound, prior, y, nil, core.generator(1)):sum():item() end
    assert.near((at(z:detach() + step) - at(z:detach() - step)) / (2 * h), slope, 2e-2 * math.max(1, math.abs(slope)))
  end)

  it("refuses what does not fit", function()
    fails("z: expected (n,3), got (2,4)", function() Diffusion(3):log_prob(core.randn(2, 4)) end)
    fails("c: expected the captions' vectors, got nil", function()
      Diffusion(3, { condition = 2 }):inverse(core.randn(2, 3))
    end)
    fails("c: expected (2,2), got (3,2)", function()
      Diffusion(3, { condition = 2 }):bound(core.randn(2, 3), core.randn(3, 2))
    end)
    fails("unknown option", Diffusion, 3, { layers = 2 })
  end)
end)
