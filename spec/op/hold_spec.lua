-- hold: a clamp from outside of which the gradient that leads back in passes.
local core = require "laterna.core"
local fails = require "spec.support.fails"

-- dx of every x for every dy.
local function gradients(xs, dy)
  local x = core.tensor(xs, { requires_grad = true })
  x:hold(-1, 2):backward(core.full({ #xs }, dy))
  return x.grad:totable()
end

describe("hold", function()
  it("has a clamp's values", function()
    local x = core.tensor { -1e30, -1.5, -1, 0.25, 2, 2.5, math.huge, -math.huge }
    assert.same(x:clamp(-1, 2):totable(), x:hold(-1, 2):totable())
    local nan = core.tensor({ 0 / 0 }):hold(-1, 2):item()
    assert.is_true(nan ~= nan)
    assert.same({ 0, 3 }, core.hold(core.zeros(0, 3), -1, 2).shape)
  end)

  it("lets gradients through inside, on the borders, and outside those that lead back", function()
    local xs = { -5, -1, 0, 2, 7 }
    assert.same({ 0, 3, 3, 3, 3 }, gradients(xs, 3)) -- a step along -3 leads down: not from below
    assert.same({ -3, -3, -3, -3, 0 }, gradients(xs, -3))
    assert.same({ 0, 0, 0, 0, 0 }, gradients(xs, 0))
    assert.same({ 0, math.huge }, gradients({ -5, 5 }, math.huge))
  end)

  it("hides no NaN", function()
    for _, v in ipairs(gradients({ -5, 0, 5 }, 0 / 0)) do assert.is_true(v ~= v) end
  end)

  it("is the same for many numbers, in pieces for threads", function()
    local n = 200001
    local x = core.randn(n) * 3
    local dy = core.randn(n)
    local leaf = x:clone():requires_grad_(true)
    leaf:hold(-1, 2):backward(dy)
    local out = core.maximum(x:gt(2) * dy:lt(0), x:lt(-1) * dy:gt(0))
    assert.equal(0, (leaf.grad - dy * (1 - out)):abs():max():item())
    assert.is_true(out:sum():item() > 1000)
  end)

  it("has gradients of gradients, outside too", function()
    local x = core.tensor({ 0.5, 5 }, { requires_grad = true })
    local y = x:hold(-1, 2):square() * x
    local dx = core.grad(y:sum(), { x }, { create_graph = true })[1]
    dx:sum():backward()
    -- inside y = x^3; at 5, held at 2, d/dx (h^2 x) = 2 h x h' + h^2 with h' = 1, and that once more
    assert.near(6 * 0.5, x.grad[1]:item(), 1e-5)
    assert.near(2 * 5 + 4 * 2, x.grad[2]:item(), 1e-5)
  end)

  it("refuses bounds that are none", function()
    fails("low", function() core.hold(core.ones(2), 2, 1) end)
    fails("low", function() core.hold(core.ones(2), 0 / 0, 1) end)
    fails("high", function() core.hold(core.ones(2), 0) end)
    fails("x", function() core.hold(core.zeros(2, { dtype = "int32" }), 0, 1) end)
  end)
end)
