-- Every invertible layer and model: its inverse, its log-determinant, on odd shapes, near and far, trained or not.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local flow = require "laterna.flow"
local lt = require "laterna"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local support = require "spec.support.flow"
local layers = flow.layers

local COND = function(n) return { pooled = core.randn(n, 3), detail = core.randn(n, 2) } end
local NET = { hidden = 8, text = 3, detail = 2 }

local function with(options)
  local t = {}
  for key, v in pairs(NET) do t[key] = v end
  for key, v in pairs(options) do t[key] = v end
  return t
end

-- name -> a function that gives a layer for examples of c channels; `kernel` 1 for vectors.
local MAKERS = {
  ActNorm = function(c) return layers.ActNorm(c) end,
  Conv1x1 = function(c) return layers.Conv1x1(c) end,
  ["Conv1x1 with actnorm"] = function(c) return layers.Conv1x1(c, { actnorm = true }) end,
  Permute = function(c) return layers.Permute(c) end,
  Logit = function() return layers.Logit { low = -10, high = 10 } end,
  Sequence = function(c, kernel)
    return layers.Sequence { layers.Conv1x1(c), layers.AffineCoupling(c, with { kernel = kernel }) }
  end,
}
for _, name in ipairs { "AffineCoupling", "AdditiveCoupling", "SplineCoupling" } do
  for _, mask in ipairs { "channel", "checkerboard" } do
    for _, flip in ipairs { false, true } do
      MAKERS[("%s, %s%s"):format(name, mask, flip and ", flipped" or "")] = function(c, kernel)
        return layers[name](c, with { mask = mask, flip = flip, kernel = kernel })
      end
    end
  end
end

local SHAPES = { { 2, 3, 5, 3 }, { 1, 2, 1, 4 }, { 3, 5 } }

local function far(a, b) return (a - b):abs():max():item() end

-- `slack`, of the log-determinant's size: what rounding may leave of it.
local function check_inverse(layer, x, cond, what, slack)
  local y, logdet = layer(x, cond)
  local back, undone = layer:inverse(y, cond)
  assert.same({ x:size(1) }, logdet.shape)
  assert.same({ x:size(1) }, undone.shape)
  assert.is_true(far(back, x) <= 1e-4 * math.max(1, x:abs():max():item()), what)
  assert.is_true(far(logdet, -undone) <= 1e-3 + (slack or 1e-5) * logdet:abs():max():item(), what)
end

-- log |det| of the Jacobian of one example, by central differences.
local function numeric(layer, x, cond)
  local d, h = x:numel(), 1e-3
  local eye = core.eye(d) * h
  local copies, told = { d, table.unpack(x.shape, 2) }, nil
  if cond then
    told = {}
    for key, v in pairs(cond) do told[key] = v:expand(d, v:size(2)) end
  end
  local above = layer((x:view(1, d) + eye):view(copies), told)
  local below = layer((x:view(1, d) - eye):view(copies), told)
  return (((above - below) * (0.5 / h)):flatten(2)):logdet():item()
end

