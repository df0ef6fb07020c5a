-- Blocks that are computed again in backward.
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local nn = require "laterna.nn"
local recompute = require "laterna.nn.recompute"

local function nets()
  return {
    { 4, nn.DiT { size = 8, patch = 2, dim = 32, depth = 4, heads = 2, text = 6, caption = "cross" } },
    { 10, nn.UNet { size = 8, width = 8, multipliers = { 1, 2 }, text = 6, heads = 2, dropout = 0.3 } },
  }
end

local function gradients(net)
  core.manual_seed(3)
  net:zero_grad()
  local x, t = core.randn(2, 8, 8, 1), core.rand(2)
  local tokens = core.randn(2, 5, 6):requires_grad_()
  local y = net(x, t, { tokens = tokens, pooled = core.randn(2, 6) })
  local loss = (y * core.randn(y.shape)):sum()
  local saved = autograd.saved(loss).bytes
  loss:backward()
  local out = { y:totable(), tokens.grad:totable() }
  for _, p in ipairs(net:parameters()) do out[#out + 1] = p.grad and p.grad:totable() or false end
  return out, saved
end

local function open_gates(net) -- what starts at zero would hide faults
  core.manual_seed(4)
  core.no_grad(function()
    for _, p in ipairs(net:parameters()) do p:add_(core.randn(p.shape) * 0.05) end
  end)
end

describe("recompute of modules", function()
  it("gives the same bits with less memory, dropout and captions included", function()
    for _, case in ipairs(nets()) do
      local blocks, net = table.unpack(case)
      open_gates(net)
      local plain, all = gradients(net)
      assert.equal(net, net:recompute())
      local again, less = gradients(net)
      assert.same(plain, again)
      assert.is_true(less < 0.6 * all, ("%d of %d bytes"):format(less, all))
      assert.equal(blocks, #recompute.blocks("spec", net))
      net:recompute(false)
      assert.equal(all, select(2, gradients(net)))
    end
  end)

  it("counts batch norm's statistics once", function()
    local function trained(on)
      core.manual_seed(1)
      local net = nn.Sequential(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm2d(8)), nn.Linear(8, 1)):recompute(on)
      net(core.randn(16, 4)):sum():backward()
      return net[1][2].running_mean:totable(), net[1][1].weight.grad:totable()
    end
    assert.same({ trained(false) }, { trained(true) })
  end)

  it("knows what a block is", function()
    local inner = nn.Sequential(nn.Linear(2, 2), core.silu)
    local residual = nn.Residual(nn.Sequential(inner, nn.Linear(2, 2)))
    local Own = nn.class("Own", function(self) self.layer = nn.Linear(2, 2) end)
    Own.is_block = true
    local own = Own()
    local net = nn.Sequential(nn.Linear(2, 2), inner, residual, core.tanh, own)
    assert.same({ inner, residual, own }, recompute.blocks("spec", net))
    assert.same({ own }, recompute.blocks("spec", own))
    local critic = nn.Critic { size = 8, width = 8, multipliers = { 1, 2 } }
    assert.same({ residual, own }, recompute.blocks("spec", nn.Sequential(critic, residual, own)))
    assert.equal(2, #recompute.blocks("spec", nn.Generator { size = 8, width = 8, multipliers = { 1, 2 }, detail = 4 }))
    local linear = nn.Linear(2, 2)
    assert.same({}, recompute.blocks("spec", linear))
    assert.is_true(linear:recompute().recomputed) -- where there are none the module is one
    assert.is_false(net.recomputed)
    net:recompute()
    assert.is_true(net[2].recomputed)
    assert.error_matches(function() net:recompute(1) end,
      "bad argument #1 to 'recompute' %(on: expected boolean or nil")
  end)

  it("is a plain call where nothing is recorded", function()
    local net = nets()[1][2]:recompute():eval()
    local x, t = core.randn(1, 8, 8, 1), core.rand(1)
    local y = core.no_grad(net, x, t)
    assert.is_false(y.requires_grad)
    assert.same(y:totable(), net(x, t):totable())
  end)
end)
