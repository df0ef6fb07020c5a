-- What the tape keeps for backward, and what it computes again instead.
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local nn = require "laterna.nn"

local function seeded(shape, seed)
  return core.randn(shape, { generator = core.generator(seed or 1), requires_grad = true })
end

local function list(t) return t:detach():view(-1):totable() end
local function same_bits(a, b) assert.same(list(a), list(b)) end

-- Activations and norms whose output a linear layer takes. A view is no such operation: what it gives is kept.
local RECOMPUTED = {
  silu = function(x) return x:silu() end,
  gelu = function(x) return x:gelu() end,
  ["gelu by tanh"] = function(x) return x:gelu { approximate = "tanh" } end,
  layer_norm = function(x, w) -- scale and shift: a row a picture
    local rows = seeded({ 8, 384 }, 4)
    return core.layer_norm(x, w, w, { scale = rows, shift = rows })
  end,
  ["layer_norm and silu"] = function(x, w) return core.layer_norm(x, w, w, { activation = "silu" }) end,
  group_norm = function(x, w) return core.group_norm(x, 8, w, w, { activation = "silu" }) end,
  rms_norm = function(x, w) return core.rms_norm(x, w) end,
  batch_norm = function(x, w) return core.batch_norm(x, w, w, nil, nil, { training = true, activation = "gelu" }) end,
}

local function model(f, keeps)
  local x, w, v = seeded { 8, 5, 384 }, seeded({ 384 }, 2), seeded({ 384, 384 }, 3)
  local h = f(x * 1, w)
  if keeps then h = h:view(8, 5, 384) end
  return core.linear(h, v), x, w, v
end

describe("what is saved", function()
  for name, f in pairs(RECOMPUTED) do
    it(("is not what %s gives to a product, and gradients are the same bits"):format(name), function()
      local y, x, w, v = model(f)
      local kept, kx, kw, kv = model(f, true)
      local output = 8 * 5 * 384 * 4
      assert.equal(output, autograd.saved(kept).bytes - autograd.saved(y).bytes)
      local dy = seeded({ 8, 5, 384 }, 5):detach()
      y:backward(dy, { retain_graph = true })
      kept:backward(dy)
      for a, b in pairs { [x] = kx, [v] = kv } do same_bits(a.grad, b.grad) end
      if w.grad then same_bits(w.grad, kw.grad) end
      y:backward(dy) -- the graph was retained
      same_bits(v.grad, kv.grad * 2)
    end)

    it(("gives %s the second derivatives that it would have otherwise"):format(name), function()
      local function penalty(keeps)
        local y, x, _, v = model(f, keeps)
        local dx, dv = table.unpack(core.grad(y:tanh():sum(), { x, v }, { create_graph = true }))
        return core.grad((dx * dx):sum() + (dv * dv):sum(), { x, v })
      end
      local a, b = penalty(), penalty(true)
      for i = 1, 2 do same_bits(a[i], b[i]) end
    end)
  end

  it("is not what a norm gives to a convolution that has work enough", function()
    local function run(outputs, keeps)
      local x, w, v = seeded { 2, 6, 6, 16 }, seeded({ 16 }, 2), seeded({ outputs, 3, 3, 16 }, 3)
      local h = core.group_norm(x * 1, 4, w, w, { activation = "silu" })
      if keeps then h = h:view(2, 6, 6, 16) end
      local y = core.conv2d(h, v, nil, { padding = 1 })
      local bytes = autograd.saved(y).bytes
      y:backward(seeded(y.shape, 4):detach())
      return bytes, { x.grad, w.grad, v.grad }
    end
    local light, a = run(128)
    local kept, b = run(128, true)
    assert.equal(4 * 2 * 6 * 6 * 16, kept - light)
    for i = 1, 3 do same_bits(a[i], b[i]) end
    assert.equal((run(8)), (run(8, true)))
  end)

  it("is computed once for several products, and outlives the backward of one of them", function()
    local x, v, u = seeded { 6, 384 }, seeded({ 384, 384 }, 2), seeded({ 384, 384 }, 3)
    local h = (x * 1):silu()
    local first, second = core.linear(h, v):sum(), core.linear(h, u):sum()
    h:free()
    local bytes = autograd.saved(first + second).bytes
    assert.equal(6 * 384 * 4 + 2 * 384 * 384 * 4, bytes) -- silu's input and both weights
    first:backward()
    local du = core.grad(second, { u })[1]
    same_bits(du, core.matmul(core.ones(384, 6), x:silu():detach()))
    assert.error_matches(function() core.linear((x * 1):silu(), v):sum():backward() second:backward() end,
      "a second time through")
  end)

  it("is kept where it was edited without recording: the product saw the edit", function()
    local x, v = seeded { 4, 384 }, seeded({ 384, 384 }, 2)
    local h = (x * 1):silu()
    h:detach():mul_(2)
    core.linear(h, v):sum():backward()
    same_bits(v.grad, core.matmul(core.ones(384, 4), x:silu():detach() * 2))
  end)

  it("is missed where what it would be computed from was edited", function()
    local x, v = seeded { 4, 384 }, seeded({ 384, 384 }, 2)
    local g = x * 1
    local y = core.linear(g:silu(), v)
    g:detach():add_(1)
    assert.has_error(function() y:sum():backward() end,
      "backward: a tensor of shape (4,384) that 'silu' saved for backward was edited in place")
  end)

  it("is not computed again from what would have to be computed again", function()
    local x, v = seeded { 4, 384 }, seeded({ 384, 384 }, 2)
    local function run(keeps)
      x:zero_grad()
      v:zero_grad()
      local h = x * 1
      for i = 1, 50 do
        h = core.linear(core.rms_norm(h, nil):silu():gelu(), v)
        h = keeps and h:view(4, 384) or i % 2 == 0 and h:sin():gelu() or h
      end
      h:sum():backward()
      return x.grad:clone(), v.grad:clone()
    end
    local dx, dv = run()
    local ax, av = run()
    same_bits(dx, ax)
    same_bits(dv, av)
    run(true)
  end)

  it("needs memory once more where an allocation fails, and says so", function()
    local x, v = seeded { 64, 512 }, seeded({ 512, 512 }, 2)
    local y = core.linear((x * 1):gelu(), v)
    local dy, failed = core.ones(64, 512), 0
    for n = 1, 12 do
      v:zero_grad()
      core.debug_fail_allocation(n)
      local ok, message = pcall(y.backward, y, dy, { retain_graph = true })
      core.debug_fail_allocation(0)
      if not ok then
        failed = failed + 1
        assert.matches("memory", message)
      end
    end
    assert.is_true(failed > 2)
    v:zero_grad()
    y:backward(dy)
    same_bits(v.grad, core.matmul(dy:transpose(1, 2), x:gelu():detach()))
  end)

  it("is listed by operation, the largest first", function()
    local x, v = seeded { 4, 384 }, seeded({ 384, 384 }, 2)
    local saved = autograd.saved(core.linear((x * 1):exp(), v))
    assert.same({ { name = "linear", tensors = 1, bytes = 589824 }, { name = "exp", tensors = 1, bytes = 6144 } },
      { saved[1], saved[2] })
    assert.equal(595968, saved.bytes)
    assert.matches("linear +1 +0.6 +99.0 %%", tostring(saved))
    assert.equal(0, autograd.saved(core.ones(3)).bytes)
    assert.error_matches(function() autograd.saved(3) end, "bad argument #1 to 'saved' %(y: expected tensor, got 3%)")
  end)
end)

