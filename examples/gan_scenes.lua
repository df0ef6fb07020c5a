-- A GAN reads scenes: the critic sees picture and caption together, and a real picture with a wrong caption is as false
-- to it as a painted one. For a sixth of the time it learns to read alone: to choose a picture's caption among five,
-- three of which are wrong in one word only, so that it has to look closely. Then the game begins, in which the
-- generator has to paint what captions say.
--
--   lua5.4 examples/gan_scenes.lua                       twelve minutes of training on two cores
--   lua5.4 examples/gan_scenes.lua --negative-weight 0 --out runs/gan_scenes_0      no wrong captions: do they help?
--   lua5.4 examples/gan_scenes.lua --paint               no training: paints with what was trained
--
-- Writes <out>/gan_scenes.png, a row a caption, <out>/samples.safetensors for judge_scenes.lua (--samples), and
-- <out>/model.safetensors; prints how often the critic finds the caption of a real picture it has never seen.
local lt = require "laterna"
local prompts = dofile((arg[0]:match "^(.*/)" or "") .. "shared/prompts.lua")

local o = lt.train.arguments {
  minutes = 12.0, reading = 2.0, batch = 32, width = 48, critic_width = 32, detail = 64, lr = 1e-3, reading_lr = 1e-2,
  gamma = 0.3, sharp = 0.05, every = 4, negative_weight = 2.0, variety = 0.0, hard_negatives = 3, negatives = 4,
  pictures = 60000, samples = 500, matches = 500, seed = 1, out = "runs/gan_scenes", paint = false,
}
if o.negative_weight == 0 then o.reading = 0 end

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = o.pictures, seed = o.seed, objects = 1 }
local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 1 }) end
local critic = lt.gan.Critic {
  net = lt.nn.Critic { size = 32, channels = 3, multipliers = { 1, 2, 4 }, text = 64, width = o.critic_width,
                       block = "vgg", blocks = { 1, 2, 2 } }, text = encoder(),
}
local budget, playing = lt.train.budget(o.minutes - o.reading), false
local smooth = lt.optim.schedule.cosine(o.gamma, budget, { final = o.sharp }) -- first stable, then sharp
local function gamma(call) return playing and smooth(call) or o.sharp end
local gan = lt.gan {
  generator = lt.nn.Generator { size = 32, channels = 3, multipliers = { 1, 2, 4 }, text = 64, width = o.width,
                                block = "dcgan", detail = o.detail }, text = encoder(),
  critic = critic, detail = o.detail, r1 = gamma, r2 = gamma, penalty_every = o.every, negatives = o.negatives,
  negative_weight = o.negative_weight, variety = o.variety,
}
local ema = lt.optim.Ema(gan, 0.998)

-- The captions of pictures, and wrong ones.
local function condition(batch)
  return { text = batch.captions, negatives = o.negative_weight > 0
    and prompts.negatives(train, batch.index, o.hard_negatives, lt.default_generator()) or nil }
end

local function rate(lr, length) return lt.optim.schedule.cosine(lr, length, { warmup = 100, final = 0.05 * lr }) end

local function learn_to_read()
  local length = lt.train.budget(o.reading)
  local reading = lt.optim.Muon(critic:parameters(), { lr = rate(o.reading_lr, length) })
  local run = lt.train.run { save = o.out .. "/reading", steps = length, model = critic, optimizer = reading,
    data = train:batches(o.batch, { seed = o.seed }), resume = o.resume, label = "reading" }
  for _, batch in run:steps() do run:log(reading:update(gan:reading_loss(batch.x, condition(batch)))) end
  gan.text:load_state(critic.text:state()) -- the generator's words begin as the critic's
end

if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  if o.reading > 0 then learn_to_read() end
  playing = true
  local painting = lt.optim.Adam(gan:generator_parameters(), { lr = rate(o.lr, budget), betas = { 0, 0.99 } })
  local judging = lt.optim.Adam(critic:parameters(), { lr = rate(o.lr, budget), betas = { 0, 0.99 } })
  local run = lt.train.run { save = o.out, steps = budget, data = train:batches(o.batch, { seed = o.seed + 1 }),
    model = gan, ema = ema, optimizer = { painting = painting, judging = judging }, resume = o.resume }
  for _, batch in run:steps() do
    local cond = condition(batch)
    run:log(judging:update(gan:critic_loss(batch.x, cond)))
    run:log(painting:update(gan:loss(batch.x, cond)))
    ema:update()
  end
  lt.save_model(o.out .. "/model.safetensors", ema.model, { data = train })
end

local function paint(captions, _, seed) return ema.model:sample({ text = captions }, { seed = seed }) end
local picture = prompts.show(prompts.shown, 1, paint)
lt.save_png(o.out .. "/gan_scenes.png", picture)
lt.show(picture)

-- Ten captions that name shape, colour and background: the picture's own and nine that name others.
local seed = o.seed + 100
local said, means = prompts.naming({ "shape", "colour", "background" }, o.matches, seed)
local fresh, lists = lt.data.scenes { n = o.matches, objects = 1, seed = seed }, {}
for i = 1, o.matches do
  lists[i] = { said[i] }
  for k = i, i + o.matches - 2 do
    local j = k % o.matches + 1
    if #lists[i] < 10 and means[j] ~= means[i] then table.insert(lists[i], said[j]) end
  end
end
local best = ema.model.critic:rank(lt.pictures.from_bytes(fresh.images), lists):narrow(2, 1, 1)
print(("the critic picks the right caption out of 10 for %.1f %% of %d real pictures"):format(
  100 * best:float():eq(1):mean():item(), o.matches))

prompts.save(o.out .. "/samples.safetensors", o.samples, o.seed, 1, paint)
print("wrote " .. o.out .. "/gan_scenes.png and samples.safetensors")
