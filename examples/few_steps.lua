-- Four steps instead of fifty: a student learns to do in one step what its teacher, the model of diffusion.lua, does in
-- many, and to say with one call what the teacher says with guidance. Then it teaches a student of two steps, and that
-- one a student of one.
--
--   lua5.4 examples/diffusion.lua && lua5.4 examples/few_steps.lua          six minutes on two cores
--   lua5.4 examples/few_steps.lua --paint                                   no training: paints with what was trained
--
-- Writes <out>/few_steps.png: a row a painter, all from the same noise; for each painter <out>/<name>.safetensors,
-- which judge.lua reads (--samples); and the students' weights.
local lt = require "laterna"
local garments = dofile((arg[0]:match "^(.*/)" or "") .. "shared/garments.lua")

local o = lt.train.arguments {
  teacher = "runs/diffusion/model.safetensors", out = "runs/few_steps", steps = 600, batch = 32,
  substeps = 4, lr = 3e-4, guidance = 1.5, samples = 1000, precision = "float32", seed = 1, paint = false,
}
lt.precision(o.precision)

lt.manual_seed(o.seed)
local train = lt.data.fashion_mnist "train"
local teacher = garments.open(o.teacher)

-- A student of `parts` steps; in each the teacher takes `substeps`.
local function distil(from, parts, substeps, guidance, steps)
  local name = "student" .. parts
  local student = from:clone():unfreeze():train()
  local ema = lt.optim.Ema(student, 0.99)
  if o.paint then
    ema.model:load_state(lt.load(("%s/%s_model.safetensors"):format(o.out, name)))
    return ema.model
  end
  local opt = lt.optim.AdamW(student:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, steps, { warmup = steps // 20, final = 0.01 * o.lr }) })
  local run = lt.train.run {
    save = o.out .. "/" .. name, steps = steps, data = train:batches(o.batch, { seed = parts }), model = student,
    optimizer = opt, ema = ema, resume = o.resume, label = name,
  }
  for _, batch in run:steps() do
    local loss, log = lt.diffusion.distil.progressive(student, from, batch.x, { text = batch.captions }, {
      steps = parts, substeps = substeps, guidance = guidance })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
  end
  lt.save_model(("%s/%s_model.safetensors"):format(o.out, name), ema.model, { data = train })
  return ema.model
end

local four = distil(teacher, 4, o.substeps, o.guidance, o.steps)
local two = distil(four, 2, 2, 1, o.steps // 2)
local one = distil(two, 1, 2, 1, o.steps // 2)

local painters = {
  { "teacher50", teacher, 50, o.guidance }, { "teacher4", teacher, 4, o.guidance },
  { "student4", four, 4 }, { "student2", two, 2 }, { "student1", one, 1 },
}

local function paint(painter, captions, noise)
  local sampler = painter[3] > 10 and "dpmpp_2m" or "ddim"
  return painter[2]:sample({ text = captions }, {
    sampler = sampler, steps = painter[3], guidance = painter[4], noise = noise })
end

local rows, labels, noise = {}, {}, lt.randn(10, 28, 28, 1)
for k, painter in ipairs(painters) do
  rows[k], labels[k] = paint(painter, train.classes, noise), painter[1]
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/few_steps.png", picture)
lt.show(picture)

for _, painter in ipairs(painters) do
  local pictures, captions, clock = {}, {}, lt.clock()
  local generator = lt.generator(o.seed)
  for first = 1, o.samples, 50 do
    local part = {}
    for i = first, math.min(first + 49, o.samples) do part[#part + 1] = train.classes[(i - 1) % 10 + 1] end
    local painted = paint(painter, part, lt.randn(#part, 28, 28, 1, { generator = generator }))
    pictures[#pictures + 1] = lt.pictures.to_bytes(painted)
    table.move(part, 1, #part, #captions + 1, captions)
  end
  print(("%-10s %6.1f ms a picture"):format(painter[1], (lt.clock() - clock) * 1000 / math.max(1, o.samples)))
  lt.save(("%s/%s.safetensors"):format(o.out, painter[1]), { pictures = lt.cat(pictures) },
    { captions = table.concat(captions, "\n") })
end
