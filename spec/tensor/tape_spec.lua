-- The tape: what is recorded, what backward does with it, what it refuses.
local core = require "laterna.core"

local function leaf(values) return core.tensor(values, { requires_grad = true }) end
local function list(t) return t:view(-1):totable() end

describe("the tape", function()
  it("gathers gradients in leaves, and adds to what is there", function()
    local x = leaf { 1, 2, 3 }
    assert.is_nil(x.grad)
    for _ = 1, 2 do (x * x):sum():backward() end
    assert.same({ 4, 8, 12 }, list(x.grad))
    x:zero_grad()
    assert.is_nil(x.grad)
  end)

  it("sums over every path", function()
    local x = leaf { 3 }
    local a = x * 2
    local y = a * a + a + x
    y:sum():backward()
    assert.same({ 8 * 3 + 2 + 1 }, list(x.grad))
  end)

  it("gives leaves gradients of their own memory", function()
    local a, b = leaf { 1 }, leaf { 1 };
    (a + b):sum():backward()
    a.grad:fill_(7)
    assert.same({ 1 }, list(b.grad))
  end)

  it("records nothing under no_grad, and passes results and errors through", function()
    local x = leaf { 1 }
    local y, n = core.no_grad(function(k) return x * 2, k end, 5)
    assert.is_false(y.requires_grad)
    assert.equal(5, n)
    assert.has_error(function() core.no_grad(error, "mine") end, "mine")
    assert.is_true(core.grad_enabled())
    local co = coroutine.wrap(function() return core.no_grad(coroutine.yield, 1) end)
    assert.equal(1, co())
    assert.equal(2, co(2))
    assert.is_true(core.grad_enabled())
  end)

  it("detach shares memory and has no place", function()
    local x = leaf { 1, 2 }
    local d = (x * 1):detach()
    assert.is_false(d.requires_grad)
    assert.is_true(x.is_leaf)
    assert.is_false((x * 2).is_leaf)
  end)

  it("refuses backward twice, unless the graph is retained", function()
    local x = leaf { 2 }
    local y = (x * x):sum()
    y:backward { retain_graph = true }
    y:backward()
    assert.same({ 8 }, list(x.grad))
    assert.has_error(function() y:backward() end,
      "backward: backward a second time through 'mul': what it saved was freed (retain_graph = true keeps it)")
  end)

  it("names the operation whose saved tensor was edited in place", function()
    local x, w = leaf { 1, 2 }, core.tensor { 3, 4 }
    local y = (x * w):exp()
    w:add_(1)
    assert.has_error(function() y:sum():backward() end,
      "backward: a tensor of shape (2) that 'mul' saved for backward was edited in place")
    local z = x:exp()
    z:detach():zero_() -- exp saves its output
    assert.has_error(function() z:sum():backward() end,
      "backward: a tensor of shape (2) that 'exp' saved for backward was edited in place")
  end)

  it("refuses in-place edits of what wants gradients", function()
    local x = leaf { 1 }
    assert.has_error(function() x:add_(1) end)
    assert.has_error(function() x[1] = 2 end)
    assert.has_error(function() (x * 1):zero_() end)
    core.no_grad(function() x:add_(1) end)
    assert.same({ 2 }, list(x))
  end)

  it("needs a scalar, or a gradient to start from", function()
    local x = leaf { 1, 2 }
    assert.has_error(function() (x * 2):backward() end)
    assert.has_error(function() core.ones(1):backward() end)
    assert.has_error(function() (x * 2):backward(core.ones(3)) end)
    ;(x * 2):backward(core.tensor { 1, 10 })
    assert.same({ 2, 20 }, list(x.grad))
  end)

  it("grad leaves .grad alone and says false where nothing depends", function()
    local x, y = leaf { 3 }, leaf { 4 }
    local mid = x * x
    local g = core.grad((mid * 2):sum(), { x, mid, y })
    assert.same({ 12 }, list(g[1]))
    assert.same({ 2 }, list(g[2]))
    assert.is_false(g[3])
    assert.is_nil(x.grad)
    assert.has_error(function() core.grad(mid:sum(), { core.ones(1) }) end)
  end)

  it("differentiates gradients again", function()
    local x = leaf { 0.5 }
    local g = core.grad(x:sin():sum(), { x }, { create_graph = true })[1]
    local g2 = core.grad(g:sum(), { x })[1]
    assert.near(-math.sin(0.5), g2:item(), 1e-6)
    local y = leaf { 0.5 }
    y:sin():sum():backward { create_graph = true }
    local penalty = (y.grad * y.grad):sum()
    y:zero_grad()
    penalty:backward()
    assert.near(-2 * math.cos(0.5) * math.sin(0.5), y.grad:item(), 1e-6)
  end)

  it("says when a third derivative is asked for", function()
    local x = leaf { 0.5 }
    local g = core.grad(x:sin():sum(), { x }, { create_graph = true })[1]
    assert.has_error(function() core.grad(g:sum(), { x }, { create_graph = true }) end,
      "grad: the third derivative of 'sin' is not available")
  end)

  it("walks a chain of 100,000 operations, and frees it #slow", function()
    local x = leaf { 1 }
    local y = x
    for _ = 1, 100000 do y = y + 1 end
    y:sum():backward()
    assert.same({ 1 }, list(x.grad))
  end)

  it("gives activations back while it walks #slow", function()
    collectgarbage() collectgarbage()
    local x = core.ones(1000, { requires_grad = true })
    local before = core.memory().live
    local y = x
    for _ = 1, 50 do
      local last = y
      y = y:exp():log()
      if last ~= x then last:free() end
    end
    assert.is_true(core.memory().live - before > 50 * 4000)
    y:sum():backward()
    collectgarbage() collectgarbage()
    assert.is_true(core.memory().live - before < 10 * 4200)
  end)

  it("only leaves of floats may ask for gradients", function()
    assert.has_error(function() core.zeros(2, { dtype = "int32" }):requires_grad_() end)
    assert.has_error(function() (leaf { 1 } * 2):requires_grad_(false) end)
    assert.is_false(leaf({ 1 }):requires_grad_(false).requires_grad)
  end)
end)

