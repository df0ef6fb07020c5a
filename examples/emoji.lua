-- Text to emoji: 1049 small pictures and what Unicode calls them. A VAE writes 48x48x3 numbers as 12x12x8; an extractor
-- looks at a picture and at a caption that tells all, some or nothing of its name, and writes the rest as a vector of
-- `rate` nats; a U-Net paints from caption and detail in the VAE's space, where it sees three times as many pictures in
-- an hour as it would see on pixels, and leaves edges to the decoder.
--
--   lua5.4 examples/emoji_folder.lua                 once: writes the pictures, with names and keywords
--   lua5.4 examples/emoji.lua                        an hour of training on two cores
--   lua5.4 examples/emoji.lua --vae-minutes 0.3 --minutes 0.7                   a minute
--   lua5.4 examples/emoji.lua --paint                no training: paints with what was trained
--
-- Writes <out>/emoji.png: originals, what the VAE makes of them, what is painted from caption + detail; then a row a
-- caption, eight random details each. "(unseen)" stands where no picture has all of the caption's words. Prints how
-- often the nearest of all training pictures is the one that was asked for.
local lt = require "laterna"
local nn = lt.nn
local words = dofile((arg[0]:match "^(.*/)" or "") .. "shared/emoji_words.lua")

local o = lt.train.arguments {
  vae_minutes = 12.0, vae_width = 24, channels = 8, minutes = 48.0, width = 96, detail = 32, rate = 20, lr = 4e-3,
  batch = 32, mean = -0.3, sampling_steps = 20, guidance = 3.0, precision = "auto", seed = 1, out = "runs/emoji",
  pictures = "runs/emoji_pictures", paint = false,
}

lt.manual_seed(o.seed)
local train, TEXT = words.load(o.pictures, 48), { dim = 96, depth = 2 }
local vae = lt.vae {
  encoder = nn.SpatialEncoder { outputs = 2 * o.channels, channels = 3, width = o.vae_width },
  decoder = nn.SpatialDecoder { detail = o.channels, channels = 3, width = o.vae_width },
  detail = { 12, 12, o.channels }, beta = 0.2,
}

-- Trains for some minutes; loss(batch) gives what to minimise, and numbers to log.
local function fit(name, model, ema, minutes, lr, loss)
  local budget = lt.train.budget(minutes)
  local opt = lt.optim.Muon(model:parameters(), {
    lr = lt.optim.schedule.cosine(lr, budget, { warmup = 200, final = 0.01 * lr }) })
  local run = lt.train.run {
    save = o.out .. "/" .. name, steps = budget, model = model, optimizer = opt, ema = ema, label = name,
    data = train:batches(o.batch, { seed = o.seed, augment = words.vary(train) }),
  }
  for _, part in run:steps() do
    local value, log = loss(part)
    run:log(opt:update(value, log, { clip_norm = name == "vae" and 100 or 1 }))
    ema:update()
  end
  lt.save_model(o.out .. "/" .. name .. ".safetensors", ema.model, { data = train })
end

local average = lt.optim.Ema(vae, 0.998)
if not o.paint then
  fit("vae", vae, average, o.vae_minutes, 2e-3, function(part) return vae:loss(part.x) end)
end

lt.precision(o.precision)
local about = {} -- the words of names and keywords
for i = 1, #train do about[i] = words.about(train, i) end
local model = lt.autoencoder {
  text = lt.text.Encoder(about, TEXT), detail = o.detail, rate = o.rate,
  extractor = nn.Extractor { detail = o.detail, size = 48, channels = 3, width = 16, levels = 3, text = TEXT.dim },
  prior = lt.prior.Flow(o.detail, { condition = TEXT.dim }),
  generator = lt.diffusion {
    net = nn.UNet { channels = o.channels, size = 12, width = o.width, multipliers = { 1, 2 }, blocks = 1,
                    text = TEXT.dim, detail = o.detail },
    time_sampler = lt.diffusion.time_sampler.logit_normal { mean = o.mean, std = 1.4 },
    schedule = "cosine", predict = "v", space = average.model,
  },
}
local ema = lt.optim.Ema(model)
if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  fit("model", model, ema, o.minutes, o.lr, function(part) return model:loss(part.x, { text = part.captions }) end)
end

local painter, space = ema.model, ema.model.generator.space
local function options(seed)
  return { steps = o.sampling_steps, generator = lt.generator(seed), guidance = o.guidance }
end
local shown = train:batches(8, { seed = 5 }):next()
local rows, labels = { shown.x, space:decode((space:encode(shown.x))),
  painter:reconstruct(shown.x, { text = shown.captions }, options(1)) },
  { "originals", "through the VAE", "painted from caption + detail" }
for _, caption in ipairs {
  "red apple", "green apple", "dog face", "clown face", "rocket", "pizza", "octopus", "red heart", "apple", "heart",
  "face", "fruit", "blue apple", "green dog face", "purple cat face", "red octopus", "clown apple",
} do
  rows[#rows + 1] = painter:sample({ text = lt.text.repeated(caption, 8) }, options(1))
  labels[#labels + 1] = caption .. (words.unseen(train, caption) and " (unseen)" or "")
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/emoji.png", picture)
lt.show(picture)

local asked = train:batches(200, { seed = 7 }):next()
local function report(name, x)
  local first, five = words.recognised(train, x, asked.index:totable())
  print(("%-24s the nearest picture is the right one in %.1f %%, among the nearest five in %.1f %%"):format(name,
    100 * first, 100 * five))
end
report("the emoji, moved:", train:batches(200, { seed = 7, augment = words.vary(train) }):next().x)
report("from caption + detail:", painter:reconstruct(asked.x, { text = asked.captions }, options(2)))
report("from the name alone:", painter:sample({ text = asked.captions }, options(3)))
print("wrote " .. o.out .. "/emoji.png and model.safetensors")
