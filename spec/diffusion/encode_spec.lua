-- The ODE walked backwards, against its exact solution, and there and back again.
local core = require "laterna.core"
local ideal = require "spec.support.ideal"
local nn = require "laterna.nn"

local KINDS = { "eps", "x0", "v", "velocity", "edm" }
local SCHEDULES = { "cosine", "flow", "linear", "edm" }

local function worst(a, b)
  return (a - b):abs():max():item()
end

describe("encode", function()
  before_each(function() core.manual_seed(6) end)

  it("finds the noise of Gaussian data, with every schedule and prediction #slow", function()
    local x = core.randn(4, 3, 2, 1) * 0.3 + 0.1
    for _, schedule in ipairs(SCHEDULES) do
      for _, kind in ipairs(KINDS) do
        local model = ideal.gaussian(schedule, kind, 0.1, 0.3, { sigma_data = 0.5 })
        local z = model:encode(x, nil, { steps = 60, clip = false })
        local alpha, sigma = model.schedule(1)
        local variance = alpha * alpha * 0.09 + sigma * sigma
        local exact = ((x - 0.1) * (variance ^ 0.5 / 0.3) + alpha * 0.1) / sigma
        assert.is_true(worst(exact, z) < 0.03, ("%s %s: %g"):format(schedule, kind, worst(exact, z)))
      end
    end
  end)

  it("is of second order with heun, of first with ddim", function()
    local model, x = ideal.gaussian("cosine", "v", 0.2, 0.5), core.tensor({ -0.9, -0.2, 0.4, 0.8 }):view(4, 1, 1, 1)
    for sampler, order in pairs { heun = 2, ddim = 1 } do
      local function off(steps)
        local z = model:encode(x, nil, { sampler = sampler, steps = steps, clip = false })
        return worst((x - 0.2) / 0.5, z)
      end
      assert.near(order, math.log(off(10) / off(40), 4), 0.25)
    end
  end)

  it("then sample gives the picture back", function()
    local x = core.rand(5, 3, 2, 1) * 1.6 - 0.8
    for _, model in ipairs { ideal.gaussian("cosine", "v", 0, 0.5), ideal.gaussian("flow", "velocity", 0.3, 0.4),
                             ideal.gaussian("cosine", "eps", 0, 0.5) } do
      local z = model:encode(x)
      assert.is_true(worst(x, model:sample({ n = 5 }, { noise = z, sampler = "heun", steps = 100 })) < 0.01)
    end
  end)

  it("walks the same times as sample, told in the same way", function()
    local model, x = ideal.gaussian("cosine", "v", 0, 0.5), core.rand(2, 3, 2, 1) - 0.5
    local seen = {}
    model:encode(x, nil, { times = { 1, 0.6, 0.1, 0 }, callback = function(at)
      seen[at.step] = at.t
      assert.same(x.shape, at.x.shape)
    end })
    assert.same({ 0.1, 0.6, 1 }, seen)
    local asked
    model:encode(x, nil, { steps = 3, spacing = function(_, n, first)
      asked = { n, first }
      return { 1, 0.5, 0.25, 0 }
    end })
    assert.same({ 3, 1 }, asked)
  end)

  it("leaves mode and pictures as they were", function()
    local Net = nn.class("Net", function(self) self.scale = core.ones(1) end)
    local mode
    function Net:forward(x)
      mode = self.training
      return x * self.scale
    end
    local net = Net()
    local model, x = require "laterna.diffusion" { net = net, size = { 3, 2, 1 } }, core.rand(2, 3, 2, 1)
    local before = x:totable()
    local z = model:encode(x, nil, { steps = 2 })
    assert.is_false(mode)
    assert.is_true(net.training and model.training)
    assert.is_false(z.requires_grad)
    assert.same(before, x:totable())
  end)

  it("refuses in words", function()
    local model, x = ideal.gaussian("cosine", "v", 0, 0.5), core.zeros(1, 3, 2, 1)
    local function fails(message, ...)
      local ok, err = pcall(model.encode, model, ...)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
    end
    fails("bad argument #1 to 'encode' (x: expected pictures (n,h,w,c), got 2 axes)", core.zeros(3, 2))
    fails("bad argument #3 to 'encode' (sampler: expected \"heun\", \"ddim\" or \"euler\"", x, nil, { sampler = "lms" })
    fails("times: expected a list that falls", x, nil, { times = { 0, 0.5, 1 } })
    fails("times: expected number from 0 to 1", x, nil, { times = { 2, 0 } })
    fails("times: expected at least one over 0", x, nil, { times = { 0 } })
    fails("unknown option \"step\"", x, nil, { step = 3 })
    fails("cond: expected table or nil, got 3", x, 3)
  end)
end)
