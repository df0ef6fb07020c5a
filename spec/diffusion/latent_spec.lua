-- Diffusion in a latent space: what it is measured by, and the halves of an auto-encoder that keeps places.
local core = require "laterna.core"
local diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local Vae = require "laterna.vae"

-- A space that halves pictures and multiplies them: latents of mean 3 and deviation 5 from pictures of 0 and 1.
local space = {}
function space.encode(_, x) return core.avg_pool2d(x, 2) * 5 + 3 end
function space.decode(_, z) return core.upsample_nearest((z - 3) * (1 / 5), 2) end

-- A denoiser that knows the one latent there is, v = (alpha x - x0) / sigma, and keeps what it was shown.
local function knowing(z, seen)
  return function(x, t)
    seen[#seen + 1] = x
    local angle = (t * (math.pi / 2)):view(-1, 1, 1, 1)
    return (x * angle:cos() - z) / angle:sin()
  end
end

local function cosine(t)
  return math.max(0, math.cos(math.pi / 2 * t)), math.sin(math.pi / 2 * t)
end

describe("diffusion in a latent space", function()
  it("sees latents of deviation 1, measured once", function()
    core.manual_seed(1)
    local seen = {}
    local model = diffusion { space = space, schedule = cosine, net = function(x)
      seen[#seen + 1] = x
      return x * 0
    end, time_sampler = function(n) return core.full({ n }, 1e-4) end }
    local x = core.upsample_nearest(core.randn(64, 4, 4, 2) * 0.3, 2)
    model:loss(x)
    assert.same({ 64, 4, 4, 2 }, seen[1].shape)
    assert.near(0, seen[1]:mean():item(), 1e-3)
    assert.near(1, seen[1]:std():item(), 1e-3)
    local before = model:state()["latents"]:totable()
    assert.near(3, before[1], 0.3)
    assert.near(1.5, before[2], 0.15)
    model:loss(x * 2 ^ 0.5)
    assert.near(2 ^ 0.5, seen[2]:std():item(), 1e-2)
    assert.same(before, model:state()["latents"]:totable())
  end)

  it("is not measured by a batch that is refused", function()
    local broken
    local model = diffusion { space = space, schedule = cosine, net = function(x)
      if broken then error "broken" end
      return x * 0
    end }
    local before = model:state()
    model:loss(core.full({ 2, 4, 4, 1 }, 0 / 0))
    assert.same(before.latents:totable(), model.latents:totable())
    broken = true
    fails("broken", model.loss, model, core.rand(2, 4, 4, 1))
    for name, t in pairs(model:state()) do
      if name ~= "size" then assert.same(before[name]:totable(), t:totable(), name) end
    end
    broken = false
    model:loss(core.rand(2, 4, 4, 1))
    assert.is_true(model.latents[2]:item() > 0)
  end)

  it("paints the picture that the latent stands for", function()
    core.manual_seed(2)
    local z = core.randn(1, 2, 2, 1):clamp(-1.5, 1.5)
    local x = core.upsample_nearest(z * 0.4, 2)
    local model = diffusion { space = space, schedule = cosine, net = knowing(z, {}) }
    model:loss(core.cat { x, x * -1 })
    local mean, deviation = table.unpack(model.latents:totable())
    model.net = knowing((core.avg_pool2d(x, 2) * 5 + 3 - mean) * (1 / deviation), {})
    local painted = model:sample({ n = 2 }, { sampler = "ddim", steps = 3 })
    assert.same({ 2, 4, 4, 1 }, painted.shape)
    assert.near(0, (painted - x):abs():max():item(), 1e-4)
    local again = model:sample({ n = 1 }, { sampler = "ddim", steps = 2, picture = x, strength = 0.5 })
    assert.near(0, (again - x):abs():max():item(), 1e-4)
  end)

  it("leaves a vae alone", function()
    core.manual_seed(3)
    local vae = Vae { detail = { 2, 2, 3 }, encoder = nn.SpatialEncoder { outputs = 6, width = 4 },
                      decoder = nn.SpatialDecoder { detail = 3, channels = 1, width = 4 } }
    local scale = nn.class("Scale", function(self) self.by = core.ones(1) end)
    function scale:forward(x) return x * self.by end
    local model = diffusion { net = scale(), space = vae }
    local loss = model:loss(core.rand(4, 8, 8, 1))
    loss:backward()
    for _, p in ipairs(vae:parameters()) do assert.is_false(p.requires_grad) end
    assert.is_not_nil(model.net.by.grad)
    assert.same({ 2, 2, 3 }, model.size:totable())
    assert.same({ 3, 8, 8, 1 }, model:sample({ n = 3 }, { sampler = "ddim", steps = 2 }).shape)
  end)

  it("does not guess what it has not measured", function()
    local model = diffusion { net = function(x) return x end, space = space, size = { 2, 2, 1 } }
    fails("its latents are not measured", model.sample, model, nil, { sampler = "ddim" })
  end)

  it("wants latents that are pictures", function()
    local model = diffusion { net = function(x) return x end, space = { encode = function(_, x) return x:flatten(2) end,
                              decode = function(_, z) return z end } }
    fails("space: expected latents (n,h,w,c), got tensor", model.loss, model, core.zeros(2, 4, 4, 1))
  end)
end)

describe("a vae whose detail is a small picture", function()
  local function spatial(options)
    return Vae { detail = { 4, 2, 3 }, encoder = nn.SpatialEncoder { outputs = 6, channels = 2, width = 4 },
                 decoder = nn.SpatialDecoder { detail = 3, channels = 2, width = 4 }, beta = options and options.beta }
  end

  it("draws, prices, paints and encodes it", function()
    core.manual_seed(4)
    local vae, x = spatial(), core.rand(5, 16, 8, 2) * 2 - 1
    local mu, logvar = vae:encode(x)
    assert.same({ 5, 4, 2, 3 }, mu.shape)
    local _, log = vae:loss(x)
    local kl = (mu:square() + logvar:exp() - 1 - logvar):sum():item() / 2 / 5
    assert.near(kl, log.kl, 1e-3 * kl)
    assert.same({ 2, 16, 8, 2 }, vae:sample({ n = 2 }).shape)
    assert.same(vae:sample({ detail = mu }):totable(), vae:decode(mu):totable())
  end)

  it("learns to give pictures back #training", function()
    core.manual_seed(5)
    local optim = require "laterna.optim"
    local vae, x = spatial { beta = 0.01 }, core.upsample_nearest(core.rand(16, 4, 2, 2) * 2 - 1, 4)
    local optimizer = optim.Adam(vae:parameters(), { lr = 1e-2 })
    local function error_of() return (vae:decode((vae:encode(x))) - x):square():mean():item() end
    local before = error_of()
    for _ = 1, 60 do
      local loss = vae:loss(x)
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    assert.is_true(error_of() < 0.3 * before)
  end)

  it("refuses sizes that do not fit", function()
    fails("detail: expected an integer of at least 1, or {height, width, channels}", Vae,
      { decoder = nn.SpatialDecoder { detail = 3 }, detail = { 2, 2 } })
    fails("sides that 4 divides, got (1,6,8,1)", nn.SpatialEncoder { outputs = 2 }, core.zeros(1, 6, 8, 1))
    fails("unknown option", nn.SpatialDecoder, { detail = 2, size = 8 })
  end)
end)
