-- Squares of values near 1e20 overflow float32, those near 1e-30 underflow; what is made of them need not. What is
-- right follows from scale invariance: f(s x) = f(x) for norms, s f(x) for lengths and deviations, with s a power of
-- two so that no rounding comes in.
local close = require "spec.support.close"
local core = require "laterna.core"
local nn = require "laterna.nn"

local HUGE <const>, SMALL <const> = 2.0 ^ 67, 2.0 ^ -100 -- about 1e20 and 1e-30

local function each_scale(visit)
  for _, s in ipairs { HUGE, 2.0 ^ 110, SMALL } do visit(s, ("at %g"):format(s)) end
end

-- f's output and gradients at inputs[1] * s, output and weights' gradients as they are, the input's times s again.
local function at(f, inputs, s, create_graph)
  local leaves = {}
  for i, x in ipairs(inputs) do leaves[i] = (i == 1 and x * s or x:clone()):requires_grad_(true) end
  local y = f(table.unpack(leaves))
  local dy = core.randn(y.shape, { generator = core.generator(3) })
  local grads = core.grad(y, leaves, { grad_output = dy, create_graph = create_graph })
  for i, g in ipairs(grads) do grads[i] = g:detach() end
  grads[1] = grads[1] * s
  return y:detach(), grads
end

local function invariant(name, f, inputs, power)
  local y, grads = at(f, inputs, 1, false)
  each_scale(function(s, where)
    for _, create_graph in ipairs { false, true } do
      local label = ("%s %s%s"):format(name, where, create_graph and ", recorded" or "")
      local scaled, got = at(f, inputs, s, create_graph)
      assert.has_no_error(function()
        close(scaled * (power == 1 and 1 / s or 1), y, 1e-5)
        for i, g in ipairs(got) do close(power == 1 and i == 1 and g * (1 / s) or g, grads[i], 1e-4) end
      end, label)
    end
  end)
end