-- What a step needs at most, in the units of its network. Each waste that was found would break these.
describe("the memory of a step", function()
  -- Bytes saved by operations, without parameters, and the most that were in use beyond what was there before.
  local function measured(net, loss)
    local parameters = 0
    for _, p in ipairs(net:parameters()) do parameters = parameters + 4 * p:numel() end
    loss():backward() -- gradients are there from now on
    for _ = 1, 2 do collectgarbage() end
    local before = core.memory(true).live
    local value = loss()
    for _ = 1, 2 do collectgarbage() end
    local saved = autograd.saved(value).bytes
    value:backward()
    return saved, core.memory().peak - before, parameters
  end

  it("is 12 times the sequence for a block of a diffusion transformer", function()
    local n, l, d, depth = 4, 64, 384, 3
    local net = nn.DiT { channels = 1, size = 16, patch = 2, dim = d, depth = depth, heads = 6 }
    local x, t = core.randn(n, 16, 16, 1), core.rand(n)
    local saved, peak, parameters = measured(net, function() return net(x, t):square():mean() end)
    local sequence = 4 * n * l * d
    -- x, q k v, what attention gives and its layer, x again, fc1 (4), fc2; small: what belongs to a picture
    local small = 4 * n * d * (6 + 2) * (depth + 4) + 4 * n * l * 64 * (depth + 1)
    assert.is_true(saved <= 12 * depth * sequence + 4 * sequence + parameters + small,
      ("%.2f sequences a block"):format((saved - parameters - small) / sequence / depth))
    -- backward adds the gradients that are on their way, and those of the parameters until they are added
    assert.is_true(peak <= saved + 14 * sequence + parameters / depth,
      ("%.2f sequences beyond what is saved"):format((peak - saved) / sequence))
  end)
end)
