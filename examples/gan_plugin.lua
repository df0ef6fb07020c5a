-- A critic in the loss of other families (lt.gan.judge): a VAE with one and without, one-step diffusion with one and
-- without. Squared error paints the average of what may be; the critic knows that no picture looks like an average.
--
--   lua5.4 examples/gan_plugin.lua                       twenty minutes of training on two cores, five for each of four
--   lua5.4 examples/gan_plugin.lua --only vae --minutes 2
--   lua5.4 examples/gan_plugin.lua --only diffusion      from the students that examples/few_steps.lua trains
--
-- Prints the Frechet distance of all painters to the test set, in the features of judge.lua's classifier, and how many
-- pictures are named as their captions say. Writes <out>/gan_plugin.png, a row a painter.
local lt = require "laterna"
local nn = lt.nn
local here = arg[0]:match "^(.*/)" or ""
local garments, judges = dofile(here .. "shared/garments.lua"), dofile(here .. "shared/judges.lua")

local o = lt.train.arguments {
  minutes = 5.0, batch = 32, detail = 32, width = 16, lr = 1e-3, student_lr = 3e-4, critic_lr = 1e-3, weight = 1.0,
  student_weight = 4.0, lessons = 8, features = 0.5, gamma = 10.0, every = 4, only = "both", samples = 2000,
  seed = 1, epochs = 3,
  teacher = "runs/few_steps/student2_model.safetensors", student = "runs/few_steps/student1_model.safetensors",
  keep = "runs/judge/classifier.safetensors", out = "runs/gan_plugin",
}
local classifier, train, test = judges.fashion(o)
lt.manual_seed(o.seed)

local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 1 }) end

-- Trains a model for some minutes on loss(model, x, cond); or, with a judge, on that and what the critic says, which
-- learns in turns with it.
local function learn(name, model, lr, loss, judge)
  local budget = lt.train.budget(o.minutes)
  local function adam(parameters, most, beta)
    local rate = lt.optim.schedule.cosine(most, budget, { warmup = 100, final = 0.05 * most })
    return lt.optim.Adam(parameters, { lr = rate, betas = { beta, 0.99 } })
  end
  local mine, critic = adam(model:parameters(), lr, judge and 0.5 or 0.9), judge and judge.critic
  local its = critic and adam(critic:parameters(), o.critic_lr, 0)
  local ema = lt.optim.Ema(model, 0.995)
  local run = lt.train.run { steps = budget, data = train:batches(o.batch, { seed = o.seed }), model = model,
                             label = name, resume = false }
  for _, batch in run:steps() do
    local x, cond = batch.x, { text = batch.captions }
    if judge then its:update(judge:critic_loss(x, cond), nil, { clip_norm = 100 }) end
    mine:update(judge and judge:loss(x, cond) or loss(model, x, cond), nil, { clip_norm = 100 })
    ema:update()
  end
  return { name = name, model = ema.model }
end

-- The same start twice: without a judge, and with one. last: the name of the layer that paints.
local function compare(name, model, lr, loss, last, options)
  local copy, layer = model:clone(), nil
  for path, m in copy:named_modules() do layer = path == last and m or layer end
  local net = nn.Critic { size = 28, channels = 1, width = 3 * o.width, multipliers = { 1, 2 }, text = 64,
                          block = "dcgan" }
  options.critic, options.last = lt.gan.Critic { net = net, text = encoder() }, layer.weight
  options.r1, options.r2, options.penalty_every = o.gamma, o.gamma, o.every
  return learn(name, model, lr, loss), learn(name .. ", critic", copy, lr, loss, lt.gan.judge(copy, options))
end

local painters = {}
if o.only ~= "diffusion" then
  local shape = { size = 28, channels = 1, width = o.width, condition = 64 }
  local vae = lt.vae { encoder = nn.PictureEncoder(2 * o.detail, shape), detail = o.detail, text = encoder(),
                       decoder = nn.PictureDecoder(o.detail, 1, shape) }
  painters = { compare("VAE", vae, o.lr, vae.loss, "decoder.out", { features = o.features, weight = o.weight }) }
end
if o.only ~= "vae" then
  local teacher, first = garments.open(o.teacher), garments.open(o.student)
  local function distil(student, x, cond)
    local how = { steps = 1, substeps = 2 }
    return lt.diffusion.distil.progressive(student, teacher, x, cond, how)
  end
  local student, options = first:clone():unfreeze():train(), { rsample = { steps = 1 }, weight = o.student_weight }
  -- Most of the time goes to the teacher's lessons: who has a critic as well gets fewer.
  function options.base(x, cond, model)
    local n = math.min(o.lessons, o.batch)
    return distil(model, x:narrow(1, 1, n), { text = table.move(cond.text, 1, n, 1, {}) })
  end
  local one, judged = compare("one step", student, o.student_lr, distil, "net.output", options)
  one.how, judged.how = { sampler = "ddim", steps = 1 }, { sampler = "ddim", steps = 1 }
  local start = { name = "one step, start", model = first, how = one.how }
  table.move({ start, one, judged }, 1, 3, #painters + 1, painters)
end

local real, rows, labels = classifier:features(test.images), {}, {}
for k, p in ipairs(painters) do
  local how, pictures, captions = p.how or {}, {}, {}
  how.generator = lt.generator(o.seed)
  for _ = 1, o.samples // 50 do
    local part = {}
    for i = 1, 50 do part[i] = train.classes[(i - 1) % 10 + 1] end
    pictures[#pictures + 1] = lt.pictures.to_bytes(p.model:sample({ text = part }, how))
    table.move(part, 1, 50, #captions + 1, captions)
  end
  pictures = lt.cat(pictures)
  rows[k], labels[k] = pictures[{ 1, 10 }], p.name
  print(("%-16s Frechet distance %.4f, %5.1f %% named as captioned"):format(p.name,
    lt.metrics.frechet(classifier:features(pictures), real),
    100 * lt.metrics.accuracy(classifier:names(pictures, train.classes), captions)))
end
require("laterna.train.folder").make(o.out)
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/gan_plugin.png", picture)
lt.show(picture)
