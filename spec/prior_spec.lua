-- The learned prior: a flow that runs both ways and counts its volume right.
local core = require "laterna.core"
local optim = require "laterna.optim"
local support = require "spec.support.prior"
local Flow = require("laterna.prior").Flow

local function shaken(d, options) return support.shaken(Flow(d, options), 0.3) end

describe("the flow prior", function()
  before_each(function() core.manual_seed(3) end)

  it("starts as N(0, I)", function()
    local z = core.randn(4, 3)
    local got = Flow(3):log_prob(z):totable()
    for i, row in z:rows() do
      assert.near(-0.5 * ((row * row):sum():item() + 3 * math.log(2 * math.pi)), got[i], 1e-5)
    end
  end)

  it("runs back to where it came from", function()
    for _, d in ipairs { 2, 5 } do
      local flow, z, c = shaken(d, { condition = 4, hidden = 16 }), core.randn(6, d), core.randn(6, 4)
      local _, u = flow:log_prob(z, c)
      assert.is_true((flow:inverse(u, c) - z):abs():max():item() < 1e-3)
    end
  end)

  it("has the log-determinant of its numeric Jacobian", function()
    local flow, z, c = shaken(3, { condition = 2, hidden = 16 }), core.randn(1, 3), core.randn(1, 2)
    local numeric, told = support.logdets(flow, z, c, 1e-2)
    assert.near(numeric, told, 5e-3)
  end)

  it("learns a distribution that depends on the condition, to its entropy #training", function()
    -- N(+-3, 0.5^2) by the condition, and a second coordinate that follows the first
    local function data(n)
      local side = core.randint(0, 1, { n }):float():view(n, 1) * 2 - 1
      local a = side * 3 + core.randn(n, 1) * 0.5
      return core.cat({ a, a * 0.5 + core.randn(n, 1) * 0.2 }, 2), side
    end
    local flow = Flow(2, { condition = 1, hidden = 32, layers = 4 })
    local optimizer = optim.Adam(flow:parameters(), { lr = optim.schedule.cosine(5e-3, 600) })
    for _ = 1, 600 do
      local z, c = data(256)
      local loss = -flow:log_prob(z, c):mean()
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    local z, c = data(4000)
    local entropy = math.log(2 * math.pi) + 1 + math.log(0.5) + math.log(0.2)
    assert.near(entropy, -flow:log_prob(z, c):mean():item(), 0.03)
    local drawn = flow:inverse(core.randn(2000, 2), core.ones(2000, 1))
    assert.near(3, drawn:mean(1)[1]:item(), 0.1)
  end)

  it("refuses what makes no flow", function()
    assert.has_error(function() Flow(1) end)
    assert.has_error(function() Flow(2, { layer = 1 }) end)
  end)
end)
