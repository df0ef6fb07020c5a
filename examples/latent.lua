-- Diffusion where the pictures are small: a VAE learns to write a picture of 32x32x3 numbers as 8x8x4 and to paint it
-- back, then a diffusion transformer learns to make those from captions. The VAE sees to edges and textures, so that
-- every patch of the transformer can be a single one of the 64 places; the method of Sora, at the size of a laptop.
--
--   lua5.4 examples/latent.lua                           twenty minutes of training on two cores
--   lua5.4 examples/latent.lua --minutes 3               less
--   lua5.4 examples/latent.lua --paint                   no training: paints with what was trained
--
-- Writes <out>/latent.png: originals, what the VAE makes of them, then a row a caption; <out>/samples.safetensors,
-- which judge_scenes.lua reads; <out>/model.safetensors (denoiser, text encoder, and the VAE within).
local lt = require "laterna"
local nn = lt.nn
local prompts = dofile((arg[0]:match "^(.*/)" or "") .. "shared/prompts.lua")

local o = lt.train.arguments {
  vae_minutes = 0.5, width = 16, beta = 0.2, channels = 4, minutes = 20.0, dim = 128, depth = 6, lr = 6e-3, batch = 32,
  precision = "auto", guidance = 2, sampling_steps = 20, samples = 500, seed = 1, out = "runs/latent", paint = false,
}

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = 60000, seed = o.seed, objects = 1 }
local test = lt.data.scenes { n = 8, seed = o.seed, first = 60001, objects = 1 }

-- The weight of the KL is small: the latent is not meant to be drawn from N(0, I) but to be learned.
local vae = lt.vae {
  encoder = nn.SpatialEncoder { outputs = 2 * o.channels, channels = 3, width = o.width },
  decoder = nn.SpatialDecoder { detail = o.channels, channels = 3, width = o.width },
  detail = { 8, 8, o.channels }, beta = o.beta,
}

-- Trains for some minutes; loss(batch) gives what to minimise, and numbers to log.
local function fit(name, model, ema, minutes, lr, limit, loss)
  local budget = lt.train.budget(minutes)
  local opt = lt.optim.Muon(model:parameters(), {
    lr = lt.optim.schedule.cosine(lr, budget, { warmup = 200, final = 0.01 * lr }) })
  local run = lt.train.run {
    save = o.out .. "/" .. name, steps = budget, data = train:batches(o.batch, { seed = o.seed }), model = model,
    optimizer = opt, ema = ema, label = name,
  }
  for _, part in run:steps() do
    local value, log = loss(part)
    run:log(opt:update(value, log, { clip_norm = limit }))
    ema:update()
  end
  lt.save_model(o.out .. "/" .. name .. ".safetensors", ema.model, { data = train })
end

local average = lt.optim.Ema(vae, 0.995)
if not o.paint then
  fit("vae", vae, average, o.vae_minutes, 2e-3, 100, function(part) return vae:loss(part.x) end)
end

lt.precision(o.precision)
local model = lt.diffusion {
  net = nn.DiT { channels = o.channels, size = 8, patch = 1, dim = o.dim, depth = o.depth, heads = 4, mix = 3,
                 text = 96, caption = "cross" },
  text = lt.text.Encoder(train.captions, { dim = 96, depth = 2 }), schedule = "cosine", predict = "v",
  time_sampler = lt.diffusion.time_sampler.logit_normal { mean = 0, std = 1.4 }, space = average.model,
}
local ema = lt.optim.Ema(model, 0.998)
if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  fit("model", model, ema, o.minutes, o.lr, 1, function(part)
    return model:loss(part.x, { text = part.captions })
  end)
end

local function paint(captions, guidance, seed)
  return ema.model:sample({ text = captions }, { steps = o.sampling_steps, guidance = guidance, seed = seed })
end
local space, first = ema.model.space, test:batches(8, { shuffle = false }):next()
local picture = prompts.show(prompts.shown, o.guidance, paint,
  { first.x, space:decode((space:encode(first.x))) }, { "originals", "through the VAE" })
lt.save_png(o.out .. "/latent.png", picture)
lt.show(picture)
prompts.save(o.out .. "/samples.safetensors", o.samples, o.seed, o.guidance, paint)
print("wrote " .. o.out .. "/latent.png and samples.safetensors")
