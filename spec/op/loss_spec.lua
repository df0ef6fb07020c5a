local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local torch = require "spec.support.torch_case"

local function ids(t) return core.tensor(t, { dtype = "int32" }) end

describe("losses", function()
  for _, reduction in ipairs { "mean", "sum", "none" } do
    local o = { reduction = reduction }
    it("are PyTorch's, with their gradients: " .. reduction, function()
      local function pair() return torch.wave(0.7, 3, 5), torch.wave(1.9, 3, 5) end
      for _, name in ipairs { "mse_loss", "l1_loss", "bce_with_logits" } do
        torch.check(name .. " " .. reduction, function(x, y) return core[name](x, y, o) end, pair())
      end
      torch.check("huber_loss " .. reduction, function(x, y)
        return core.huber_loss(x, y, { delta = 0.7, reduction = reduction })
      end, pair())
      torch.check("cross_entropy " .. reduction, function(x) return core.cross_entropy(x, ids { 5, 1, 3 }, o) end,
        torch.wave(0.7, 3, 5))
      local target = torch.wave(1.9, 3, 5):softmax()
      torch.check("cross_entropy of distributions " .. reduction, function(x)
        return core.cross_entropy(x, target, o)
      end, torch.wave(0.7, 3, 5))
      local x, mean = pair()
      torch.check("gaussian_nll " .. reduction, function(a, m, v) return core.gaussian_nll(a, m, v, o) end, x, mean,
        torch.wave(0.3, 3, 5))
    end)

    it("pass gradcheck, twice: " .. reduction, function()
      core.manual_seed(8)
      local twice = { second = true, tolerance = 2e-3 }
      local function apart() -- x and y further apart than the step: no kink in between
        local x = core.randn(4, 1, 3)
        return { x, x + core.where(core.gt(core.randn(4, 1, 3), core.tensor(0)), core.tensor(1.5), core.tensor(-0.4)) }
      end
      local function near() return { core.randn(2, 3), core.rand(2, 3) } end
      assert(gradcheck.check(function(x, y) return core.mse_loss(x, y, o) end, near(), twice))
      assert(gradcheck.check(function(x, y) return core.l1_loss(x, y, o) end, apart(), twice))
      assert(gradcheck.check(function(x, y) return core.huber_loss(x, y, o) end, apart(), twice))
      assert(gradcheck.check(function(x, y) return core.bce_with_logits(x, y, o) end, near(), twice))
      assert(gradcheck.check(function(x) return core.cross_entropy(x, ids { { 2, 1 } }, o) end, { core.randn(1, 2, 3) },
        twice))
      assert(gradcheck.check(function(x, t) return core.cross_entropy(x, t, o) end, near(), twice))
      assert(gradcheck.check(function(x, m, v) return core.gaussian_nll(x, m, v, o) end,
        { core.randn(2, 3), core.randn(2, 1), core.randn(1) }, twice))
      assert(gradcheck.check(function(m, v) return core.kl_normal(m, v, o) end, near(), twice))
      assert(gradcheck.check(function(m, v) return core.kl_normal(m, v, o) end, { core.randn(2, 3), core.randn(3) },
        twice))
      assert(gradcheck.check(function(v) return core.kl_normal(core.ones(2, 3), v, o) end, { core.randn(2, 3) }, twice))
    end)
  end

  it("have closed forms", function()
    local x, y = core.tensor { 1, 2, 4 }, core.tensor { 1, 0, 1 }
    assert.equal(13, core.mse_loss(x, y, { reduction = "sum" }):item())
    assert.equal(5, core.l1_loss(x, y, { reduction = "sum" }):item())
    close(core.huber_loss(x, y, { reduction = "none" }), { 0, 1.5, 2.5 })
    close(core.huber_loss(x, y, { reduction = "none", delta = 2 }), { 0, 2, 4 })
    close(core.bce_with_logits(core.tensor { 0, 100, -100, 100 }, core.tensor { 0.5, 1, 0, 0 }, { reduction = "none" }),
      { math.log(2), 0, 0, 100 })
    close(core.cross_entropy(core.zeros(4, 10), ids { 1, 2, 9, 10 }, { reduction = "none" }),
      { math.log(10), math.log(10), math.log(10), math.log(10) })
    assert.equal(0, core.kl_normal(core.zeros(5), core.zeros(5)):item())
    close(core.kl_normal(core.tensor { 1, 0 }, core.tensor { 0, math.log(4) }, { reduction = "none" }),
      { 0.5, 0.5 * (4 - 1 - math.log(4)) })
    close({ core.gaussian_nll(core.tensor(0), core.tensor(0), core.tensor(0)):item() }, { 0.5 * math.log(2 * math.pi) })
  end)

  it("sum many numbers without losing them", function()
    -- 3 million times 0.1^2: a running float sum would be off in the fourth place
    local x = core.full({ 3000000 }, 0.1)
    local y = core.zeros(3000000)
    local each = 0.1 * 0.1
    close({ core.mse_loss(x, y, { reduction = "sum" }):item() / 3000000 }, { each }, 1e-8)
    close({ core.mse_loss(x, y):item() }, { each }, 1e-8)
    close({ (x:sum() / 3000000):item() }, { 0.1 }, 1e-7)
  end)

  it("have a gradient on tensors that are cut into pieces", function()
    core.manual_seed(9)
    local x, y = core.randn(3, 30001):requires_grad_(), core.randn(3, 30001)
    core.mse_loss(x, y):backward()
    close(x.grad * 1e5, (x:detach() - y) * (2e5 / 90003))
    local logits = core.randn(5000, 10):requires_grad_()
    local target = core.randint(1, 10, { 5000 })
    core.cross_entropy(logits, target, { reduction = "sum" }):backward()
    close(logits.grad, logits:detach():softmax() - core.one_hot(target, 10))
  end)

  it("take empty tensors", function()
    local e = core.zeros(0, 3)
    assert.equal(0, core.mse_loss(e, e, { reduction = "sum" }):item())
    local nan = core.mse_loss(e, e):item()
    assert(nan ~= nan)
    assert.same({ 0, 3 }, core.l1_loss(e, e, { reduction = "none" }).shape)
    assert.same({ 0 }, core.cross_entropy(e, core.zeros(0, { dtype = "int32" }), { reduction = "none" }).shape)
  end)

  it("refuse what does not fit", function()
    local x = core.ones(2, 3)
    fails("bad argument #2 to 'mse_loss' (y: expected (2,3), got (3))", core.mse_loss, x, core.ones(3))
    fails("bad argument #3 to 'mse_loss' (reduction: ", core.mse_loss, x, x, { reduction = "avg" })
    fails("bad argument #3 to 'l1_loss'", core.l1_loss, x, x, { delta = 1 })
    for _, delta in ipairs { 0, -1, 0 / 0 } do
      fails("delta", core.huber_loss, x, x, { delta = delta })
    end
    fails("bad argument #2 to 'cross_entropy' (target: expected (2), got (3))", core.cross_entropy, x, ids { 1, 2, 3 })
    fails("bad argument #2 to 'cross_entropy' (target: class 4 at place 2 is outside 1..3)", core.cross_entropy, x,
      ids { 1, 4 })
    fails("outside 1..3", core.cross_entropy, x, ids { 0, 1 })
    fails("bad argument #1 to 'cross_entropy' (logits: ", core.cross_entropy, core.tensor(1), ids(1))
    fails("bad argument #2 to 'cross_entropy' (target: ", core.cross_entropy, x, core.ones(2))
    fails("bad argument #2 to 'gaussian_nll'", core.gaussian_nll, x, 1, x)
  end)
end)