describe("an invertible layer", function()
  before_each(function() core.manual_seed(11) end)

  for name, make in pairs(MAKERS) do
    it("runs back and counts its volume: " .. name, function()
      for _, shape in ipairs(SHAPES) do
        local layer = support.shake(make(shape[#shape], #shape == 2 and 1 or 3), 0.1)
        local x, cond = core.randn(shape), COND(shape[1])
        layer(x, cond) -- an actnorm starts
        check_inverse(layer, x, cond, name)
        check_inverse(layer, x * 3, cond, name)
        local one, told = core.randn({ 1, table.unpack(shape, 2) }), COND(1)
        local _, logdet = layer(one, told)
        assert.near(numeric(layer:eval(), one, told), logdet:item(), 1e-3 + 1e-4 * math.abs(logdet:item()))
      end
    end)
  end

  it("runs back and counts its volume: Squeeze, MultiScale, ConditionalAffine", function()
    local size = { 6, 2, 1 }
    local net = support.shake(layers.Sequence {
      layers.MultiScale({
        layers.Sequence { layers.Squeeze(), layers.AffineCoupling(4, NET) },
        layers.Sequence { layers.Permute(2, "reverse"), layers.AffineCoupling(2, NET) },
      }, { size = size }),
      layers.ConditionalAffine(12, { text = 3, detail = 2 }),
    })
    local x, cond = core.randn(2, table.unpack(size)), COND(2)
    check_inverse(net, x, cond)
    local one, told = core.randn(1, table.unpack(size)), COND(1)
    local _, logdet = net(one, told)
    assert.near(numeric(net, one, told), logdet:item(), 1e-3)
  end)

  it("takes from pictures what a decoder of caption and detail expects: ConditionalAffine with a net", function()
    local net = layers.ConditionalAffine(48, { text = 3, detail = 2,
      net = nn.PictureDecoder(5, 6, { size = 4, width = 4, levels = 1 }) })
    local x, cond = core.randn(2, 4, 4, 3), COND(2)
    check_inverse(net, x, cond)
    local t, s = net.net(core.cat({ cond.pooled, cond.detail }, 2)):chunk(2, 4)
    s = (s * 0.5):tanh() * 2
    local y, logdet = net(x, cond)
    assert.is_true((y - (x - t) * (-s):exp()):abs():max():item() < 1e-5)
    assert.is_true((logdet + s:flatten(2):sum(2)):abs():max():item() < 1e-4)
    assert.has_error(function() net(core.randn(2, 4, 4, 1), cond) end, "bad argument #1 to 'ConditionalAffine' "
      .. "(x: expected 48 numbers an example, got (2,4,4,1), and (2,4,4,6) from the net)")
  end)

  for _, name in ipairs { "Glow", "RealNVP", "SplineFlow" } do
    it("runs back and counts its volume, trained too: " .. name, function()
      for _, size in ipairs { { 2, 6, 1 }, { 4, 4, 3 }, { 5 } } do
        local net = flow[name] { size = size, hidden = 8, steps = 2, text = 3, detail = 2 }
        local model = flow { net = net, size = size }
        local x, cond = core.randn({ 12, table.unpack(size) }) * 0.3, COND(12)
        local optimizer = optim.Adam(net:parameters(), { lr = 1e-2 })
        for _ = 1, 20 do
          local z, logdet = net(model.dequantise and model.dequantise(support.levels(x)) or x, cond)
          local loss = (z:square():flatten(2):sum(2) * 0.5 - logdet):mean()
          optimizer:zero_grad()
          loss:backward()
          optimizer:step()
        end
        net:eval()
        local pictures = support.pictures(2, size)
        for _, kind in ipairs { "black", "white", "noise" } do
          local y = pictures[kind]
          if model.dequantise then y = model.dequantise(y) end
          check_inverse(net, y, COND(2), kind, 1e-4)
        end
        if #size == 1 or size[3] == 1 then
          local one, told = core.rand({ 1, table.unpack(size) }) - 0.5, COND(1)
          local _, logdet = net(one, told)
          assert.near(numeric(net, one, told), logdet:item(), 3e-3)
        end
      end
    end)
  end
end)

describe("a squeeze", function()
  it("moves blocks of pixels into channels", function()
    local x = core.arange(1, 16):view(1, 2, 4, 2)
    local y = layers.Squeeze()(x)
    assert.same({ 1, 1, 2, 8 }, y.shape)
    assert.same({ 1, 3, 9, 11, 2, 4, 10, 12 }, y[1][1][1]:totable())
    assert.has_error(function() layers.Squeeze()(core.zeros(1, 3, 4, 1)) end,
      "bad argument #1 to 'Squeeze' (x: expected pictures with sides that 2 divides, got (3,4,1))")
  end)
end)

describe("an actnorm", function()
  it("starts from the first batch in training mode, and once", function()
    local norm = layers.ActNorm(2)
    local x = core.randn(50, 3, 1, 2) * core.tensor { 0.01, 30 } + core.tensor { 5, -7 }
    norm:eval()
    assert.same(x:totable(), norm(x):totable())
    norm:train()
    local rows = norm(x):view(-1, 2)
    for k = 1, 2 do
      assert.near(0, rows:mean(1)[k]:item(), 1e-3)
      assert.near(1, rows:var(1, { correction = 0 })[k]:item(), 1e-3)
    end
    local other = layers.ActNorm(2):load_state(norm:state())
    local shifted = core.ones(4, 2) * 3
    assert.same(norm(shifted):totable(), other(shifted):totable())
  end)

  it("bears a channel that is constant, and learns its scale when it no longer is", function()
    local norm = layers.ActNorm(2)
    assert.is_true(support.finite(norm(core.ones(4, 2))))
    assert.same({ 0, 0 }, norm.logs:totable())
    local opt = optim.Adam(norm:parameters(), { lr = 0.05 })
    local function train(steps, draw)
      for _ = 1, steps do
        local z, logdet = norm(draw())
        opt:update(((z:square() + math.log(2 * math.pi)):sum(2) * 0.5 - logdet):mean())
      end
    end
    train(20, function() return core.ones(64, 2) end)
    train(1500, function() return core.randn(64, 2) end)
    for k = 1, 2 do assert.near(0, norm.logs[k]:item(), 0.3) end
  end)

  it("starts from numbers whose squares overflow", function()
    local norm, x = layers.ActNorm(1), core.tensor { { 1e20 }, { -1e20 }, { 3e20 } }
    assert.is_true(support.finite(norm(x)))
    assert.same({ 1, -12 }, { norm.started:item(), norm.logs:item() })
  end)

  it("does not start from a batch that is refused", function()
    local Fails = nn.class("Fails", function() end)
    function Fails:forward(x) return x * (self.bad or 1), core.zeros(x:size(1)) end
    function Fails:inverse(x) return x, core.zeros(x:size(1)) end
    for _, layer in ipairs { layers.ActNorm(2), layers.Conv1x1(2, { actnorm = true }) } do
      local norm, last = layer.norm or layer, Fails()
      local model = lt.flow { net = layers.Sequence { layer, last }, size = { 2 } }
      local before = model:state()
      fails("x has values that are not", model.loss, model, core.full({ 4, 2 }, 0 / 0))
      last.bad = math.huge
      fails("(Fails) is the first", model.loss, model, core.randn(4, 2))
      last.bad = {}
      assert.is_false(pcall(model.loss, model, core.randn(4, 2)))
      for name, t in pairs(model:state()) do assert.same(before[name]:totable(), t:totable(), name) end
      last.bad = nil
      local _, log = model:loss(core.randn(256, 2) * 3 + 5)
      assert.near(1 / math.log(2) * (0.5 * math.log(2 * math.pi * math.exp(1)) + math.log(3)), log.bits, 0.3)
      assert.equal(1, norm.started:item())
    end
  end)
end)

describe("an invertible convolution", function()
  it("is exact where products are rounded to bfloat16", function()
    local layer, x = layers.Conv1x1(6, { actnorm = true }), core.randn(4, 3, 3, 6) * 3 + 1
    local before = core.precision()
    core.precision "rounded"
    local ok, err = pcall(function()
      check_inverse(layer, x)
      assert.equal("rounded", core.precision())
    end)
    core.precision(before)
    assert.is_true(ok, err)
  end)
end)

describe("a coupling's network", function()
  it("looks at the caption's tokens where it attends", function()
    local layer = support.shake(layers.AffineCoupling(2, { hidden = 8, text = 4, heads = 2 }))
    local x, pooled = core.randn(2, 3, 2, 2), core.randn(2, 4)
    local cond = { pooled = pooled, tokens = core.randn(2, 5, 4), mask = core.ones(2, 5) }
    check_inverse(layer, x, cond)
    local other = { pooled = pooled, tokens = core.randn(2, 5, 4), mask = cond.mask }
    assert.is_true(far(layer(x, cond), layer(x, other)) > 1e-4)
  end)

  it("says what it misses", function()
    local layer = layers.AffineCoupling(2, { hidden = 8, text = 4, kernel = 1 })
    assert.has_error(function() layer(core.zeros(2, 2)) end,
      "bad argument #2 to 'flow' (cond.pooled: expected tensor, got nil)")
    assert.has_error(function() layer(core.zeros(2, 2), { pooled = core.zeros(2, 3) }) end,
      "bad argument #2 to 'flow' (cond.pooled: expected (2,4), got (2,3))")
  end)
end)

describe("guidance", function()
  it("exaggerates what the condition changes, and runs back", function()
    local layer = support.shake(layers.AffineCoupling(4, { hidden = 8, text = 3, kernel = 1 }))
    local x = core.randn(2, 4)
    local with_it, without = { pooled = core.randn(2, 3) }, { pooled = core.zeros(2, 3) }
    local function shift(g)
      return layer(x, { pooled = with_it.pooled, without = without, guidance = g })
    end
    assert.is_true(far(shift(1), layer(x, with_it)) < 1e-5)
    assert.is_true(far(shift(0), layer(x, without)) < 1e-5)
    check_inverse(layer, x, { pooled = with_it.pooled, without = without, guidance = 3 })
  end)
end)

describe("dequantisation", function()
  it("gives grey levels back exactly and cancels", function()
    core.manual_seed(2)
    local learned = support.shake(layers.VariationalDequantise(2, { hidden = 8 }), 0.1)
    for _, layer in ipairs { layers.Dequantise(), learned } do
      local x = support.levels(core.rand(4, 16, 16, 2) * 2 - 1)
      local y, logdet = layer(x)
      local back, undone = layer:inverse(y)
      assert.is_true(far(back, x) < 1e-6)
      assert.is_true(far(logdet, -undone) < 1e-3 * math.abs(logdet[1]:item()))
      assert.is_true(y:min():item() >= -1 and y:max():item() <= 1)
    end
  end)

  it("counts the density of the noise that it learned", function()
    -- q(u | x) over one pixel integrates to 1: the mean over uniform u of q(u | x) = exp(-logdet) / 128.
    core.manual_seed(3)
    local layer = support.shake(layers.VariationalDequantise(1, { hidden = 4, couplings = 2 }), 0.3)
    local n = 20000
    local u = (core.arange(0, n - 1):view(n, 1, 1, 1) + 0.5) * (1 / n)
    local _, logdet = layer:inverse((u + 100) * (1 / 128) - 1)
    assert.near(1, ((logdet - math.log(128)):exp()):mean():item(), 0.01)
  end)
end)
