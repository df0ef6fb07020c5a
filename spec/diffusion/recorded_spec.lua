-- Painting on record: the pictures are those of sample, and their gradient is that of the whole way.
local core = require "laterna.core"
local diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local function unet()
  return nn.UNet { channels = 1, size = 4, width = 4, multipliers = { 1 }, blocks = 1, text = 4 }
end

local function shaken(model)
  core.no_grad(function()
    for _, p in ipairs(model:parameters()) do p:add_(core.randn(p.shape) * 0.1) end
  end)
  return model
end

describe("diffusion:rsample", function()
  before_each(function() core.manual_seed(5) end)

  it("paints what sample paints in as many steps of ddim, whatever is predicted #slow", function()
    local beyond = 0 -- where a clamp of the last picture would have no slope
    for _, kind in ipairs { "v", "x0", "eps", "velocity", "edm" } do
      local model = shaken(diffusion { net = unet(), predict = kind, size = { 4, 4, 1 }, text = Encoder({ "a", "b" },
        { dim = 4, depth = 1, heads = 1 }) })
      local cond, noise = { text = { "a", "b", "" } }, core.randn(3, 4, 4, 1)
      for steps = 1, 3 do
        local painted = model:rsample(cond, { steps = steps, noise = noise })
        local sampled = model:sample(cond, { sampler = "ddim", steps = steps, noise = noise })
        assert.is_true(painted.requires_grad)
        beyond = math.max(beyond, painted:abs():max():item())
        assert.is_true((painted:clamp(-1, 1) - sampled):abs():max():item() < 2e-4, kind)
      end
      assert.is_true(model.training)
      local a, b = model:rsample({ n = 2 }, { seed = 3 }), model:rsample({ n = 1 }, { seed = 3 })
      assert.is_true((a[1] - b[1]):abs():max():item() < 1e-4)
    end
    assert.is_true(beyond > 1.05)
  end)

  it("has the gradient of all its steps", function()
    local Net = nn.class("Net", function(self) self.a, self.b = core.full({ 1 }, 0.3), core.full({ 1 }, -0.2) end)
    function Net:forward(x, t) return (x * self.a + self.b + t:view(-1, 1, 1, 1) * self.a):tanh() end
    local net = Net()
    local model, noise = diffusion { net = net, predict = "v", size = { 2, 1, 1 } }, core.randn(2, 2, 1, 1) * 0.3
    for steps = 1, 2 do
      gradcheck.check(function() return model:rsample(nil, { steps = steps, noise = noise }) end, { net.a, net.b },
        { h = 0.01 })
    end
  end)

  it("paints through a latent space, which is not taught", function()
    local space = Vae { encoder = nn.SpatialEncoder { outputs = 2, channels = 1, width = 4, levels = 1 },
                        decoder = nn.SpatialDecoder { detail = 1, channels = 1, width = 4, levels = 1 },
                        detail = { 2, 2, 1 } }
    local net = nn.Conv2d(1, 1, 1)
    local Denoiser = nn.class("Denoiser", function(self) self.conv = net end)
    function Denoiser:forward(x) return self.conv(x) end
    local model = diffusion { net = Denoiser(), space = space }
    local x = core.randn(4, 4, 4, 1):clamp(-1, 1)
    fails("not been trained", model.rsample, model, nil, { size = { 2, 2, 1 } })
    model:loss(x)
    local painted = model:rsample({ n = 3 }, { seed = 1, steps = 2 })
    local sampled = model:sample({ n = 3 }, { seed = 1, steps = 2, sampler = "ddim" })
    assert.is_true((painted - sampled):abs():max():item() < 1e-4)
    painted:sum():backward()
    assert.is_true(net.weight.grad:norm():item() > 0)
    for _, p in ipairs(space:parameters()) do assert.is_nil(p.grad) end
    model.space = { encode = function() end, decode = function() end }
    fails("its space cannot paint", model.rsample, model, { n = 1 })
  end)

  it("refuses what it cannot do", function()
    local model = diffusion { net = unet() }
    fails("bad argument #2 to 'rsample' (size: expected {height, width, channels}", model.rsample, model)
    fails("bad argument #2 to 'rsample' (unknown option \"guidance\"", model.rsample, model, nil, { guidance = 2 })
    fails("bad argument #2 to 'rsample' (noise: expected (2,4,4,1), got (1,4,4,2))", model.rsample, model, { n = 2 },
      { size = { 4, 4, 1 }, noise = core.ones(1, 4, 4, 2) })
  end)
end)