describe("a gradient that can be differentiated again", function()
  local function blocks()
    collectgarbage() collectgarbage()
    return core.memory().count
  end

  it("and its leaf do not hold each other once nobody holds the leaf", function()
    local before = blocks()
    for _ = 1, 20 do
      local x, w = core.ones(100, { requires_grad = true }), core.ones(100, { requires_grad = true });
      (x * w * x):sum():backward { create_graph = true }
      assert.is_true(x.grad.requires_grad and w.grad.requires_grad)
    end
    assert.equal(before, blocks())
  end)

  it("goes with the leaf that wants it no more, and with zero_grad", function()
    local before = blocks()
    local x = core.ones(100, { requires_grad = true })
    for _, forget in ipairs { x.zero_grad, function(t) t:requires_grad_(false) end } do
      x:requires_grad_(true);
      (x * x):sum():backward { create_graph = true }
      forget(x)
      assert.equal(before + 1, blocks())
    end
  end)

  it("stays whole for who holds it without the leaf", function()
    local x = leaf { 3 };
    (x * x * x):sum():backward { create_graph = true }
    local g = x.grad
    x = nil -- luacheck: ignore
    collectgarbage() collectgarbage()
    local y = leaf { 1 };
    (g * y):sum():backward()
    assert.same({ 27 }, list(y.grad))
  end)

  it("is not gathered where the leaf is gone", function()
    local before = blocks()
    local y = leaf { 3 }
    local z = (y * y):sum() * leaf { 2 }
    collectgarbage() collectgarbage()
    z:backward { create_graph = true }
    assert.same({ 12 }, list(y.grad))
    y, z = nil, nil -- luacheck: ignore
    assert.equal(before, blocks())
  end)
end)
