-- Every generator has the face of docs/generator.md.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local Diffusion = require "laterna.diffusion"
local face = require "spec.support.face"
local Flow = require "laterna.flow"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local Prior = require("laterna.prior").Flow
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local CAPTIONS = { "a red star", "blue", "" }
local SHAPE = { size = 8, channels = 1, width = 4, levels = 1, condition = 4 }
local NET = { size = 8, width = 4, multipliers = { 1, 2 }, text = 4, group = 4 }

local function text() return Encoder(CAPTIONS, { dim = 4, depth = 1, heads = 1 }) end

local function with(t, more)
  local out = {}
  for key, v in pairs(t) do out[key] = v end
  for key, v in pairs(more) do out[key] = v end
  return out
end

local function decoder(more)
  return Vae(with({ decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 }, more or {}))
end

local function vae() return decoder { encoder = nn.PictureEncoder(4, SHAPE), text = text() } end

local function critic() return Gan.Critic { net = nn.Critic(NET), text = text() } end

local function gan(more)
  return Gan(with({ generator = nn.Generator(with(NET, { detail = 2 })), critic = critic(), detail = 2 }, more or {}))
end

local function unet(more)
  return nn.UNet(with({ size = 8, width = 4, multipliers = { 1, 2 }, blocks = 1, heads = 1, text = 4 }, more or {}))
end

-- A model that has been trained a little, so that what starts at zero speaks.
local function shaken(model)
  local g = core.generator(4)
  core.no_grad(function()
    for _, p in ipairs(model:parameters()) do p:add_(core.randn(p.shape, { generator = g }) * 0.05) end
  end)
  return model
end

local function extracted(generator, more)
  local extractor = nn.Extractor { size = 8, width = 4, levels = 1, detail = 2, text = 4, heads = 1 }
  return Autoencoder(with({ extractor = extractor,
    text = text(), generator = generator, detail = 2 }, more or {}))
end

local FEW = { steps = 3 }
local MODELS = {
  vae = { vae, has = "rsample encode decode" },
  flow = { function()
    return Flow { net = Flow.Glow { size = { 8, 8, 1 }, levels = 1, steps = 1, hidden = 4, text = 4 },
                  size = { 8, 8, 1 }, text = text() }
  end, has = "rsample encode decode log_prob" },
  ["flow (TarFlow)"] = { function()
    return Flow { net = Flow.TarFlow { size = { 8, 8, 1 }, blocks = 2, dim = 8, layers = 1, heads = 1, text = 4 },
                  size = { 8, 8, 1 }, text = text() }
  end, has = "rsample encode decode log_prob" },
  diffusion = { function()
    return Diffusion { net = unet(), text = text(), size = { 8, 8, 1 } }
  end, has = "rsample encode", sample = FEW, rsample = FEW },
  ["diffusion (DiT)"] = { function()
    return Diffusion { net = nn.DiT { size = 8, dim = 8, depth = 1, heads = 1, text = 4 }, text = text(),
                       size = { 8, 8, 1 }, schedule = "flow", predict = "velocity" }
  end, has = "rsample encode", sample = FEW, rsample = FEW },
  ["diffusion in a latent space"] = { function()
    local space = Vae { encoder = nn.SpatialEncoder(2 * 2, { channels = 1, width = 4, levels = 1 }),
                        decoder = nn.SpatialDecoder(2, 1, { width = 4, levels = 1 }), detail = { 4, 4, 2 } }
    return Diffusion { net = unet { channels = 2, size = 4 }, text = text(), space = space }
  end, has = "rsample encode", sample = FEW, rsample = FEW },
  gan = { function() return gan { text = text() } end, has = "rsample critic_loss generator_parameters" },
  ["autoencoder of a vae"] = { function()
    return extracted(decoder(), { prior = Prior(2, { text = 4, layers = 2, hidden = 8 }) })
  end, has = "rsample encode decode generator_parameters" },
  ["autoencoder of a flow"] = { function()
    return extracted(Flow { net = Flow.Glow { size = { 8, 8, 1 }, levels = 1, steps = 1, hidden = 4, text = 4,
                            detail = 2 }, size = { 8, 8, 1 } })
  end, has = "rsample encode decode" },
  ["autoencoder of a diffusion"] = { function()
    return extracted(Diffusion { net = unet { detail = 2 }, size = { 8, 8, 1 } })
  end, has = "encode decode", sample = FEW, rsample = FEW },
  ["autoencoder of a gan"] = { function()
    return extracted(gan { feature_weight = 1 })
  end, has = "rsample encode critic_loss generator_parameters" },
  ["a judge of a vae"] = { function()
    return Gan.judge(vae(), { critic = critic(), features = 0.5 })
  end, has = "loss critic_loss" },
  ["a judge of a diffusion"] = { function()
    local model = Diffusion { net = unet(), text = text(), size = { 8, 8, 1 } }
    return Gan.judge(model, { critic = critic(), rsample = FEW })
  end, has = "loss critic_loss" },
}

describe("the face of a generator", function()
  for name, of in pairs(MODELS) do
    it("is that of " .. name, function()
      core.manual_seed(2)
      local x = core.rand({ 3, 8, 8, 1 }, { generator = core.generator(3) }) * 1.8 - 0.9
      local model, cond = shaken(of[1]()), { text = CAPTIONS }
      core.no_grad(model.loss, model, x, cond) -- what measures its first batch has had one
      face.check(name, model, { x = x, cond = cond, sample = of.sample, rsample = of.rsample, has = of.has })
    end)
  end

  it("is not that of a model which forgets one of its promises", function()
    local function broken(change)
      core.manual_seed(2)
      local model = shaken(vae())
      change(model)
      return pcall(face.check, "it", model, { x = core.zeros(3, 8, 8, 1), cond = { text = CAPTIONS } })
    end
    assert.is_true((broken(function() end)))
    for promise, change in pairs {
      ["gives a scalar"] = function(m) function m.loss(_, x) return x:mean(1), {} end end,
      ["is recorded"] = function(m) function m.loss() return core.zeros(1), {} end end,
      ["refuses known"] = function(m)
        local loss = m.loss
        function m.loss(self, x, cond) return loss(self, x, { text = cond.text }) end
      end,
      ["does not depend on its batch"] = function(m)
        local sample = m.sample
        function m.sample(self, cond, o)
          if not o then return sample(self, cond) end
          return sample(self, cond, { generator = core.generator(o.seed + #(cond and cond.text or {})) })
        end
      end,
      ["modes are what they were"] = function(m)
        local sample = m.sample
        function m.sample(self, cond, o) return sample(self:eval(), cond, o) end
      end,
      ["rsample is recorded"] = function(m) function m.rsample(self, cond) return self:sample(cond) end end,
    } do
      local ok, message = broken(change)
      assert.is_false(ok, promise)
      assert.is_truthy(tostring(message):find(promise, 1, true), promise .. ": " .. tostring(message))
    end
  end)
end)
