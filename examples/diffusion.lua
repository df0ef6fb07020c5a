-- One denoiser, trained on garments with more and less noise, applied again and again: text to picture by diffusion.
--
--   lua5.4 examples/diffusion.lua                        ten minutes of training on two cores
--   lua5.4 examples/diffusion.lua --steps 600            one minute
--   lua5.4 examples/diffusion.lua --paint                no training: paints with what was trained
--
-- Writes <out>/diffusion.png (a row a caption, noise to picture above it), <out>/samples.safetensors for judge.lua, and
-- <out>/model.safetensors, which other examples paint with.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.options { steps = 8000, batch = 32, width = 32, lr = 1e-3, seed = 1, out = "runs/diffusion", guidance = 1.5,
                             sampler = "dpmpp_2m", sampling_steps = 20, samples = 1000, paint = false }

lt.manual_seed(o.seed)
local train = lt.data.fashion_mnist "train"
local model = lt.diffusion {
  net = nn.UNet { channels = 1, width = o.width, multipliers = { 1, 2, 2 }, blocks = 2, text = 64 },
  text = lt.text.Encoder(train.captions, { dim = 64, depth = 1 }),
  schedule = "cosine", predict = "v",
}
local ema = lt.optim.Ema(model, 0.999)

if o.paint then
  ema.model:load_state((lt.load(o.out .. "/model.safetensors")))
else
  local opt = lt.optim.AdamW(model:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(200, o.steps // 10), final = 0.01 * o.lr }) })
  local run = lt.train.run {
    save = o.out, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = model, optimizer = opt,
    ema = ema, resume = o.resume,
  }
  for _, batch in run:steps() do
    local loss = model:loss(batch.x, { text = batch.captions })
    opt:zero_grad()
    loss:backward()
    lt.optim.clip_norm(model:parameters(), 1)
    opt:step()
    ema:update()
    run:log { loss = loss }
  end
  if run.interrupted then os.exit(130) end
  lt.save(o.out .. "/model.safetensors", ema.model:state())
end

local function paint(captions, options)
  return ema.model:sample({ text = captions }, {
    sampler = o.sampler, steps = o.sampling_steps, guidance = o.guidance, seed = options.seed, callback = options.callback })
end

-- A row a caption, ten seeds; above them one picture on its way: what the model guesses at each step.
local rows, labels, way = {}, {}, {}
paint({ "ankle boot" }, { seed = 1, callback = function(at)
  if at.step % 2 == 0 then way[#way + 1] = at.x0 end
end })
rows[1], labels[1] = lt.cat(way), "guesses on the way"
for _, caption in ipairs(train.classes) do
  local same = {}
  for i = 1, 10 do same[i] = caption end
  rows[#rows + 1], labels[#labels + 1] = paint(same, { seed = 1 }), caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/diffusion.png", picture)
lt.show(picture)

local pictures, captions = {}, {}
for first = 1, o.samples, 50 do
  local part = {}
  for i = first, math.min(first + 49, o.samples) do part[#part + 1] = train.classes[(i - 1) % 10 + 1] end
  pictures[#pictures + 1] = (paint(part, { seed = 1000 + first }) * 127.5 + 127.5):byte()
  table.move(part, 1, #part, #captions + 1, captions)
end
lt.save(o.out .. "/samples.safetensors", { pictures = lt.cat(pictures) }, { captions = table.concat(captions, "\n") })
print("wrote " .. o.out .. "/diffusion.png and samples.safetensors")
