-- Batch norm's statistics, measured anew.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local function net()
  return nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5), nn.spectral_norm(nn.Linear(2, 3)), nn.BatchNorm2d(3))
end

describe("reestimate", function()
  before_each(function() core.manual_seed(8) end)

  it("gives the mean of the batches' means and variances, whatever was there before", function()
    local bn, batches = nn.BatchNorm2d(2), {}
    core.no_grad(bn.running_mean.fill_, bn.running_mean, 0 / 0)
    local mean, var = 0, 0
    for k = 1, 5 do
      batches[k] = core.randn(7, 2) * k + k
      mean, var = mean + batches[k]:mean(1) * (1 / 5), var + batches[k]:var(1) * (1 / 5)
    end
    local model, count = nn.reestimate(bn, batches)
    assert.equal(bn, model)
    assert.equal(5, count)
    assert.is_true((bn.running_mean - mean):abs():max():item() < 1e-5)
    assert.is_true((bn.running_var - var):abs():max():item() < 1e-4)
    assert.near(0.1, bn.momentum, 1e-12)
  end)

  it("makes averaged weights what they are in training mode on those data", function()
    local model = net()
    local ema = optim.Ema(model, 0.5)
    core.no_grad(function() for _, p in ipairs(model:parameters()) do p:add_(core.randn(p.shape)) end end)
    ema:update()
    local x = core.randn(64, 2) * 3 + 1
    nn.reestimate(ema.model, { x })
    local copy = ema.model:clone()
    copy[1]:train()
    copy[4]:train()
    -- the running variance is the unbiased one
    assert.is_true((copy(x) - ema.model(x)):abs():max():item() < 0.1)
  end)

  it("leaves modes, spectral vectors and random state alone, and records nothing", function()
    local model, x = net(), core.randn(8, 2)
    model[2]:eval()
    local u, random = model[3].weight_u:totable(), core.default_generator():state()
    nn.reestimate(model, { x, x })
    assert.same(u, model[3].weight_u:totable())
    assert.equal(random, core.default_generator():state())
    assert.same({ true, false, true, true },
      { model[1].training, model[2].training, model[3].training, model[4].training })
    assert.is_nil(model[3].weight.grad)
  end)

  it("takes data as a run does, and runs the model as it is told", function()
    local bn = nn.BatchNorm2d(1)
    local function count(data, options) return select(2, nn.reestimate(bn, data, options)) end
    local function some(k) return k <= 4 and core.ones(2, 1) * k or nil end
    assert.equal(4, count(some))
    assert.near(2.5, bn.running_mean:item(), 1e-6)
    assert.equal(3, count(some, { batches = 3 }))
    local calls = 0
    local endless = { next = function()
      calls = calls + 1
      return { x = core.ones(2, 1) * calls }
    end }
    assert.equal(100, count(endless))
    assert.equal(100, calls)
    count({ 1, 2 }, { forward = function(m, k) m(core.full({ 2, 1 }, 10 * k)) end })
    assert.near(15, bn.running_mean:item(), 1e-5)
  end)

  it("changes nothing when it fails", function()
    local model = net():train()
    local before = model:state()
    fails("data: batch 2 makes the statistics of 0 not finite", nn.reestimate, model,
      { core.randn(4, 2), core.full({ 4, 2 }, 0 / 0) })
    fails("oops", nn.reestimate, model, { 1 }, { forward = function(m) m(core.randn(4, 2)) error("oops", 0) end })
    for name, t in pairs(model:state()) do assert.same(before[name]:totable(), t:totable()) end
    assert.is_true(model[2].training)
    assert.near(0.1, model[1].momentum, 1e-12)
  end)

  it("refuses what it cannot use", function()
    fails("model: expected a module, got 3", nn.reestimate, 3, {})
    fails("model: it has no batch norm", nn.reestimate, nn.Linear(1, 1), {})
    fails("data: expected a list of batches", nn.reestimate, nn.BatchNorm2d(1), 3)
    for _, batch in ipairs { 3, { x = 1 } } do
      fails("data: batch 1: expected a tensor, or a table with the tensor x, got", nn.reestimate, nn.BatchNorm2d(1),
        { batch })
    end
    fails("data: it has no batch", nn.reestimate, nn.BatchNorm2d(1), {})
    fails("unknown option", nn.reestimate, nn.BatchNorm2d(1), {}, { batch = 1 })
  end)
end)
