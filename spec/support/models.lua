-- A small model of every kind, with what to sample from it: for files of models, in this process and in another one.
local lt = require "laterna"
local nn = lt.nn

local models = {}

models.captions = { "a red star", "a blue circle", "a green square", "a red circle above a blue star", "" }

local SIZE = { 8, 8, 3 }
local ASK = { text = { "a red star", "a blue circle" } }

local function encoder()
  return lt.text.Encoder(models.captions, { dim = 16, depth = 1, heads = 2 })
end

local function denoiser(channels, size)
  return nn.UNet { channels = channels, size = size, width = 8, multipliers = { 1, 2 }, blocks = 1, heads = 2,
                   text = 16 }
end

local function vae(options)
  local o = { decoder = nn.PictureDecoder(6, 3, { size = 8, width = 8, condition = 16 }), detail = 6 }
  for key, v in pairs(options or {}) do o[key] = v end
  return lt.vae(o)
end

-- Weights that start at zero would hide what was not loaded.
local function stirred(model)
  lt.no_grad(function()
    for _, p in ipairs(model:parameters()) do p:add_(lt.randn(p.shape) * 0.05) end
  end)
  return model
end

local function autoencoder(options)
  local o = { extractor = nn.Extractor { size = 8, channels = 3, width = 8, detail = 6, text = 16 }, text = encoder(),
              generator = vae(), detail = 6 }
  for key, v in pairs(options) do o[key] = v end
  return lt.autoencoder(o)
end

local steps = { sampler = "ddim", steps = 3, seed = 5 }
local once = { seed = 5 }

local function diffusion(options)
  local o = { net = denoiser(3, 8), text = encoder(), size = SIZE }
  for key, v in pairs(options or {}) do o[key] = v end
  return lt.diffusion(o)
end

-- Each gives a model, and the options to sample with.
models.made = {
  diffusion = function()
    local options = {
      schedule = lt.schedule.shift(lt.schedule.cosine { s = 0.01 }, 2), predict = "eps",
      weight = lt.diffusion.weight.min_snr(4), time_sampler = lt.diffusion.time_sampler.logit_normal { std = 0.8 },
    }
    return diffusion(options), steps
  end,
  dit = function()
    local net = nn.DiT { channels = 3, size = 8, patch = 2, dim = 16, depth = 1, heads = 2, text = 16 }
    return diffusion { net = net }, steps
  end,
  flow = function()
    local net = lt.flow.Glow { size = SIZE, steps = 1, hidden = 8, text = 16 }
    return lt.flow { net = net, size = SIZE, text = encoder(), invertible_backward = true }, once
  end,
  tarflow = function()
    local net = lt.flow.TarFlow { size = SIZE, patch = 4, blocks = 2, dim = 16, layers = 1, heads = 2, text = 16 }
    return lt.flow { net = net, size = SIZE, text = encoder(), dequantise = "none" }, once
  end,
  vae = function()
    local eyes = nn.PictureEncoder(12, { size = 8, channels = 3, width = 8, condition = 16 })
    return vae { encoder = eyes, text = encoder(), likelihood = lt.likelihood.Logistic(), beta = 0.1 + 0.2 }, once
  end,
  gan = function()
    local judge = nn.spectral_norm(nn.Critic { size = 8, channels = 3, width = 8, multipliers = { 1, 2 }, text = 16 })
    return lt.gan {
      generator = nn.Generator { size = 8, channels = 3, width = 8, multipliers = { 1, 2 }, detail = 4, text = 16 },
      critic = lt.gan.Critic { net = judge, text = encoder() }, text = encoder(), detail = 4,
      loss = lt.gan.losses.hinge,
      augment = lt.gan.augment { kinds = { "flip", lt.gan.augment.kinds.brightness(0.5) } },
    }, once
  end,
  autoencoder_flow = function()
    return autoencoder { prior = lt.prior.Flow(6, { condition = 16, hidden = 8 }) }, once
  end,
  autoencoder_diffusion = function()
    return autoencoder { prior = lt.prior.Diffusion(6, { condition = 16, hidden = 8, steps = 3 }), rate = 3 }, once
  end,
  autoencoder_codes = function()
    local codes = lt.autoencoder.regulariser.fsq { levels = { 5, 3 }, condition = 16, hidden = 8 }
    return autoencoder { regulariser = codes,
      extractor = nn.Extractor { size = 8, channels = 3, width = 8, detail = 6, text = 16, outputs = 1 } }, once
  end,
  shared = function() -- one encoder serves both, and stays one
    local text = encoder()
    return autoencoder { text = text, generator = vae { text = text } }, once
  end,
  latent = function()
    local space = lt.vae { encoder = nn.SpatialEncoder(4, { channels = 3, width = 8, levels = 1 }),
      decoder = nn.SpatialDecoder(2, 3, { width = 8, levels = 1 }), detail = { 4, 4, 2 } }
    local model = diffusion { net = denoiser(2, 4), space = space, size = { 4, 4, 2 } }
    model:loss(lt.rand(4, 8, 8, 3) * 2 - 1, { text = { "", "", "", "" } })
    return model, steps
  end,
  student = function()
    local student = diffusion { schedule = "flow", predict = "velocity" }:clone()
    return student, steps
  end,
}

--- The model of a name, with weights that a seed gives, and its options of sampling.
function models.make(name)
  lt.manual_seed(11)
  local model, options = models.made[name]()
  return stirred(model), options
end

--- Pictures of a model in evaluation mode.
function models.sample(model, options)
  return model:eval():sample(ASK, options)
end

return models
