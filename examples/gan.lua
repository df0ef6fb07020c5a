-- A generator paints a garment in one go; a critic that sees pictures and captions learns to tell painted from real,
-- and the generator learns to leave it no difference: text to picture by a GAN.
--
--   lua5.4 examples/gan.lua                              two and a half minutes of training on two cores
--   lua5.4 examples/gan.lua --minutes 1                   one minute
--   lua5.4 examples/gan.lua --paint                      no training: paints with what was trained
--
-- The loss is R3GAN's, relativistic with R1 and R2. The nets are DCGAN's, which take a third of the time of R3GAN's
-- residual ones, and whose pictures differ under one caption long before those of the others do. Writes <out>/gan.png,
-- a row a caption, <out>/samples.safetensors for judge.lua, and <out>/model.safetensors.
local lt = require "laterna"
local nn = lt.nn
local garments = dofile((arg[0]:match "^(.*/)" or "") .. "shared/garments.lua")

local o = lt.train.arguments { minutes = 2.5, batch = 64, width = 48, detail = 64, lr = 1e-3, gamma = 10.0, every = 2,
                               seed = 1, out = "runs/gan", samples = 1000, paint = false }

lt.manual_seed(o.seed)
local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"
local shape = { size = 28, channels = 1, width = o.width, multipliers = { 1, 2 }, text = 64, block = "dcgan" }
local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 1 }) end
local critic = lt.gan.Critic { net = nn.Critic(shape), text = encoder() }
shape.detail = o.detail
local budget = lt.train.budget(o.minutes)
local gamma = lt.optim.schedule.cosine(o.gamma, budget, { final = o.gamma / 2 }) -- first stable, then sharp
local gan = lt.gan {
  generator = nn.Generator(shape), text = encoder(), critic = critic, detail = o.detail,
  r1 = gamma, r2 = gamma, penalty_every = o.every,
}
local ema = lt.optim.Ema(gan, 0.998)

if o.paint then
  ema.model:load_state(lt.load(o.out .. "/model.safetensors"))
else
  local rate = lt.optim.schedule.cosine(o.lr, budget, { warmup = 200, final = 0.05 * o.lr })
  local painting = lt.optim.Adam(gan:generator_parameters(), { lr = rate, betas = { 0, 0.99 } })
  local judging = lt.optim.Adam(critic:parameters(), { lr = rate, betas = { 0, 0.99 } })
  local run = lt.train.run {
    save = o.out, steps = budget, data = train:batches(o.batch, { seed = o.seed }), model = gan, ema = ema,
    optimizer = { painting = painting, judging = judging }, resume = o.resume,
  }
  for _, batch in run:steps() do
    local cond = { text = batch.captions }
    run:log(judging:update(gan:critic_loss(batch.x, cond)))
    run:log(painting:update(gan:loss(batch.x, cond)))
    ema:update()
  end
  lt.save_model(o.out .. "/model.safetensors", ema.model, { data = train })
end

local rows = {}
for i, caption in ipairs(train.classes) do
  rows[i] = ema.model:sample({ text = lt.text.repeated(caption, 10) }, { seed = 1 })
end
local picture = lt.grid(rows, { row_labels = train.classes })
lt.save_png(o.out .. "/gan.png", picture)
lt.show(picture)

local first = test:subset(1, 1000)
local order = ema.model.critic:rank(lt.pictures.from_bytes(first.images), train.classes)
local right = 0
for i, k in ipairs(order:narrow(2, 1, 1):flatten():totable()) do
  right = right + (train.classes[k] == first.captions[i] and 1 or 0)
end
print(("the critic picks the caption of %.1f %% of %d test pictures out of %d"):format(100 * right / #first.captions,
  #first.captions, #train.classes))
local pictures, captions = garments.paint(ema.model, train.classes, o.samples, { seed = 1000 })
lt.save(o.out .. "/samples.safetensors", { pictures = pictures }, { captions = table.concat(captions, "\n") })
print("wrote " .. o.out .. "/gan.png and samples.safetensors")
