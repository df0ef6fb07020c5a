-- One denoiser, trained on garments with more and less noise, applied again and again: text to picture by diffusion.
--
--   lua5.4 examples/diffusion.lua                        ten minutes of training on two cores
--   lua5.4 examples/diffusion.lua --steps 800            one minute
--   lua5.4 examples/diffusion.lua --precision auto       bfloat16 where the processor gains by it
--   lua5.4 examples/diffusion.lua --paint                no training: paints with what was trained
--
-- Writes <out>/diffusion.png (what the model guesses on the way from noise to a picture, then a row a caption),
-- <out>/samples.safetensors for judge.lua, and <out>/model.safetensors, with which other examples paint.
local lt = require "laterna"
local garments = dofile((arg[0]:match "^(.*/)" or "") .. "shared/garments.lua")

local o = lt.train.arguments { steps = 8000, batch = 32, width = 32, lr = 1e-3, seed = 1, out = "runs/diffusion",
                               guidance = 1.5, sampler = "dpmpp_2m", sampling_steps = 20, samples = 1000,
                               precision = "float32", paint = false }
lt.precision(o.precision)

lt.manual_seed(o.seed)
local train = lt.data.fashion_mnist "train"
local model

if o.paint then
  model = garments.open(o.out .. "/model.safetensors")
else
  local learner = garments.model(train.captions, o.width)
  local opt = lt.optim.AdamW(learner:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(200, o.steps // 10), final = 0.01 * o.lr }) })
  local ema = lt.optim.Ema(learner)
  local run = lt.train.run {
    save = o.out, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = learner, optimizer = opt,
    ema = ema, resume = o.resume,
  }
  for _, batch in run:steps() do
    local loss, log = learner:loss(batch.x, { text = batch.captions })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
  end
  model = ema.model
  lt.save_model(o.out .. "/model.safetensors", model, { data = train })
end

local how = { sampler = o.sampler, steps = o.sampling_steps, guidance = o.guidance, seed = 1 }
local rows, labels, way = {}, { "on the way" }, {}
model:sample({ text = { "ankle boot" } }, { sampler = "ddim", steps = 10, guidance = o.guidance, seed = 1,
  callback = function(at) way[#way + 1] = at.x0 end })
rows[1] = lt.cat(way)
for _, caption in ipairs(train.classes) do
  rows[#rows + 1], labels[#labels + 1] = model:sample({ text = lt.text.repeated(caption, 10) }, how), caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/diffusion.png", picture)
lt.show(picture)

how.seed = 1000
local pictures, captions = garments.paint(model, train.classes, o.samples, how)
lt.save(o.out .. "/samples.safetensors", { pictures = pictures }, { captions = table.concat(captions, "\n") })
print("wrote " .. o.out .. "/diffusion.png and samples.safetensors")
