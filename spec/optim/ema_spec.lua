-- Averages of weights.

local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

describe("an average", function()
  it("follows the model and shares nothing with it", function()
    local model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm2d(2))
    nn.init.constant_(model[1].weight, 1)
    local ema = optim.Ema(model, 0.75, { warmup = false })
    assert.is_false(ema.model.training)
    assert.is_true(model.training)
    assert.is_false(ema.model[1].weight.requires_grad)
    nn.init.constant_(model[1].weight, 2)
    core.no_grad(model[2].running_mean.fill_, model[2].running_mean, 3)
    ema:update()
    assert.same({ { 1.25, 1.25 }, { 1.25, 1.25 } }, ema.model[1].weight:totable())
    assert.same({ 3, 3 }, ema.model[2].running_mean:totable())
    ema:update()
    assert.equal(1.4375, ema.model[1].weight[1][1]:item())
    assert.equal(2, model[1].weight[1][1]:item())
  end)

  it("may change its pace, and is saved", function()
    local model = nn.Linear(1, 1, { bias = false })
    nn.init.zeros_(model.weight)
    local ema = optim.Ema(model, function(update) return update == 1 and 0 or 0.5 end)
    nn.init.ones_(model.weight)
    ema:update()
    assert.equal(1, ema.model.weight:item())
    nn.init.constant_(model.weight, 3)
    ema:update()
    assert.equal(2, ema.model.weight:item())
    local other = optim.Ema(model, 0.5)
    other:load_state(ema:state())
    assert.equal(2, other.model.weight:item())
    assert.equal(2, other.updates)
  end)

  it("warms up unless it is told not to", function()
    local function path(...)
      local model, out = nn.Linear(1, 1, { bias = false }), {}
      nn.init.zeros_(model.weight)
      local ema = optim.Ema(model, ...)
      nn.init.ones_(model.weight)
      for t = 1, 40 do
        ema:update()
        out[t] = ema.model.weight:item()
      end
      return out
    end
    local function expect(rate, got)
      local average = 0
      for t = 1, 40 do
        local d = rate(t)
        average = d * average + 1 - d
        assert.is_true(math.abs(average - got[t]) < 1e-6, ("update %d: %g, not %g"):format(t, got[t], average))
      end
    end
    local function warm(t) return (1 + t) / (10 + t) end
    expect(warm, path())
    expect(warm, path(nil, { warmup = true }))
    expect(function(t) return math.min(0.6, warm(t)) end, path(0.6))
    expect(function() return 0.6 end, path(0.6, { warmup = false }))
    expect(function() return 0.999 end, path(nil, { warmup = false }))
    expect(function(t) return t / (t + 1) end, path(function(t) return t / (t + 1) end))
    expect(function() return 0 end, path(0))
  end)

  it("refuses what is no model and no pace", function()
    assert.error_matches(function() optim.Ema {} end, "bad argument #1 to 'Ema' %(model: expected a module, got table")
    assert.error_matches(function() optim.Ema(nn.Linear(1, 1), 2) end, "decay: expected number from 0 to 1, got 2")
    assert.error_matches(function() optim.Ema(nn.Linear(1, 1), 0.9, { warm = 1 }) end,
      'bad argument #3 to \'Ema\' %(unknown option "warm", did you mean "warmup"%? known: warmup')
    assert.error_matches(function() optim.Ema(nn.Linear(1, 1), 0.9, { warmup = 10 }) end, "warmup: expected boolean")
    assert.error_matches(function() optim.Ema(nn.Linear(1, 1), math.sqrt, { warmup = true }) end,
      "a function is taken as it is")
    local ema = optim.Ema(nn.Linear(1, 1), function() return 0 / 0 end)
    assert.error_matches(function() ema:update() end, "decay: expected number from 0 to 1")
    assert.has_error(function() ema:load_state {} end)
    local before = ema.model:state().weight:to_string()
    for _, updates in ipairs { -1, 1.0, 0 / 0, 1 << 60, "1" } do
      local state = { tensors = nn.Linear(1, 1):state(), numbers = { updates = updates } }
      assert.error_matches(function() ema:load_state(state) end, "updates: expected a count")
    end
    local state = { tensors = { weight = core.full({ 1, 1 }, 0 / 0), bias = core.ones(1) }, numbers = { updates = 1 } }
    assert.error_matches(function() ema:load_state(state) end, "weight: it holds numbers that are not finite")
    assert.equal(before, ema.model:state().weight:to_string())
  end)
end)
