-- Glow on garments: one network that runs both ways. Exact likelihoods, pictures from captions, and captions from
-- pictures by Bayes' rule, out of the same weights.
--
--   lua5.4 examples/glow.lua                            twenty minutes of training on two cores
--   lua5.4 examples/glow.lua --minutes 5                less
--   lua5.4 examples/glow.lua --model SplineFlow --minutes 60
--   lua5.4 examples/glow.lua --text false               without captions: the likelihood of pictures alone
--   lua5.4 examples/glow.lua --from runs/glow/model.safetensors --contrast 800 --minutes 7 --batch 32 --lr 2e-3 \
--     --optimizer Adam --out runs/glow_contrast        goes on, and tells captions apart better
--
-- Prints bits per dimension (8-bit, 28x28, uniform dequantisation) of test pictures over the minutes of training.
-- Writes <out>/glow.png (a row a caption), samples.safetensors for judge.lua, and model.safetensors.
local lt = require "laterna"

local o = lt.train.arguments { minutes = 20.0, batch = 16, model = "Glow", flow_steps = 8, width = 128, depth = 1,
                               lr = 1e-2, text = true, drop = 0.1, temperature = 0.8, guidance = 1.5, samples = 1000,
                               every = 1.0, seed = 1, optimizer = "Muon", from = "", contrast = 0.0, named = 1000,
                               out = "runs/glow" }

lt.manual_seed(o.seed)
local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"
local size = { 28, 28, 1 }
local flow = lt.flow {
  net = lt.flow[o.model] { size = size, hidden = { o.width // 2, o.width }, steps = o.flow_steps, depth = o.depth,
                           text = o.text and 32 or 0 },
  text = o.text and lt.text.Encoder(train.captions, { dim = 32, depth = 1 }) or nil, size = size, drop = o.drop,
}
if o.from ~= "" then flow:load_state(lt.load(o.from)) end

local budget = lt.train.budget(o.minutes)
local lr = lt.optim.schedule.cosine(o.lr, budget, { warmup = 100, final = 0.02 * o.lr })
local opt = lt.optim[o.optimizer](flow:parameters(), { lr = lr })
local ema = lt.optim.Ema(flow)

-- Mean bits per dimension of the first n test pictures.
local function bits(n)
  local sum = 0
  for batch in test:subset(1, n):batches(100, { shuffle = false, epochs = 1 }) do
    sum = sum - ema.model:log_prob(batch.x, { text = o.text and batch.captions or nil }):sum():item()
  end
  return sum / (n * 784 * math.log(2))
end

local run = lt.train.run { save = o.out, steps = budget, model = flow, optimizer = opt, ema = ema,
                           data = train:batches(o.batch, { seed = o.seed }), every = 5000, log_every = 20 }
local due = o.every
for _, batch in run:steps() do
  local loss, log = flow:loss(batch.x, { text = o.text and batch.captions or nil, contrast = o.contrast })
  run:log(opt:update(loss, log, { clip_norm = 1 }))
  ema:update()
  if budget:minutes() >= due then
    print(("%.1f minutes, step %d: %.3f bits of 1000 test pictures"):format(due, run.step, budget:aside(bits, 1000)))
    due = due + o.every
  end
end
print(("step %d: %.3f bits per dimension of the test set"):format(run.step, bits(#test)))
local model = ema.model
lt.save_model(o.out .. "/model.safetensors", model, { data = train })

local how = { temperature = o.temperature, guidance = o.text and o.guidance or 1 }
local function paint(captions, seed)
  how.seed = seed
  return model:sample(o.text and { text = captions } or { n = #captions }, how)
end
local rows, labels, pictures, said = {}, {}, {}, {}
for k, caption in ipairs(train.classes) do
  local same = lt.text.repeated(caption, math.max(10, o.samples // 10))
  local drawn = paint(same, 1000 * k)
  rows[k], labels[k] = drawn[{ 1, 10 }], caption
  pictures[k] = lt.pictures.to_bytes(drawn)
  table.move(same, 1, #same, #said + 1, said)
end
lt.save(o.out .. "/samples.safetensors", { pictures = lt.cat(pictures) }, { captions = table.concat(said, "\n") })

local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/glow.png", picture)
lt.show(picture)
if o.text then
  local right = 0
  for batch in test:subset(1, o.named):batches(250, { shuffle = false, epochs = 1 }) do
    for i, k in ipairs(model:classify(batch.x, train.classes):totable()) do
      right = right + (train.classes[k] == batch.captions[i] and 1 or 0)
    end
  end
  print(("Bayes' rule names %.1f %% of %d test pictures right"):format(100 * right / o.named, o.named))
end
print("wrote " .. o.out .. "/glow.png and samples.safetensors")
