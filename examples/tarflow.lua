-- A transformer that is a flow: patches of garments one after another, each shifted and scaled as those before it say.
--
--   lua5.4 examples/tarflow.lua                          half an hour of training on two cores, to paint
--   lua5.4 examples/tarflow.lua --noise 0                to measure: without noise, the likelihood of pictures
--   lua5.4 examples/tarflow.lua --paint                  no training: paints with what was trained
--
-- With --noise s it is trained on pictures with N(0, s^2) added, and what it paints is cleaned by one step along the
-- score. Prints bits per dimension of test pictures over the minutes of training (with noise: of noised pictures).
-- Writes <out>/tarflow.png (as painted, cleaned, then a row a caption), samples.safetensors for judge.lua, and
-- model.safetensors.
local lt = require "laterna"
local garments = dofile((arg[0]:match "^(.*/)" or "") .. "shared/garments.lua")

local o = lt.train.arguments { minutes = 30.0, batch = 32, patch = 4, blocks = 3, layers = 3, dim = 128, bins = 8,
                               lr = 2e-3, noise = 0.1, guidance = 1.5, temperature = 1.0, samples = 1000, every = 2.0,
                               seed = 1, out = "runs/tarflow", paint = false }

lt.manual_seed(o.seed)
local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"
local size = { 28, 28, 1 }
local flow = lt.flow {
  net = lt.flow.TarFlow { size = size, patch = o.patch, blocks = o.blocks, layers = o.layers, dim = o.dim, text = 64,
                            bins = o.bins, logit = o.noise == 0 and 1e-5 },
  text = lt.text.Encoder(train.captions, { dim = 64, depth = 1 }), size = size,
  dequantise = o.noise > 0 and lt.flow.layers.Noise(o.noise) or "uniform",
}
local ema = lt.optim.Ema(flow)

-- Mean bits per dimension of the first n test pictures.
local function bits(n)
  local sum = 0
  for batch in test:subset(1, n):batches(100, { shuffle = false, epochs = 1 }) do
    local x = o.noise > 0 and batch.x + lt.randn(batch.x.shape) * o.noise or batch.x
    sum = sum - ema.model:log_prob(x, { text = batch.captions }):sum():item()
  end
  return sum / (n * 784 * math.log(2))
end

local function learn()
  local budget = lt.train.budget(o.minutes)
  local lr = lt.optim.schedule.cosine(o.lr, budget, { warmup = 100, final = 0.02 * o.lr })
  local opt = lt.optim.AdamW(flow:parameters(), { lr = lr, betas = { 0.9, 0.95 }, weight_decay = 1e-4 })
  local run = lt.train.run { save = o.out, steps = budget, model = flow, optimizer = opt, ema = ema,
                             data = train:batches(o.batch, { seed = o.seed }), every = 5000, log_every = 20 }
  local due = o.every
  for step, batch in run:steps() do
    local loss, log = flow:loss(batch.x, { text = batch.captions })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
    if budget:minutes() >= due then
      print(("%.1f minutes, step %d: %.3f bits of 1000 test pictures"):format(due, step, budget:aside(bits, 1000)))
      due = due + o.every
    end
  end
  print(("step %d: %.3f bits per dimension of the test set"):format(run.step, bits(#test)))
  lt.save_model(o.out .. "/model.safetensors", ema.model, { data = train })
end

if o.paint then ema.model:load_state(lt.load(o.out .. "/model.safetensors")) else learn() end
local model = ema.model:eval():freeze()

-- Paints as garments.paint asks, and cleans what was painted.
local painter = {}
function painter.sample(_, cond, how)
  local painted = model:sample(cond, how)
  local clean = o.noise > 0 and model:denoise(painted, cond) or painted
  return clean:clamp(-1, 1), painted
end

local how = { guidance = o.guidance, temperature = o.temperature, seed = 1 }
local clean, painted = painter:sample({ text = train.classes }, how)
local rows, labels = { painted, clean }, { "as painted", "cleaned" }
for _, caption in ipairs(train.classes) do
  rows[#rows + 1], labels[#labels + 1] = (painter:sample({ text = lt.text.repeated(caption, 10) }, how)), caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/tarflow.png", picture)
lt.show(picture)

how.seed = 1000
local pictures, captions = garments.paint(painter, train.classes, o.samples, how)
lt.save(o.out .. "/samples.safetensors", { pictures = pictures }, { captions = table.concat(captions, "\n") })
print("wrote " .. o.out .. "/tarflow.png and samples.safetensors")
