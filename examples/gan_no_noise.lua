-- A generator without noise paints one picture for a caption, though many would fit. Taught by the error of its pixels
-- it paints the average of them all, which is blurred; taught by a critic it has to choose one, for the critic knows
-- that no scene looks like an average. Here the same generator learns both ways side by side.
--
--   lua5.4 examples/gan_no_noise.lua                     four minutes of training on two cores
--   lua5.4 examples/gan_no_noise.lua --minutes 2          less
--
-- Writes <out>/gan_no_noise.png, for each caption the scene that it was made for, the average and the choice; prints
-- how sharp they are: the mean length of the gradient from pixel to pixel.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.arguments { minutes = 4.0, batch = 64, width = 48, lr = 1e-3, gamma = 3.0, every = 2,
                               negative_weight = 1, pictures = 60000, test = 500, seed = 1, out = "runs/gan_no_noise" }

lt.manual_seed(o.seed)
local train = lt.data.scenes { n = o.pictures, seed = o.seed, objects = 1 }
local test = lt.data.scenes { n = o.test, seed = o.seed, objects = 1, first = o.pictures + 1 }
local shape = { size = 32, channels = 3, width = o.width, multipliers = { 1, 2, 4 }, text = 64, block = "dcgan" }
local function encoder() return lt.text.Encoder(train.captions, { dim = 64, depth = 2 }) end
local critic = lt.gan.Critic { net = nn.Critic(shape), text = encoder() }
shape.detail = 0
local budget = lt.train.budget(o.minutes)
local gamma = lt.optim.schedule.cosine(o.gamma, budget, { final = o.gamma / 2 }) -- first stable, then sharp
local gan = lt.gan {
  generator = nn.Generator(shape), text = encoder(), critic = critic, detail = 0, r1 = gamma, r2 = gamma,
  penalty_every = o.every, negative_weight = o.negative_weight,
}
-- The same generator with the same start, and an encoder of its own, for the error of pixels.
local Regressor = nn.class("Regressor", function(self)
  self.generator, self.text = gan.generator:clone(), gan.text:clone()
end)
function Regressor:forward(captions) return self.generator(nil, self.text(captions)) end
local both = nn.class("Both", function(self) self.gan, self.regressor = gan, Regressor() end)()

local rate = lt.optim.schedule.cosine(o.lr, budget, { warmup = 200, final = 0.05 * o.lr })
local betas = { 0, 0.99 }
local painting = lt.optim.Adam(gan:generator_parameters(), { lr = rate, betas = betas })
local judging = lt.optim.Adam(critic:parameters(), { lr = rate, betas = betas })
local regressing = lt.optim.Adam(both.regressor:parameters(), { lr = rate })
local ema = lt.optim.Ema(both, 0.998)

local run = lt.train.run {
  save = o.out, steps = budget, data = train:batches(o.batch, { seed = o.seed }), model = both, ema = ema,
  optimizer = { painting = painting, judging = judging, regressing = regressing }, resume = o.resume,
}
for _, batch in run:steps() do
  local cond = { text = batch.captions }
  local pixel_error = lt.mse_loss(both.regressor(batch.captions), batch.x)
  run:log(regressing:update(pixel_error, { pixel_error = pixel_error }))
  run:log(judging:update(gan:critic_loss(batch.x, cond)))
  run:log(painting:update(gan:loss(batch.x, cond)))
  ema:update()
end

-- The mean over pixels of the length of (difference to the right, difference below), channels together.
local function sharpness(x)
  local h, w = x:size(2) - 1, x:size(3) - 1
  local across = x:narrow(2, 1, h):narrow(3, 2, w) - x:narrow(2, 1, h):narrow(3, 1, w)
  local down = x:narrow(2, 2, h):narrow(3, 1, w) - x:narrow(2, 1, h):narrow(3, 1, w)
  return (across:square() + down:square()):sum(4):sqrt():mean():item()
end

local real, average, choice = {}, {}, {}
local batches = test:batches(50, { shuffle = false })
for i = 1, #test.captions // 50 do
  local batch = batches:next()
  real[i], choice[i] = batch.x, ema.model.gan:sample { text = batch.captions }
  average[i] = lt.no_grad(ema.model.regressor, batch.captions):clamp(-1, 1)
end
real, average, choice = lt.cat(real), lt.cat(average), lt.cat(choice)
local sharp = sharpness(real)
for _, row in ipairs { { "real scenes", real }, { "by pixel error", average }, { "by the critic", choice } } do
  local s = sharpness(row[2])
  print(("%-16s mean gradient %.4f, %5.1f %% of the real scenes'"):format(row[1], s, 100 * s / sharp))
end
local picture = lt.grid({ real[{ 1, 12 }], average[{ 1, 12 }], choice[{ 1, 12 }] },
  { row_labels = { "real", "pixel error", "critic" } })
lt.save_png(o.out .. "/gan_no_noise.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/gan_no_noise.png")
