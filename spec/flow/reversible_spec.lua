-- A chain of invertible layers that rebuilds its activations: the same gradients, a fraction of the memory.
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local flow = require "laterna.flow"
local nn = require "laterna.nn"
local reversible = require "laterna.flow.reversible"
local data = require "spec.support.flow"

local layers = flow.layers

-- A chain of couplings, actnorms and 1x1 convolutions with weights away from where they start.
local function chain(depth, c, options)
  local list = {}
  for i = 1, depth do
    local o = { hidden = 16, text = 3, flip = i % 6 == 0, dropout = options and options.dropout,
                kernel = options and 1 or 3 }
    local kind = i % 3
    list[i] = kind == 0 and layers.AffineCoupling(c, o) or kind == 1 and layers.ActNorm(c) or layers.Conv1x1(c)
    data.shake(list[i], 0.05)
  end
  return list
end

local function plain(list, x, cond)
  local total, logdet
  for _, l in ipairs(list) do
    x, logdet = l(x, cond)
    total = total and total + logdet or logdet
  end
  return x, total
end

-- Gradients of a loss of both results with respect to x, a tensor in cond and every parameter; and the bytes that the
-- chain kept for them.
local function differentiate(apply, list, size)
  core.manual_seed(7)
  local x = core.randn(size, { requires_grad = true })
  local cond = { pooled = core.randn(size[1], 3, { requires_grad = true }) }
  local wanted = { x, cond.pooled }
  for _, l in ipairs(list) do
    for _, p in ipairs(l:parameters()) do wanted[#wanted + 1] = p end
  end
  for _ = 1, 3 do collectgarbage() end
  local before = core.memory().live
  local y, logdet = apply(list, x * 0.5, cond)
  for _ = 1, 3 do collectgarbage() end
  local kept = core.memory().live - before
  local loss = y:square():sum() * 0.5 - logdet:sum() + x:sum()
  return core.grad(loss, wanted), kept, loss:item()
end

-- The largest difference of gradients, on the scale of each.
local function furthest(a, b)
  local worst = 0
  for i = 1, #a do
    assert.equal(a[i] == false, b[i] == false)
    if a[i] then
      local scale = math.max(a[i]:abs():max():item(), 1e-3)
      worst = math.max(worst, (a[i] - b[i]):abs():max():item() / scale)
    end
  end
  return worst
end

describe("a reversible chain #slow", function()
  before_each(function() core.manual_seed(3) end)

  it("has the gradients of the ordinary one, and a third of its memory at most, at depth 32", function()
    local list = chain(32, 4)
    differentiate(plain, list, { 4, 6, 10, 4 }) -- sets the actnorms
    local want, all, loss = differentiate(plain, list, { 4, 6, 10, 4 })
    local got, kept, same = differentiate(reversible, list, { 4, 6, 10, 4 })
    assert.equal(loss, same)
    assert.is_true(furthest(want, got) < 1e-4)
    assert.is_true(kept < all / 3, ("%d of %d bytes"):format(kept, all))
  end)

  it("is as right on vectors, with any number of kept activations", function()
    local list = chain(9, 5, {})
    differentiate(plain, list, { 7, 5 })
    local want = differentiate(plain, list, { 7, 5 })
    for _, every in ipairs { 1, 3, 100 } do
      local function some(l, x, cond) return reversible(l, x, cond, { every = every }) end
      local got = differentiate(some, list, { 7, 5 })
      assert.is_true(furthest(want, got) < 1e-4)
    end
  end)

  it("draws dropout's numbers again, for the inverse too", function()
    local list = chain(6, 4, { dropout = 0.5 })
    differentiate(plain, list, { 5, 4 })
    local want = differentiate(plain, list, { 5, 4 })
    assert.is_true(furthest(want, (differentiate(reversible, list, { 5, 4 }))) < 1e-4)
  end)

  it("works in .grad, in checkpoints, without gradients, and with volumes that do not change", function()
    local list = {
      layers.Permute(4), layers.AdditiveCoupling(4, { hidden = 8, kernel = 1 }), layers.Permute(4, "reverse"),
    }
    data.shake(list[2])
    local x = core.randn(6, 4)
    local y, logdet = core.no_grad(reversible, list, x)
    assert.is_false(y.requires_grad)
    assert.same(core.zeros(6):totable(), logdet:totable())
    local weight = list[2].net.first.weight
    local function gradient(f)
      weight:zero_grad()
      f(x):square():sum():backward()
      return weight.grad:totable()
    end
    local want = gradient(function(t) return (plain(list, t)) end)
    local function chained(t) return (reversible(list, t)) end
    local same = core.tensor(want)
    assert.is_true((core.tensor(gradient(chained)) - same):abs():max():item() < 1e-4)
    assert.is_true((core.tensor(gradient(function(t) return autograd.recompute(chained, t) end)) - same)
      :abs():max():item() < 1e-4)
  end)

  it("is what a flow's nets are, when it is asked to rebuild activations", function()
    local size = { 8, 8, 1 }
    local options = {
      Glow = { hidden = 8, steps = 12 }, SplineFlow = { hidden = 8, steps = 12 },
      RealNVP = { hidden = 8, steps = 6 }, TarFlow = { patch = 2, dim = 8, heads = 2, blocks = 12 },
    }
    for name, o in pairs(options) do
      o.size = size
      local grads, kept = {}, {}
      for i, rebuild in ipairs { false, true } do
        core.manual_seed(1)
        local model = flow { net = data.shake(flow[name](o), 0.02), size = size, invertible_backward = rebuild }
        local x = data.levels(core.rand(4, 8, 8, 1) * 2 - 1)
        for _ = 1, 3 do collectgarbage() end
        local before = core.memory().live
        local loss = model:loss(x) -- the first one: actnorms are set while nothing is kept
        for _ = 1, 3 do collectgarbage() end
        kept[i] = core.memory().live - before
        loss:backward()
        grads[i] = {}
        for k, p in ipairs(model:parameters()) do grads[i][k] = p.grad or false end
      end
      assert.is_true(furthest(grads[1], grads[2]) < 1e-4, name)
      assert.is_true(kept[2] < kept[1] / 3, ("%s: %d of %d bytes"):format(name, kept[2], kept[1]))
    end
  end)

  it("passes errors of layers on, and leaves nothing behind", function()
    local fail
    local Bad = nn.class("Bad", function(self) self.logs = core.zeros(1) end)
    function Bad:forward(x) return x * self.logs:exp(), self.logs:expand(x:size(1)) * x:size(2) end
    function Bad:inverse(y)
      if fail then error(fail) end
      return y * (-self.logs):exp(), self.logs:expand(y:size(1)) * -y:size(2)
    end
    local list = { Bad(), Bad() }
    local x = core.randn(6, 4)
    local function step()
      for _, l in ipairs(list) do l:zero_grad() end
      local y, logdet = reversible(list, x)
      local loss = y:square():sum() - logdet:sum()
      local ok, err = pcall(loss.backward, loss)
      return ok, err
    end
    local function blocks()
      for _ = 1, 3 do collectgarbage() end
      return core.memory().count
    end
    assert.is_true(step())
    local before = blocks()
    fail = {}
    for _ = 1, 10 do
      local ok, err = step()
      assert.is_false(ok)
      assert.equal(fail, err)
    end
    fail = nil
    assert.is_true(step())
    assert.equal(before, blocks())
  end)

  it("says what is no layer", function()
    local ok, err = pcall(reversible, { nn.Linear(2, 2) }, core.ones(1, 2))
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'reversible' %(layers%[1%]: expected an invertible layer", err)
  end)
end)
