-- Backward that scripts write, and functions computed again in backward.
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local function leaf(values) return core.tensor(values, { requires_grad = true }) end
local function list(t) return t:view(-1):totable() end
local function seeded(shape, seed)
  return core.randn(shape, { generator = core.generator(seed or 1), requires_grad = true })
end

local function blocks()
  for _ = 1, 3 do collectgarbage() end -- a node, the function that it called, what that function had
  return core.memory().count
end

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

-- a b k and a + b; k is no tensor.
local product = autograd.autograd_function(function(ctx, a, k, b)
  ctx.saved = { a, b }
  ctx.k = k
  return a * b * k, a + b, "a word"
end, function(ctx, dproduct, dsum)
  local a, b = table.unpack(ctx.saved)
  return dproduct * b * ctx.k + dsum, nil, dproduct * a * ctx.k + dsum
end)

describe("a function with a backward of its own", function()
  it("has the gradients that differences say, of several outputs and arguments", function()
    gradcheck.check(function(a, b)
      local y, z = product(a, 3, b)
      return y * z:exp()
    end, { seeded{ 2, 3 }, seeded({ 2, 3 }, 2) })
    local _, _, word = product(seeded{ 2 }, 3, seeded{ 2 })
    assert.equal("a word", word)
  end)

  it("takes an output that nobody uses as zeros, and adds to gradients that come by other ways", function()
    local a, b = leaf { 1, 2 }, leaf { 3, 4 }
    local y, z = product(a * 2, 1, b)
    y:sum():backward { retain_graph = true }
    assert.same({ 6, 8 }, list(a.grad))
    a:zero_grad()
    local total = z:sum() + a:sum() * 10
    total:backward()
    assert.same({ 12, 12 }, list(a.grad))
  end)

  it("says which arguments want a gradient, and records nothing where none does", function()
    local needs
    local f = autograd.autograd_function(function(ctx, x, y)
      needs = ctx.needs
      return x * y
    end, function() error "never called" end)
    assert.is_false(f(core.ones(2), core.ones(2)).requires_grad)
    assert.is_false(core.no_grad(f, leaf { 1 }, leaf { 1 }).requires_grad)
    assert.is_true(f(core.ones(1), leaf { 1 }).requires_grad)
    assert.same({ false, true }, needs)
  end)

  it("calls backward only when something that was asked for lies behind it", function()
    local called = 0
    local f = autograd.autograd_function(function(_, x) return x * 2 end, function(_, dy)
      called = called + 1
      return dy * 2
    end)
    local x, other = leaf { 1 }, leaf { 1 }
    core.grad(f(x) * other, { other })
    assert.equal(0, called)
    assert.same({ 2 }, list(core.grad(f(x) * other, { x })[1]))
    assert.equal(1, called)
  end)

  it("can overrule the true gradient", function()
    local round = autograd.autograd_function(function(_, x) return (x + 0.5):floor() end, function(_, dy) return dy end)
    local x = leaf { 0.2, 0.7 };
    (round(x) * core.tensor { 3, 5 }):sum():backward()
    assert.same({ 3, 5 }, list(x.grad))
  end)

  it("keeps integers and tensors it returns unchanged apart from its inputs", function()
    local f = autograd.autograd_function(function(_, x) return x, core.tensor({ 1 }, { dtype = "int32" }) end,
      function(_, dy) return dy * 7 end)
    local x = leaf { 1 }
    local y, n = f(x)
    assert.equal("int32", n.dtype)
    y:sum():backward()
    assert.same({ 7 }, list(x.grad))
  end)

  it("refuses backward twice, unless the graph is retained; then again and again", function()
    local x = leaf { 2 }
    local y = product(x, 1, x)
    y:backward { retain_graph = true }
    y:backward()
    assert.same({ 8 }, list(x.grad))
    assert.matches("a second time through 'autograd_function'", message(y.backward, y))
  end)

  it("refuses second derivatives, and edits of what it saved", function()
    local x, w = leaf { 2 }, core.tensor { 3 }
    local y = product(x, 1, w)
    local err = message(core.grad, y, { x }, { create_graph = true })
    assert.matches("the second derivative of 'autograd_function'", err)
    w:add_(1)
    assert.matches("of shape %(1%) that 'autograd_function' saved .* edited", message(y.backward, y))
  end)

  it("passes errors of backward on as they are, and the tape goes on", function()
    local mine = {}
    local fail = true
    local bad = autograd.autograd_function(function(_, x) return x * 2, x * 3 end, function(_, a, b)
      if fail then error(mine) end
      return a * 2 + b * 3
    end)
    local x = leaf { 1 }
    local y, z = bad(x)
    local loss = y:sum() + z:sum() * 10 + (x * x):sum()
    assert.equal(mine, message(loss.backward, loss, { retain_graph = true }))
    assert.is_true(core.grad_enabled())
    fail = false
    x:zero_grad()
    loss:backward()
    assert.same({ 34 }, list(x.grad))
    assert.equal(mine, message(function()
      fail = true
      bad(x):backward()
    end))
  end)

  it("says what is wrong with what backward returns", function()
    local function returning(v)
      local f = autograd.autograd_function(function(_, x) return x * 2 end, function() return v end)
      local y = f(leaf { 1, 2 }):sum()
      return message(y.backward, y)
    end
    assert.matches("result 1: expected a float32 tensor or nil, got number", returning(7))
    assert.matches("got int32", returning(core.tensor({ 1, 2 }, { dtype = "int32" })))
    assert.matches("with respect to input 1 has shape %(3%), expected %(2%)", returning(core.ones(3)))
    local x = leaf { 1 }
    local y = autograd.autograd_function(function(_, t) return t * 2 end, function() end)(x)
    y:backward()
    assert.is_nil(x.grad)
  end)

  it("may use the tape in its backward", function()
    local f = autograd.autograd_function(function(ctx, x, w)
      ctx.x, ctx.w = x:detach(), w
      return (x * w):tanh()
    end, function(ctx, dy)
      core.set_grad_enabled(true)
      local x = ctx.x:clone():requires_grad_(true)
      return table.unpack(core.grad((x * ctx.w):tanh(), { x, ctx.w }, { grad_output = dy }))
    end)
    gradcheck.check(function(x, w) return f(x, w) + w:exp() end, { seeded{ 3 }, seeded({ 3 }, 2) })
  end)

  it("may free tensors in its backward, also those that backward started from", function()
    local loss, held
    local f = autograd.autograd_function(function(_, x) return x * 2 end, function(_, dy)
      loss:free()
      held:free()
      collectgarbage()
      return dy * 2
    end)
    local x = leaf { 1 }
    held = f(x * 3)
    loss = (held * 5):sum()
    loss:backward()
    assert.same({ 30 }, list(x.grad))
  end)

  it("refuses to walk through the backward that is running", function()
    local y
    local f = autograd.autograd_function(function(_, x) return x * 2 end, function() y:backward() end)
    local x = leaf { 1 }
    y = f(x * 2)
    assert.matches("part of the backward that is running", message(y.backward, y, { retain_graph = true }))
  end)

  it("leaves no memory behind: used, dropped, failed", function()
    local x = seeded{ 50 }
    local bad = autograd.autograd_function(function(ctx, t)
      ctx.saved = { t }
      return t * 2
    end, function() error "mine" end)
    local function all()
      product(x, 2, x):sum():backward()
      x:zero_grad()
      for _ = 1, 5 do product(x, 2, x) end
      local y = bad(x * 1):sum()
      pcall(y.backward, y)
    end
    all()
    local before = blocks()
    for _ = 1, 20 do all() end
    assert.equal(before, blocks())
  end)

  it("raises or recovers when an allocation fails, wherever #slow", function()
    local x = seeded{ 4 }
    local function step()
      local y, z = product(x * 1, 2, x);
      (y + z:exp()):sum():backward()
      return x.grad:to_string()
    end
    local expected = step()
    x:zero_grad()
    local before = blocks()
    local raised = 0
    for n = 1, 60 do
      core.debug_fail_allocation(n)
      local ok, result = pcall(step)
      core.debug_fail_allocation(0)
      if ok then assert.equal(expected, result) else raised = raised + 1 end
      if not ok then assert.matches("not enough memory", result) end
      x:zero_grad()
      assert.equal(before, blocks())
    end
    assert.is_true(raised > 3)
  end)
end)

