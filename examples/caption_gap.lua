-- How much does a caption leave out? An extractor and a vae's decoder are trained on scenes with captions that say
-- anything from nothing to all; pictures are compared as a critic sees them that has learned to read
-- (shared/reader.lua). Then captions of fresh scenes are completed word by word, in random order: each true word must
-- lower the gap, KL(detail of the picture | detail drawn), in nats, as it lowers the entropy of what is unsaid.
--
--   lua5.4 examples/caption_gap.lua                      twenty minutes of training on two cores
--   lua5.4 examples/caption_gap.lua --minutes 2          less
--   lua5.4 examples/caption_gap.lua --model runs/caption_gap/model.safetensors     measures only
--
-- Writes <out>/model.safetensors, which explain.lua reads; <out>/reader.safetensors; <out>/caption_gap.png, the falling
-- curve; and <out>/drawn.png: one scene's caption completed word by word, the rest drawn at random.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local painter, reader = dofile(here .. "shared/scene_painter.lua"), dofile(here .. "shared/reader.lua")
local rate_schedule = dofile(here .. "shared/rate_schedule.lua")

local o = lt.train.arguments {
  minutes = 20.0, reading = 6.0, feature_part = 0.7, tell = 3.0, batch = 32, width = 24, detail = 48, rate = 12.0,
  prior = "flow", lr = 4e-3, pictures = 60000, seed = 1, n = 500, draws = 16, model = "", out = "runs/caption_gap",
}

-- What is trained.
local Pair = lt.nn.class("Pair", function(self, ae, teller) self.ae, self.teller = ae, teller end)

local function train()
  lt.manual_seed(o.seed)
  local data = lt.data.scenes { n = o.pictures, objects = 1, seed = o.seed }
  local eyes = reader.learned(data, { reading = o.reading, seed = o.seed, keep = o.out .. "/reader.safetensors" })
  local model = Pair(painter.new(o, eyes.critic), eyes.teller(64 + o.detail))
  local budget = lt.train.budget(o.minutes)
  local opt = lt.optim.Muon(model:parameters(), { lr = lt.optim.schedule.cosine(o.lr, budget, { warmup = 50 }) })
  local ema = lt.optim.Ema(model, 0.998)
  local run = lt.train.run {
    save = o.out, steps = budget, data = data:batches(o.batch, { seed = o.seed }), model = model, optimizer = opt,
    ema = ema, log_every = 10, resume = o.resume,
  }
  for _, batch in run:steps() do
    model.ae.regulariser.rate = rate_schedule(o.rate, budget:done())
    local some = {}
    for k, i in ipairs(batch.index:totable()) do some[k] = painter.some(data.attributes(i), lt.default_generator()) end
    local extracted = model.ae:extract(batch.x, { text = some })
    local loss, log = model.ae:loss(batch.x, { posterior = extracted, likelihood = eyes.eye(some, o.feature_part) })
    local cost, said = model.ae:penalty(extracted, { loss = loss })
    local untold = model.teller:loss(extracted, data, batch.index)
    loss = loss + cost + untold * (o.tell * said.beta)
    log.kl, log.beta, log.untold = said.kl, said.beta, untold
    run:log(opt:update(loss, log, { clip_norm = 100 }))
    ema:update()
  end
  painter.save(o.out .. "/model.safetensors", ema.model.ae, o)
  return ema.model.ae:eval():freeze()
end

local model = o.model == "" and train() or painter.load(o.model)
local x, scenes = painter.fresh(o.n, o.seed + 1)

local entropy = painter.entropies(20000, o.seed + 2)
-- What is not said when the first k of a list of attributes are: their names, and their entropy.
local function left_out(order, k)
  local kind, sum = table.move(order, k + 1, #order, 1, {}), 0
  table.sort(kind)
  for _, a in ipairs(kind) do sum = sum + entropy[a] end
  return table.concat(kind, " "), sum
end

local g, orders, most = lt.generator(o.seed), {}, #painter.attributes
for i = 1, o.n do orders[i] = painter.shuffled(g) end
local gaps, unsaid, mean, open, saved, kinds = {}, {}, {}, {}, {}, {}
for k = 0, most do
  local captions, left = {}, {}
  for i, scene in ipairs(scenes) do captions[i] = painter.caption(scene, table.move(orders[i], 1, k, 1, {}), g) end
  local each = model:gap(x, { text = captions }, { draws = o.draws, generator = lt.generator(k) }):totable()
  for i, nats in ipairs(each) do
    local kind, nats_left = left_out(orders[i], k)
    kinds[kind] = kinds[kind] or { n = 0, sum = 0, entropy = nats_left }
    kinds[kind].n, kinds[kind].sum = kinds[kind].n + 1, kinds[kind].sum + nats
    local a = orders[i][k]
    if a then
      saved[a] = saved[a] or { n = 0, sum = 0 }
      saved[a].n, saved[a].sum = saved[a].n + 1, saved[a].sum + gaps[#gaps - o.n + 1] - nats
    end
    gaps[#gaps + 1], unsaid[#unsaid + 1], left[i] = nats, nats_left, nats_left
  end
  mean[k + 1], open[k + 1] = lt.tensor(each):mean():item(), lt.tensor(left):mean():item()
  print(("%d of %d said: gap %6.2f nats, entropy of what is unsaid %6.2f   (%s)"):format(k, most, mean[k + 1],
    open[k + 1], captions[1]))
end
for _, a in ipairs(painter.attributes) do
  print(("a word for the %-10s saves %5.2f nats, of an entropy of %.2f"):format(a, saved[a].sum / saved[a].n,
    entropy[a]))
end
print(("all said / nothing said: %.3f"):format(mean[most + 1] / mean[1]))
local of_kind, entropy_of_kind = {}, {}
for _, kind in pairs(kinds) do
  of_kind[#of_kind + 1], entropy_of_kind[#entropy_of_kind + 1] = kind.sum / kind.n, kind.entropy
end
print(("rank correlation of gap and entropy: %.3f of %d single captions, %.3f of the means of %d kinds of them"):format(
  lt.metrics.spearman(gaps, unsaid), #gaps, lt.metrics.spearman(of_kind, entropy_of_kind), #of_kind))

local said = {}
for k = 0, most do said[k + 1] = k end
lt.plot.save(o.out .. "/caption_gap.png", {
  { x = said, y = mean, label = "gap" }, { x = said, y = open, label = "entropy of what is unsaid" },
}, { title = "What captions leave out", xlabel = "attributes said", ylabel = "nats", ylim = { 0, mean[1] * 1.15 } })

local rows, labels = {}, {}
for k = 0, most do
  local caption = painter.caption(scenes[1], table.move(painter.attributes, 1, k, 1, {}))
  rows[k + 1] = { x[1], model:sample({ text = lt.text.repeated(caption, 8) }, { generator = lt.generator(o.seed) }) }
  labels[k + 1] = caption == "" and "(no caption)" or caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/drawn.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/caption_gap.png and " .. o.out .. "/drawn.png")
