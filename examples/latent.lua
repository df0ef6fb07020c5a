-- Diffusion where the pictures are small: a VAE learns to write a picture of 32x32x3 numbers as 8x8x4 and to paint it
-- back, then a denoiser learns to make those from captions, for a fraction of the price of working on the pictures.
--
--   lua5.4 examples/latent.lua                           eight minutes of training on two cores
--   lua5.4 examples/latent.lua --paint                   no training: paints with what was trained
--
-- Writes <out>/latent.png: originals, what the VAE makes of them, then a row a caption; <out>/vae.safetensors and
-- <out>/model.safetensors (the denoiser, its text encoder, and the VAE within).
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.options {
  vae_steps = 1600, vae_batch = 32, vae_width = 16, beta = 0.2, channels = 4,
  steps = 5000, batch = 64, width = 64, lr = 4e-3, seed = 1, out = "runs/latent",
  guidance = 2, sampler = "dpmpp_2m", sampling_steps = 20, paint = false,
}

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = 60000, seed = o.seed, objects = 1 }
local test = lt.data.scenes { n = 10, seed = o.seed, first = 60001, objects = 1 }

-- The VAE. Its price is light: what it writes is not meant to be drawn from N(0, I) but to be learned.
local vae = lt.vae {
  encoder = nn.SpatialEncoder(2 * o.channels, { channels = 3, width = o.vae_width }),
  decoder = nn.SpatialDecoder(o.channels, 3, { width = o.vae_width }),
  detail = { 8, 8, o.channels }, beta = o.beta,
}

-- Takes the steps of a run: loss(batch) gives what to minimise, and numbers to log.
local function fit(name, model, ema, steps, batch, lr, loss)
  local opt = lt.optim.Muon(model:parameters(), {
    lr = lt.optim.schedule.cosine(lr, steps, { warmup = math.min(200, steps // 10), final = 0.01 * lr }) })
  local run = lt.train.run {
    save = o.out .. "/" .. name, steps = steps, data = train:batches(batch, { seed = o.seed }), model = model,
    optimizer = opt, ema = ema, resume = o.resume, label = name,
  }
  for _, part in run:steps() do
    local value, log = loss(part)
    opt:zero_grad()
    value:backward()
    lt.optim.clip_norm(model:parameters(), name == "vae" and 100 or 1)
    opt:step()
    ema:update()
    log.loss = value
    run:log(log)
  end
  if run.interrupted then os.exit(130) end
  lt.save(o.out .. "/" .. name .. ".safetensors", ema.model:state())
end

local average = lt.optim.Ema(vae, 0.995)
if not o.paint then
  fit("vae", vae, average, o.vae_steps, o.vae_batch, 2e-3, function(part) return vae:loss(part.x) end)
end

local model = lt.diffusion {
  net = nn.UNet { channels = o.channels, size = 8, width = o.width, multipliers = { 1, 2 }, blocks = 1, text = 64 },
  text = lt.text.Encoder(train.captions, { dim = 64, depth = 2 }), schedule = "cosine", predict = "v",
  space = average.model,
}
local ema = lt.optim.Ema(model, 0.999)
if o.paint then
  ema.model:load_state((lt.load(o.out .. "/model.safetensors")))
else
  fit("model", model, ema, o.steps, o.batch, o.lr, function(part)
    return model:loss(part.x, { text = part.captions })
  end)
end

local space, first = ema.model.space, test:batches(10, { shuffle = false }):next()
local rows, labels = { first.x, space:decode((space:encode(first.x))) }, { "originals", "through the VAE" }
local captions = { "a red star", "a large blue circle", "a green square, night sky", "a yellow heart, brick wall" }
for _, caption in ipairs(captions) do
  local same = {}
  for i = 1, 10 do same[i] = caption end
  rows[#rows + 1], labels[#labels + 1] = ema.model:sample({ text = same }, {
    sampler = o.sampler, steps = o.sampling_steps, guidance = o.guidance, seed = 1 }), caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/latent.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/latent.png")
