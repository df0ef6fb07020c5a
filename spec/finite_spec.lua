-- Numbers that are not finite: whether, where, and when.

local core = require "laterna.core"
local finite = require "laterna.finite"
local nn = require "laterna.nn"
local train = require "laterna.train"

describe("what is not finite", function()
  it("is seen in a tensor, however many signs cancel", function()
    assert.is_true(finite.is_finite(core.tensor { 1, -3e38, 0 }))
    assert.is_true(finite.is_finite(core.zeros(0, 3)))
    for _, bad in ipairs { 0 / 0, math.huge, -math.huge } do
      assert.is_false(finite.is_finite(core.tensor { 1, bad, 2 }))
    end
    assert.is_false(finite.is_finite(core.tensor { math.huge, -math.huge }))
  end)

  it("is named, the first of a model", function()
    local model = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    assert.is_nil(finite.first_value(model))
    assert.is_nil(finite.first_gradient(model))
    model(core.ones(1, 1)):sum():backward()
    assert.is_nil(finite.first_gradient(model))
    local function spoil(t) core.no_grad(t.fill_, t, 0 / 0) end
    spoil(model[2].bias)
    assert.equal("1.bias", finite.first_value(model))
    spoil(model[1].weight.grad)
    assert.equal("0.weight", finite.first_gradient(model))
    model[1].weight:requires_grad_(false)
    assert.is_nil(finite.first_gradient(model))
  end)

  it("is told with the step of the innermost loop", function()
    local function run(steps) return train.run { model = nn.Linear(1, 1), steps = steps, progress = false } end
    assert.equal("", finite.where())
    for step in run(3):steps() do
      assert.equal(("step %d: "):format(step), finite.where())
      if step == 2 then
        for _ in run(7):steps() do end
        assert.equal("step 2: ", finite.where())
      end
    end
    assert.equal("", finite.where())
    pcall(function()
      for _ in run(1):steps() do error "stop" end
    end)
    assert.equal("", finite.where())
  end)
end)
