-- A GAN reads scenes: the critic sees picture and caption together, and a real picture with a wrong caption is as false
-- to it as a painted one. It is shown eight wrong captions a picture, one of them wrong in one word only, so that it
-- has to look closely. So it learns what captions mean, and the generator has to paint what they say.
--
--   lua5.4 examples/gan_scenes.lua                       eight minutes of training on two cores
--   lua5.4 examples/gan_scenes.lua --wrong 0 --out runs/gan_scenes_0      no wrong captions: how much do they help?
--   lua5.4 examples/gan_scenes.lua --paint               no training: paints with what was trained
--
-- Writes <out>/gan_scenes.png, a row a caption, <out>/samples.safetensors for judge_scenes.lua (--samples), and
-- <out>/model.safetensors; prints how often the critic finds the caption of a real picture it has never seen.
local lt = require "laterna"
local nn = lt.nn
local prompts = dofile((arg[0]:match "^(.*/)" or "") .. "shared/prompts.lua")

local o = lt.train.options {
  minutes = 8.0, batch = 64, width = 48, critic_width = 32, detail = 64, lr = 1e-3, critic_lr = 1e-2, gamma = 3.0,
  every = 2, wrong = 2, lies = 4, wrong_captions = 6, pictures = 60000, samples = 500, matches = 500, seed = 1,
  out = "runs/gan_scenes", paint = false,
}

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = o.pictures, seed = o.seed, objects = 1 }
local shape = { size = 32, channels = 3, multipliers = { 1, 2, 4 }, text = 64 }
local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 2 }) end
shape.block, shape.width, shape.blocks = "vgg", o.critic_width, { 1, 2, 2 }
local critic = lt.gan.Critic { net = nn.Critic(shape), text = encoder() }
shape.block, shape.width, shape.blocks, shape.detail = "dcgan", o.width, nil, o.detail
local clock = lt.train.clock(o.minutes)
local gamma = lt.optim.schedule.cosine(o.gamma, clock, { final = o.gamma / 2 }) -- first stable, then sharp
local gan = lt.gan {
  generator = nn.Generator(shape), text = encoder(), critic = critic, detail = o.detail,
  r1 = gamma, r2 = gamma, penalty_every = o.every, wrong = o.wrong, wrong_captions = o.wrong_captions,
}
local ema = lt.optim.Ema(gan, function(step) return math.min(0.998, (1 + step) / (10 + step)) end)

if o.paint then
  ema.model:load_state((lt.load(o.out .. "/model.safetensors")))
else
  local function rate(lr) return lt.optim.schedule.cosine(lr, clock, { warmup = 200, final = 0.05 * lr }) end
  local painting = lt.optim.Adam(gan:generator_parameters(), { lr = rate(o.lr), betas = { 0, 0.99 } })
  local judging = lt.optim.Muon(critic:parameters(), { lr = rate(o.critic_lr) })
  local run = lt.train.run {
    save = o.out, steps = clock, data = train:batches(o.batch, { seed = o.seed }), model = gan, ema = ema,
    optimizer = { painting = painting, judging = judging }, resume = o.resume,
  }
  local g = lt.default_generator()
  for _, batch in run:steps() do
    local cond = { text = batch.captions }
    if o.wrong > 0 then
      cond.against = {}
      for k = 1, o.lies do cond.against[k] = prompts.lies(train, batch.index, g) end
    end
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