describe("recompute", function()
  local w = seeded({ 3, 3 }, 3)
  local function layer(x, k) return core.matmul(x, w):tanh() * (k or 1), w * 2 end

  -- Gradients of loss() with respect to tensors.
  local function gradients(loss, wanted)
    local out = {}
    for i, g in ipairs(core.grad(loss(), wanted)) do out[i] = g and list(g) end
    return out
  end

  it("gives the same gradients: of arguments, of what f captures, by other ways too", function()
    local x = seeded{ 2, 3 }
    local function loss(call)
      return function()
        local h = x * 2
        local y, z = call(layer, h, 0.5)
        return (y * y):sum() + (z * z):sum() + (w * w):sum() + h:sum()
      end
    end
    local plain, again = loss(function(f, ...) return f(...) end), loss(autograd.recompute)
    assert.same(gradients(plain, { x, w }), gradients(again, { x, w }))
    again():backward()
    assert.same(gradients(plain, { w })[1], list(w.grad))
    w:zero_grad()
    gradcheck.check(function(t) return (autograd.recompute(layer, t)) end, { x })
  end)

  it("works inside itself, in a chain, and around functions with their own backward", function()
    local x = seeded{ 2, 3 }
    local function deep(call)
      return function()
        local function two(t)
          local y = call(layer, t)
          return (call(function(u) return (product(layer(u), 3, u)) end, y * w:sum()))
        end
        return call(two, call(two, x * 2)):sum()
      end
    end
    assert.same(gradients(deep(function(f, ...) return f(...) end), { x, w }),
      gradients(deep(autograd.recompute), { x, w }))
  end)

  it("stops at tensors that f captures in the middle of another graph", function()
    local x = seeded{ 2, 3 }
    local function loss(call)
      return function()
        local a = x * 2
        local b = a:exp()
        return call(function() return a * b end):sum()
      end
    end
    assert.same(gradients(loss(function(f) return f() end), { x }), gradients(loss(autograd.recompute), { x }))
  end)

  it("draws the same random numbers again, and leaves generators where they were", function()
    local mine = core.generator(3)
    local x = core.ones(1000, { requires_grad = true })
    local y = autograd.recompute(function(t, o)
      return core.dropout(core.dropout(t, 0.5), 0.5, { generator = o.generator })
    end, x, { generator = mine })
    local after = { core.default_generator():state(), mine:state() }
    y:sum():backward()
    assert.same(list(y), list(x.grad))
    assert.same(after, { core.default_generator():state(), mine:state() })
  end)

  it("keeps nothing of what is computed on the way", function()
    local x = seeded{ 100, 100 }
    local function chain(t)
      for _ = 1, 20 do
        local before = t
        t = t:tanh()
        if before ~= x then before:free() end
      end
      return t
    end
    local function kept(call)
      local before = core.memory().live
      local y = call(chain, x)
      collectgarbage()
      local bytes = core.memory().live - before
      y:sum():backward()
      x:zero_grad()
      return bytes
    end
    blocks()
    local plain = kept(function(f, ...) return f(...) end)
    blocks()
    assert.is_true(plain > 20 * 40000)
    assert.is_true(kept(autograd.recompute) < 2 * 40100)
  end)

  it("passes errors on, of the first call and of the second", function()
    local mine, fail = {}, true
    local function f(t)
      if fail then error(mine) end
      return t * 2
    end
    local x = leaf { 1 }
    assert.equal(mine, message(autograd.recompute, f, x))
    assert.is_true(x:exp().requires_grad)
    fail = false
    local y = autograd.recompute(f, x)
    fail = true
    assert.equal(mine, message(y.backward, y))
    fail = false
    autograd.recompute(f, x):backward()
    assert.same({ 2 }, list(x.grad))
  end)

  it("says when f does something else the second time", function()
    local x, other, first = leaf { 1 }, leaf { 1 }, true
    local y = autograd.recompute(function(t) return first and t * 2 or t * other end, x)
    first = false
    assert.matches("'mul' got something that was not there", message(y.backward, y))
    first = true
    y = autograd.recompute(function(t) return t * 2, first and t * 3 or nil end, x)
    first = false
    assert.matches("gave 2 results with a gradient, and 1", message(y.backward, y))
  end)

  it("refuses backward twice, second derivatives, edits, and results kept on the side", function()
    local x, kept = leaf { 1 }, nil
    local function f(t)
      kept = t:exp()
      return kept * 2
    end
    local y = autograd.recompute(f, x)
    assert.matches("the second derivative of 'recompute'", message(core.grad, y, { x }, { create_graph = true }))
    y:backward { retain_graph = true }
    y:backward()
    assert.near(4 * math.exp(1), x.grad:item(), 1e-5)
    assert.matches("a second time through 'recompute'", message(y.backward, y))
    local h = core.tensor { 1 }
    local z = autograd.recompute(function(t) return t * x end, h)
    h:add_(1)
    assert.matches("'recompute' saved for backward was edited", message(z.backward, z))
    autograd.recompute(f, x)
    assert.matches("'exp' was part of a function that is computed again", message(kept.backward, kept))
  end)

  it("leaves no memory behind, with modules, and when allocations fail #slow", function()
    local net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3))
    local x = seeded{ 2, 3 }
    local function step()
      net:zero_grad()
      local y = autograd.recompute(net, x)
      y:square():sum():backward()
      return net[1].weight.grad:to_string()
    end
    local expected = step()
    net:zero_grad()
    x:zero_grad()
    local before, raised = blocks(), 0
    for n = 1, 80 do
      core.debug_fail_allocation(n)
      local ok, result = pcall(step)
      core.debug_fail_allocation(0)
      if ok then assert.equal(expected, result) else raised = raised + 1 end
      net:zero_grad()
      x:zero_grad()
      assert.equal(before, blocks())
    end
    assert.is_true(raised > 3)
  end)
end)
