-- TarFlow: both ways, determinants, what sees what, the cache against reading all again, guidance, noise.
local core = require "laterna.core"
local flow = require "laterna.flow"
local noise = require "laterna.flow.noise"
local tarflow = require "laterna.flow.tarflow"
local data = require "spec.support.flow"

local Block, TarFlow = tarflow.CausalBlock, tarflow.TarFlow

local function far(a, b) return (a - b):abs():max():item() end

local function told(n, caption)
  return { pooled = core.randn(n, 3), tokens = caption and core.randn(n, 5, 3) or nil,
           mask = caption and core.tensor { { 1, 1, 1, 0, 0 }, { 1, 0, 0, 0, 0 } } or nil }
end

-- log |det| of the Jacobian of one example's map, from its columns by differences.
local function numeric_logdet(f, x)
  local d, columns, h = x:numel(), {}, 1e-2
  local flat = x:view(1, d)
  for k = 1, d do
    local step = core.zeros(1, d)
    step[1][k] = h
    columns[k] = (f((flat + step):view(x.shape)) - f((flat - step):view(x.shape))):view(d) * (1 / (2 * h))
  end
  return core.logdet(core.stack(columns, 2)):item()
end

local KINDS = {
  pictures = { size = { 6, 9, 1 }, patch = 3 }, colour = { size = { 2, 6, 3 }, patch = 2 },
  vectors = { size = { 10 }, patch = 2 },
  bent = { size = { 4, 6, 1 }, patch = 2, bins = 5 }, one = { size = { 3, 3, 2 }, patch = 3 },
}

local function make(kind, more)
  local o = { blocks = 3, dim = 12, layers = 2, heads = 3, mlp = 2, text = 3 }
  for key, v in pairs(KINDS[kind]) do o[key] = v end
  for key, v in pairs(more or {}) do o[key] = v end
  -- Splines of random numbers are flat in places, and rounding grows from patch to patch.
  return data.shake(TarFlow(o), o.bins and 0.03 or 0.1), o.size
end

describe("TarFlow", function()
  before_each(function() core.manual_seed(11) end)

  it("starts as the identity, but for the order of numbers", function()
    local net = TarFlow { size = { 4, 6, 1 }, patch = 2, dim = 8, heads = 2 }
    local x = core.randn(2, 4, 6, 1)
    local z, logdet = net(x)
    assert.same({ 2, 2, 3, 4 }, z.shape)
    assert.same({ 0, 0 }, logdet:totable())
    assert.near(x:square():sum():item(), z:square():sum():item(), 1e-3)
  end)

  it("gives back what it was given, near and far from data, with determinants that cancel #slow", function()
    for _, kind in ipairs { "pictures", "colour", "vectors", "one", "bent" } do
      for _, caption in ipairs { "pooled", "tokens" } do
        local net, size = make(kind, { caption = caption })
        local inputs = data.pictures(2, size)
        inputs.usual = core.randn(2, table.unpack(size)) * 0.5
        for _, name in ipairs { "black", "white", "noise", "usual" } do
          local x = inputs[name]
          local cond = told(2, caption == "tokens")
          local z, there = net(x, cond)
          local y, back = core.no_grad(net.inverse, net, z, cond)
          assert.is_true(far(x, y) < 1e-4, kind .. " " .. name)
          assert.is_true(far(there, -back) < 1e-3)
        end
      end
    end
  end)

  it("says log |det| of its numeric Jacobian #slow", function()
    for _, kind in ipairs { "vectors", "one", "colour", "bent" } do
      local net, size = make(kind, { text = 0, bound = 1 })
      local x = core.randn(1, table.unpack(size)) * 0.5
      local _, logdet = net(x)
      assert.near(numeric_logdet(function(t) return core.no_grad(net.forward, net, t) end, x), logdet:item(), 1e-2)
    end
  end)

  it("sees only what lies before, in the direction of reading", function()
    for _, reverse in ipairs { false, true } do
      local block = data.shake(Block(5, 2, { dim = 8, heads = 2, reverse = reverse }), 0.3)
      local x = core.randn(1, 10, { requires_grad = true })
      local z = block(x)
      for i = 1, 5 do
        local g = core.grad(z:narrow(2, 2 * i - 1, 2):sum(), { x }, { retain_graph = true })[1]
        for j = 1, 5 do
          local seen = g:narrow(2, 2 * j - 1, 2):abs():max():item() > 0
          local before = reverse and j >= i or not reverse and j <= i
          assert.equal(before, seen, ("%d of %d"):format(j, i))
        end
      end
    end
  end)

  it("reads with kept keys and values what it reads at once", function()
    for _, caption in ipairs { "pooled", "tokens" } do
      local net = make("pictures", { caption = caption })
      local cond = told(2, caption == "tokens")
      cond.without, cond.guidance = told(2, caption == "tokens"), 1.7
      local z = core.randn(2, 2, 3, 9)
      local slow, a = net:inverse(z, cond) -- recorded: everything is read again for each patch
      local fast, b = core.no_grad(net.inverse, net, z, cond)
      assert.is_true(far(slow, fast) < 1e-5)
      assert.is_true(far(a, b) < 1e-4)
      local x = core.randn(2, 6, 9, 1, { requires_grad = true })
      assert.is_truthy(core.grad(net:inverse((net(x, cond)), cond):sum(), { x })[1])
    end
  end)

  it("exaggerates what a caption changes, invertibly", function()
    local net = make("pictures")
    local with, without = told(2), told(2)
    local x = core.randn(2, 6, 9, 1) * 0.3
    local function through(guidance)
      local cond = { pooled = with.pooled, without = without, guidance = guidance }
      return net(x, cond), cond
    end
    assert.is_true(far(through(1), (net(x, with))) < 1e-5)
    assert.is_true(far(through(0), (net(x, without))) < 1e-5)
    local z, cond = through(3)
    assert.is_true(far(z, (net(x, with))) > 1e-2)
    assert.is_true(far(core.no_grad(net.inverse, net, z, cond), x) < 1e-4)
  end)

  it("learns, follows captions, and stays finite at noise of ten deviations #training", function()
    local net = TarFlow { size = { 4, 4, 1 }, patch = 2, dim = 16, heads = 2, blocks = 2 }
    local model = flow { net = net, size = { 4, 4, 1 } }
    local first = model:loss(data.levels(core.randn(64, 4, 4, 1) * 0.1)):item()
    data.train(model, function() return data.levels(core.randn(64, 4, 4, 1) * 0.1) end, 60, 3e-3)
    local last = model:loss(data.levels(core.randn(64, 4, 4, 1) * 0.1)):item()
    -- Entropy of N(0, 0.1^2) in grey levels: log2(12.75 sqrt(2 pi e)) = 5.72 bits.
    assert.is_true(last < first - 0.5 and last > 5.5 and last < 6, last)
    assert.is_true(data.finite(model:decode(core.randn(8, 16) * 10)))
    local x = data.levels(core.randn(8, 4, 4, 1) * 0.1)
    assert.is_true(far(model:decode(model:encode(x)), x) < 1e-5)
  end)

  it("gives whole grey levels back through a logit and splines #slow", function()
    local size = { 4, 8, 1 }
    local net = data.shake(TarFlow { size = size, patch = 2, dim = 8, heads = 2, bins = 6, logit = 1e-5 }, 0.05)
    local model = flow { net = net, size = size }
    for name, x in pairs(data.pictures(3, size)) do
      assert.is_true(far(model:decode(model:encode(x)), x) < 1e-5, name)
    end
    assert.is_true(data.finite(model:decode(core.randn(8, 32) * 10)))
  end)

  it("refuses what does not fit", function()
    local function message(f, ...)
      local ok, err = pcall(f, ...)
      assert.is_false(ok)
      return err
    end
    assert.matches("sides that 5 divides", message(TarFlow, { size = { 4, 4, 1 }, patch = 5 }))
    assert.matches("patch: expected a divisor of 7", message(TarFlow, { size = { 7 }, patch = 2 }))
    assert.matches("heads: expected a divisor of dim", message(TarFlow, { size = { 4 }, dim = 10, heads = 4 }))
    assert.matches("tokens need the option text", message(TarFlow, { size = { 4 }, caption = "tokens" }))
    local net = make "pictures"
    assert.matches("alpha", message(TarFlow, { size = { 4, 4, 1 }, logit = true }))
    assert.matches("cond.pooled: expected tensor", message(net.forward, net, core.ones(2, 6, 9, 1)))
    assert.matches("cond.pooled: expected %(2,3%), got %(1,3%)", message(net.forward, net, core.ones(2, 6, 9, 1),
      { pooled = core.ones(1, 3) }))
    local block = Block(4, 2)
    assert.matches("expected 4 elements of 2 numbers, got %(1,6%)", message(block.forward, block, core.ones(1, 6)))
  end)
end)

