-- Bits per dimension, against densities in closed form.
local core = require "laterna.core"
local ideal = require "spec.support.ideal"
local Diffusion = require "laterna.diffusion"

local function log2(v) return math.log(v, 2) end

-- Bits a value of N(mean, s^2) in every pixel.
local function gaussian_bits(x, mean, s)
  local out, d = {}, x:numel() // x:size(1)
  for i, row in x:rows() do
    local square = ((row - mean) * (row - mean)):sum():item() / (s * s)
    out[i] = (0.5 * square / d + 0.5 * math.log(2 * math.pi) + math.log(s)) / math.log(2)
  end
  return out
end

describe("bits_per_dim", function()
  before_each(function() core.manual_seed(7) end)

  it("is exact on Gaussian data, with every schedule and prediction #slow", function()
    local x = core.randn(4, 3, 2, 1) * 0.4 - 0.2
    local expected = gaussian_bits(x, -0.2, 0.4)
    for _, schedule in ipairs { "cosine", "flow", "linear", "edm" } do
      for _, kind in ipairs { "eps", "x0", "v", "velocity", "edm" } do
        local model = ideal.gaussian(schedule, kind, -0.2, 0.4, { sigma_data = 0.5 })
        local bits = model:bits_per_dim(x, nil, { dequantize = false }):totable()
        for i = 1, 4 do assert.near(expected[i] + log2(127.5), bits[i], 0.01, schedule .. " " .. kind) end
      end
    end
  end)

  it("estimates the divergence of maps that mix the pixels without bias, better with more probes", function()
    local a, b, c = 0.6, 0.35, 0.5
    local model = ideal.pair("cosine", "v", a, b, c)
    local x = core.randn(1, 1, 2, 1) * 0.7
    local u, v = x:totable()[1][1][1][1], x:totable()[1][1][2][1]
    local det = a * c - b * b
    local square = (u * u * c - 2 * u * v * b + v * v * a) / det
    local expected = (0.5 * square + math.log(2 * math.pi) + 0.5 * math.log(det)) / (2 * math.log(2)) + log2(127.5)
    local many = x:expand(400, 1, 2, 1)
    local one = model:bits_per_dim(many, nil, { dequantize = false, steps = 20 })
    assert.near(expected, one:mean():item(), 0.03)
    local nine = model:bits_per_dim(many, nil, { dequantize = false, steps = 20, probes = 9 })
    assert.near(3, one:std():item() / nine:std():item(), 0.5)
  end)

  it("counts levels, and spreads each value over its own", function()
    local model, x = ideal.gaussian("cosine", "v", 0, 0.5), core.rand(3, 3, 2, 1) - 0.5
    local function bits(o) return model:bits_per_dim(x, nil, o) end
    local plain = bits { dequantize = false }
    local coarse = bits { dequantize = false, levels = 16 }
    assert.near(plain:mean():item() - log2(127.5) + log2(7.5), coarse:mean():item(), 1e-5)
    local a = bits { generator = core.generator(3) }
    assert.same(a:totable(), bits({ generator = core.generator(3) }):totable())
    assert.is_true((a - plain):abs():max():item() > 0)
    assert.is_true((a - plain):abs():max():item() < 0.05)
  end)

  it("leaves weights without gradients, and frees what it recorded", function()
    local nn = require "laterna.nn"
    local Net = nn.class("Net", function(self) self.fc = nn.Linear(6, 6) end)
    function Net:forward(x) return self.fc(x:flatten(2)):view(x.shape) end
    local model = Diffusion { net = Net(), size = { 3, 2, 1 } }
    local x = core.rand(2, 3, 2, 1)
    local bits = model:bits_per_dim(x, nil, { steps = 2, generator = core.generator(1) })
    assert.same({ 2 }, bits.shape)
    assert.is_false(bits.requires_grad)
    assert.is_true(core.grad_enabled())
    assert.is_true(model.training and model.net.training)
    for _, p in ipairs(model:parameters()) do
      assert.is_nil(p.grad)
      assert.is_true(p.requires_grad)
    end
  end)

  it("refuses in words", function()
    local model, x = ideal.gaussian("cosine", "v", 0, 0.5), core.zeros(1, 3, 2, 1)
    local function fails(message, with, ...)
      local ok, err = pcall(with.bits_per_dim, with, ...)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
    end
    fails("bad argument #1 to 'bits_per_dim' (x: expected pictures", model, core.zeros(3))
    fails("(levels: expected integer of at least 2, got 1)", model, x, nil, { levels = 1 })
    fails("steps: expected integer from 1", model, x, nil, { steps = 0 })
    fails("unknown option \"guidance\"", model, x, nil, { guidance = 2 })
    fails("generator: expected a generator", model, x, nil, { generator = x })
    local latent = { encode = function(_, a) return a end, decode = function(_, a) return a end }
    model = ideal.gaussian("cosine", "v", 0, 0.5, { space = latent })
    fails("in a latent space the density is that of latents", model, x)
  end)

  it("is empty for an empty batch", function()
    local net = require("laterna.nn").UNet { channels = 1, width = 8, multipliers = { 1 }, blocks = 1 }
    local model = Diffusion { net = net, size = { 3, 2, 1 } }:eval()
    assert.same({ 0 }, model:bits_per_dim(core.zeros(0, 3, 2, 1), nil, { steps = 2 }).shape)
  end)
end)