describe("squares out of range", function()
  local x, w, b
  setup(function()
    core.manual_seed(8)
    x, w, b = core.randn(2, 3, 5, 6) + 1, core.randn(6), core.randn(6)
  end)

  local exact = { eps = 0 }
  local function norms()
    return {
      layer_norm = function(v, g, o) return core.layer_norm(v, g, o, exact) end,
      group_norm = function(v, g, o) return core.group_norm(v, 3, g, o, exact) end,
      ["group_norm with silu"] = function(v, g, o)
        return core.group_norm(v, 2, g, o, { eps = 0, activation = "silu" })
      end,
      ["layer_norm with gelu"] = function(v, g, o)
        return core.layer_norm(v, g, o, { eps = 0, activation = "gelu" })
      end,
      batch_norm = function(v, g, o)
        return core.batch_norm(v, g, o, nil, nil, { training = true, eps = 0 })
      end,
    }
  end

  it("leave norms as they are, forward and backward", function()
    for name, f in pairs(norms()) do invariant(name, f, { x, w, b }, 0) end
    invariant("rms_norm", function(v, g) return core.rms_norm(v, g, exact) end, { x, w }, 0)
    invariant("layer_norm, plain", function(v) return core.layer_norm(v, nil, nil, exact) end, { x }, 0)
    invariant("rms_norm, plain", function(v) return core.rms_norm(v, nil, exact) end, { x }, 0)
  end)

  it("leave norms of larger pictures as they are #slow", function()
    local wide = core.randn(9, 40, 40, 6) + 1
    for name, f in pairs(norms()) do invariant(name, f, { wide, w, b }, 0) end
  end)

  it("leave layers as they are, with the usual eps", function()
    local ramp = core.tensor { { 1e20, 2e20, 3e20, 4e20 } }
    local want = { -1.3416408, -0.4472136, 0.4472136, 1.3416408 }
    close(nn.LayerNorm(4)(ramp):flatten(), want, 1e-5)
    close(nn.GroupNorm(1, 4)(ramp:view(1, 1, 1, 4)):flatten(), want, 1e-5)
    close(nn.GroupNorm(1, 1)(ramp:view(1, 4, 1, 1)):flatten(), want, 1e-5)
    close(nn.BatchNorm2d(1)(ramp:view(4, 1, 1, 1)):flatten(), want, 1e-5)
    close(nn.RMSNorm(4)(ramp):flatten(), { 0.3651484, 0.7302967, 1.0954451, 1.4605935 }, 1e-5)
  end)

  it("leave one channel's, one row's neighbours alone", function()
    local mixed = x:clone()
    mixed[1][1][1] = x[1][1][1] * HUGE
    local plain, y = core.layer_norm(x), core.layer_norm(mixed)
    assert.equal(plain[2]:to_string(), y[2]:to_string())
    close(y[1][1][1], core.layer_norm(x[1][1][1], nil, nil, exact), 1e-5)
  end)

  it("leave lengths and deviations as they are", function()
    for name, f in pairs {
      norm = function(v) return v:norm() end,
      ["norm of rows"] = function(v) return v:norm(4) end,
      ["norm of columns"] = function(v) return v:norm(1) end,
      ["norm over distant axes"] = function(v) return v:norm { 1, 3 } end,
      std = function(v) return v:std() end,
      ["std over distant axes"] = function(v) return v:std({ 1, 4 }, { correction = 0 }) end,
    } do invariant(name, f, { x }, 1) end
    local long = core.randn(70001)
    close((long * HUGE):norm() * (1 / HUGE), long:norm(), 1e-6)
    close((long * SMALL):norm() * (1 / SMALL), long:norm(), 1e-6)
    assert.is_true(math.abs(core.tensor { 1e20, 2e20, 3e20, 4e20 }:std():item() / 1.2909944e20 - 1) < 1e-6)
  end)

  it("leave a variance that is a float", function()
    close(core.tensor { 1e19, 2e19, 3e19, 4e19 }:var() * 1e-38, { 1.6666666 }, 1e-6)
    local outlier = core.zeros(1000000)
    outlier[1] = 1e21
    assert.is_true(math.abs(outlier:var():item() / 1e36 - 1) < 1e-5)
    local wide = core.zeros(1000, 2)
    wide[1] = core.tensor { 1e20, 1 }
    close(wide:var(1) * core.tensor { 1e-37, 1 }, { 1, 1e-3 }, 1e-5)
    assert.equal(math.huge, core.tensor { 1e20, -1e20 }:var():item())
  end)

  it("leave the length that gradients are clipped to, and Muon's step", function()
    for _, s in ipairs { HUGE, SMALL } do
      local p = core.zeros(3, 4):requires_grad_(true)
      local g = core.randn(3, 4)
      core.sum(p * (g * s)):backward()
      local length = core.clip_grad_norm({ p }, s)
      assert.is_true(math.abs(length / (g:norm():item() * s) - 1) < 1e-6)
      if s == HUGE then close(p.grad * (1 / s), g * (1 / g:norm():item()), 1e-5) end
    end
    local function step(scale)
      local p = core.zeros(5, 4):requires_grad_(true)
      core.sum(p * (core.randn({ 5, 4 }, { generator = core.generator(6) }) * scale)):backward()
      core.muon_update({ p }, { core.zeros(5, 4) }, { lr = 1 })
      return p:detach()
    end
    close(step(HUGE), step(1), 1e-5)
  end)

  it("leave spectral norm", function()
    local layer = nn.Linear(4, 3)
    core.no_grad(function() layer.weight:mul_(HUGE) layer.bias:zero_() end)
    local wide = nn.spectral_norm(layer, { iterations = 20 })(core.eye(4))
    local gram = core.matmul(wide:detach():transpose(), wide:detach())
    local values = core.eigh(gram):totable()
    assert.is_true(math.abs(values[#values] - 1) < 1e-3)
  end)
end)
