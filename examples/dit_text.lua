-- Text to picture with a diffusion transformer: it reads scenes with captions that tell a part of what is to be seen,
-- and then paints what captions ask for, with what they leave open at random.
--
--   lua5.4 examples/dit_text.lua                         twenty minutes of training on two cores
--   lua5.4 examples/dit_text.lua --net unet --minutes 30 --lr 4e-3 --mean=-0.5 --precision float32 --out runs/unet_text
--   lua5.4 examples/dit_text.lua --minutes 2             less
--   lua5.4 examples/dit_text.lua --paint                 no training: paints with what was trained
--   lua5.4 examples/dit_text.lua --objects 2             scenes of one or two objects: needs longer
--
-- The transformer (arXiv 2212.09748) looks at the caption's words by cross-attention, and one vector of the whole
-- caption scales and gates every block; convolutions in its MLPs tell patches of their neighbours, without which it
-- needs far longer to learn what a star is. The U-Net looks at the words where its feature maps are small.
-- Writes <out>/dit_text.png, a row a caption, <out>/model.safetensors, and <out>/samples.safetensors, which
-- judge_scenes.lua reads.
local lt = require "laterna"
local nn = lt.nn
local prompts = dofile((arg[0]:match "^(.*/)" or "") .. "shared/prompts.lua")

local o = lt.train.arguments {
  net = "dit", minutes = 20.0, batch = 32, lr = 6e-3, mean = 0.0, objects = 1, pictures = 60000, precision = "auto",
  seed = 1, guidance = 1.5, sampling_steps = 20, samples = 500, out = "runs/dit_text", paint = false,
}

lt.manual_seed(o.seed)
lt.precision(o.precision)
local train = lt.data.scenes { n = o.pictures, seed = o.seed, objects = o.objects == 1 and 1 or nil }

local net
if o.net == "dit" then
  net = nn.DiT { channels = 3, size = 32, patch = 4, dim = 128, depth = 6, heads = 4, mix = 3, text = 96,
                 caption = "cross" }
else
  net = nn.UNet { channels = 3, size = 32, width = 48, multipliers = { 1, 2, 4 }, blocks = 1, text = 96 }
end
-- The mean moves the times of training: -0.5 puts half of them below 0.4. Colours and places are learned soon, but a
-- hexagon that has lost its corners is a circle, and corners are the last thing to be painted.
local model = lt.diffusion {
  net = net, text = lt.text.Encoder(train.captions, { dim = 96, depth = 2 }), schedule = "cosine", predict = "v",
  time_sampler = lt.diffusion.time_sampler.logit_normal { mean = o.mean, std = 1.4 },
}
local ema = lt.optim.Ema(model)

if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  local budget = lt.train.budget(o.minutes)
  local opt = lt.optim.Muon(model:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, budget, { warmup = 200, final = 0.01 * o.lr }) })
  local run = lt.train.run {
    save = o.out, steps = budget, data = train:batches(o.batch, { seed = o.seed }), model = model, optimizer = opt,
    ema = ema, resume = o.resume,
  }
  for _, batch in run:steps() do
    local loss, log = model:loss(batch.x, { text = batch.captions })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
  end
  lt.save_model(o.out .. "/model.safetensors", ema.model, { data = train })
end

local function paint(captions, guidance, seed)
  return ema.model:sample({ text = captions }, { steps = o.sampling_steps, guidance = guidance, seed = seed })
end

local picture = prompts.show(prompts.shown, o.guidance, paint)
lt.save_png(o.out .. "/dit_text.png", picture)
lt.show(picture)
prompts.save(o.out .. "/samples.safetensors", o.samples, o.seed, o.guidance, paint)
print("wrote " .. o.out .. "/dit_text.png and samples.safetensors")
