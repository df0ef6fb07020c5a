-- A GAN reads scenes: the critic sees picture and caption together, and a real picture with a wrong caption is as false
-- to it as a painted one. For a sixth of the time it learns to read alone: to choose a picture's caption among five,
-- three of which are wrong in one word only, so that it has to look closely. Then the game begins, in which the
-- generator has to paint what captions say.
--
--   lua5.4 examples/gan_scenes.lua                       twelve minutes of training on two cores
--   lua5.4 examples/gan_scenes.lua --negative-weight 0 --out runs/gan_scenes_0      no wrong captions: how much do they help?
--   lua5.4 examples/gan_scenes.lua --paint               no training: paints with what was trained
--
-- Writes <out>/gan_scenes.png, a row a caption, <out>/samples.safetensors for judge_scenes.lua (--samples), and
-- <out>/model.safetensors; prints how often the critic finds the caption of a real picture it has never seen.
local lt = require "laterna"
local nn = lt.nn
local prompts = dofile((arg[0]:match "^(.*/)" or "") .. "shared/prompts.lua")

local o = lt.train.arguments {
  minutes = 12.0, reading = 2.0, batch = 32, width = 48, critic_width = 32, detail = 64, lr = 1e-3, reading_lr = 1e-2,
  gamma = 0.3, sharp = 0.05, every = 4, negative_weight = 2.0, variety = 0.0, lies = 3, negatives = 4, pictures = 60000,
  samples = 500, matches = 500, seed = 1, out = "runs/gan_scenes", paint = false,
}
if o.negative_weight == 0 then o.reading = 0 end

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = o.pictures, seed = o.seed, objects = 1 }
local shape = { size = 32, channels = 3, multipliers = { 1, 2, 4 }, text = 64 }
local function with(more)
  for key, v in pairs(shape) do more[key] = v end
  return more
end
local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 1 }) end
local critic = lt.gan.Critic {
  net = nn.Critic(with { block = "vgg", blocks = { 1, 2, 2 }, width = o.critic_width }), text = encoder(),
}
local clock, playing = lt.train.budget(o.minutes - o.reading), false
local smooth = lt.optim.schedule.cosine(o.gamma, clock, { final = o.sharp }) -- first stable, then sharp
local function gamma(call) return playing and smooth(call) or o.sharp end
local gan = lt.gan {
  generator = nn.Generator(with { block = "dcgan", width = o.width, detail = o.detail }), text = encoder(),
  critic = critic, detail = o.detail, r1 = gamma, r2 = gamma, penalty_every = o.every, negative_weight = o.negative_weight,
  negatives = o.negatives, variety = o.variety,
}
local ema = lt.optim.Ema(gan, function(step) return math.min(0.998, (1 + step) / (10 + step)) end)

-- Pictures with their captions, and wrong ones.
local g = lt.default_generator()
local function told(batch)
  local cond = { text = batch.captions }
  if o.negative_weight > 0 then cond.negatives = prompts.lies(train, batch.index, o.lies, g) end
  return cond
end

local function rate(lr, length) return lt.optim.schedule.cosine(lr, length, { warmup = 100, final = 0.05 * lr }) end

local function learn_to_read()
  local length = lt.train.budget(o.reading)
  local reading = lt.optim.Muon(critic:parameters(), { lr = rate(o.reading_lr, length) })
  local run = lt.train.run {
    save = o.out .. "/reading", steps = length, data = train:batches(o.batch, { seed = o.seed }), model = critic,
    optimizer = reading, resume = o.resume, label = "reading",
  }
  for _, batch in run:steps() do
    local loss, log = gan:reading_loss(batch.x, told(batch))
    reading:zero_grad()
    loss:backward()
    reading:step()
    run:log(log)
  end
  if run.interrupted then os.exit(130) end
  gan.text:load_state(critic.text:state()) -- the generator's words begin as the critic's
end

if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  if o.reading > 0 then learn_to_read() end
  playing = true
  local painting = lt.optim.Adam(gan:generator_parameters(), { lr = rate(o.lr, clock), betas = { 0, 0.99 } })
  local judging = lt.optim.Adam(critic:parameters(), { lr = rate(o.lr, clock), betas = { 0, 0.99 } })
  local run = lt.train.run {
    save = o.out, steps = clock, data = train:batches(o.batch, { seed = o.seed + 1 }), model = gan, ema = ema,
    optimizer = { painting = painting, judging = judging }, resume = o.resume,
  }
  for _, batch in run:steps() do
    local cond = told(batch)
    local loss, log = gan:critic_loss(batch.x, cond)
    judging:zero_grad()
    loss:backward()
    judging:step()
    run:log(log)
    loss, log = gan:loss(batch.x, cond)
    painting:zero_grad()
    loss:backward()
    painting:step()
    ema:update()
    run:log(log)
  end
  if run.interrupted then os.exit(130) end
  lt.save(o.out .. "/model.safetensors", ema.model:state())
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
local best = ema.model.critic:rank(fresh.images:float() * (2 / 255) - 1, lists):narrow(2, 1, 1)
print(("the critic picks the right caption out of 10 for %.1f %% of %d real pictures"):format(
  100 * best:float():eq(1):mean():item(), o.matches))

prompts.save(o.out .. "/samples.safetensors", o.samples, o.seed, 1, paint)
print("wrote " .. o.out .. "/gan_scenes.png and samples.safetensors")
