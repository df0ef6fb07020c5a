-- One extractor, four generators. Caption + detail are enough to paint a picture again, and a detail drawn at random
-- gives another picture of which the caption is as true.
--
--   lua5.4 examples/extractor.lua --family vae           or flow, diffusion, gan; all: one after another
--   lua5.4 examples/extractor.lua --family together      one extractor for four generators, trained at once
--   lua5.4 examples/extractor.lua --extractor false      the same painters, with captions alone
--   lua5.4 examples/extractor.lua --data fashion_mnist
--   lua5.4 examples/extractor.lua --paint                no training: paints with what was trained
--
-- A training takes so many --minutes, or so many --steps if there are any. Writes for each family, in
-- <out>/<data>[_together|_without]/<family>, a picture extractor.png (originals, painted again, then a row of random
-- details for each caption), and again.safetensors and samples.safetensors for judge_extractor.lua; together also
-- gallery.png, one caption and many details by all four.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local painters, prompts = dofile(here .. "shared/painters.lua"), dofile(here .. "shared/prompts.lua")
local lessons, gallery = dofile(here .. "shared/lessons.lua"), dofile(here .. "shared/gallery.lua")
local fit_prior, resample = dofile(here .. "shared/fit_prior.lua"), dofile(here .. "shared/resample.lua")

local o = lt.train.arguments {
  family = "all", data = "scenes", minutes = 20.0, steps = 0, reading = 6.0, feature_part = 0.7, pooled_part = 0.3,
  tell = 3.0, edit = 1.0, batch = 32, width = 16, text = 64, detail = 48, rate = 16.0, prior = "flow",
  fit_prior = 3000, nll_weight = 5.0, from_prior = 0.5, drop = 0.1, negatives = 2, extractor = true, pictures = 60000,
  samples = 1500, sampling_steps = 20, precision = "auto", seed = 1, out = "runs/extractor", paint = false,
}
lt.precision(o.precision)
local scenes, together = o.data == "scenes", o.family == "together"
local captions = { "a red star", "a large blue circle", "a green shape, night sky", "a heart on the sand", "snow", "" }
local train, test = painters.study(o)
if not scenes then captions = train.classes end
local base = o.out .. "/" .. o.data .. (together and "_together" or o.extractor and "" or "_without")

local function learn(names, folder)
  lt.manual_seed(o.seed)
  local model = painters.Model(names, o)
  local ema = lt.optim.Ema(model)
  local file, g = folder .. "/model.safetensors", lt.generator(o.seed)
  if o.paint then
    ema.model:load_state(lt.load(file))
    return ema.model
  end
  local length = o.steps > 0 and o.steps or lt.train.budget(o.minutes)
  local lesson = lessons(model, names, length)
  local run = lt.train.run { save = folder, steps = length, data = train:batches(o.batch, { seed = o.seed }),
    model = model, ema = ema, optimizer = lesson.optimizers, resume = o.resume, label = table.concat(names, " + ") }
  for step, batch in run:steps() do
    if scenes and model.gan then batch.negatives = prompts.negatives(train, batch.index, o.negatives, g) end
    run:log(lesson:step(step, batch, o, train))
    ema:update()
  end
  if o.extractor and o.fit_prior > 0 then fit_prior(ema.model[names[1]], train, o) end
  painters.save(file, ema.model, names, o)
  return ema.model
end

-- The test pictures painted again: in a file, and the first eight.
local function again(painter, folder, how)
  local real, painted, said, wanted = {}, {}, {}, {}
  for batch in test:batches(50, { shuffle = false, epochs = 1, drop_last = false }) do
    real[#real + 1] = batch.x
    painted[#real] = painter:reconstruct(batch.x, { text = batch.captions }, how(#real))
    table.move(batch.captions, 1, #batch.captions, #said + 1, said)
  end
  for i, scene in ipairs(scenes and test.attributes or {}) do wanted[i] = prompts.all(scene) end
  real, painted = lt.cat(real), lt.cat(painted)
  print(("squared error of %d pictures painted again: %.4f"):format(#real, (painted - real):square():mean():item()))
  lt.save(folder .. "/again.safetensors", { originals = lt.pictures.to_bytes(real), exact = painted,
    pictures = lt.pictures.to_bytes(painted) },
    { captions = table.concat(said, "\n"), wanted = table.concat(wanted, "\n") })
  return { real[{ 1, 8 }], painted[{ 1, 8 }] }, { "originals", "painted again" }
end

-- Details at random for captions; nil where the painter draws for itself.
local function drawn(model, painter, said, seed)
  return model.teller and resample(painter, model.teller, said, lt.generator(seed)) or nil
end

local function show(name, model, folder)
  local painter = model[name]
  require("laterna.train.folder").make(folder)
  local function how(seed)
    return { generator = lt.generator(seed), steps = name == "diffusion" and o.sampling_steps or nil }
  end
  local function paint(said, _, seed)
    return painter:sample({ text = said, detail = drawn(model, painter, said, seed) }, how(seed + 1))
  end
  local rows, labels
  if o.extractor then rows, labels = again(painter, folder, how) end
  local picture = prompts.show(captions, 1, paint, rows, labels)
  lt.save_png(folder .. "/extractor.png", picture)
  lt.show(picture)
  if scenes then prompts.save(folder .. "/samples.safetensors", o.samples, o.seed, 1, paint) end
  print("wrote " .. folder .. "/extractor.png")
end

local names = (together or o.family == "all") and painters.names or { o.family }
local all = together and learn(names, base)
for _, name in ipairs(names) do
  local folder = base .. "/" .. name
  show(name, all or learn({ name }, folder), folder)
end
if all and scenes then
  lt.save_png(base .. "/gallery.png", gallery(all, names, (test:batches(8, { shuffle = false }):next().x),
    table.move(test.attributes, 1, 8, 1, {}), captions[1], all.teller))
  print("wrote " .. base .. "/gallery.png")
end