describe("noise in training", function()
  before_each(function() core.manual_seed(12) end)

  it("is added in training mode only", function()
    local layer = noise.Noise(0.1)
    local x = core.zeros(200, 5)
    local y, logdet = layer(x)
    assert.near(0.1, y:std():item(), 0.01)
    assert.near(-5 * math.log(127.5), logdet[1]:item(), 1e-4)
    layer:eval()
    assert.equal(0, far(layer(x), x))
    local back, cancels = layer:inverse(x)
    assert.equal(0, far(back, x))
    assert.near(5 * math.log(127.5), cancels[1]:item(), 1e-4)
  end)

  it("is taken off along the score: of a Gaussian exactly", function()
    -- x ~ N(0, s^2), y = x + sigma eps: E[x | y] = y s^2 / (s^2 + sigma^2).
    local s2, sigma = 0.5, 0.3
    local gaussian = { log_prob = function(_, y) return (y:square() * (-0.5 / (s2 + sigma ^ 2))):sum(2) end }
    local y = core.randn(6, 3)
    assert.is_true(far(noise.denoise(gaussian, y, nil, sigma), y * (s2 / (s2 + sigma ^ 2))) < 1e-5)
  end)

  it("goes with a flow: trained on noised pictures, samples get closer to clean ones #training", function()
    local size = { 2, 2, 1 }
    local model = flow { net = TarFlow { size = size, patch = 1, dim = 16, heads = 2, blocks = 2 }, size = size,
                         dequantise = noise.Noise(0.2) }
    local function clean(n) return core.gt(core.rand(n, 1, 1, 1), 0.5):float():expand(n, 2, 2, 1) - 0.5 end
    data.train(model, function() return clean(64) end, 400, 1e-2)
    local y = model:sample({ n = 200 }, { seed = 1 })
    local x = model:denoise(y)
    local function off(t) return (t:abs() - 0.5):square():mean():sqrt():item() end
    assert.is_true(off(x) < 0.7 * off(y), ("%g and %g"):format(off(x), off(y)))
  end)
end)
