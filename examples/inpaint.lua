-- What else a trained denoiser can do, without more training: fill holes, turn one picture into another, and take a
-- picture back to the noise that it comes from, where it can be mixed, or painted under another caption.
--
--   lua5.4 examples/diffusion.lua      first: trains the model, ten minutes on two cores
--   lua5.4 examples/inpaint.lua        writes <out>/inpaint.png, prints how well noise gives pictures back
local lt = require "laterna"
local garments = dofile((arg[0]:match "^(.*/)" or "") .. "shared/garments.lua")

local o = lt.train.arguments { model = "runs/diffusion/model.safetensors", out = "runs/diffusion",
                               steps = 50, resample = 4, guidance = 2, seed = 1 }

local test = lt.data.fashion_mnist "test"
local model = garments.open(o.model)

-- The first picture of each class, and two more ankle boots.
local wanted = { "t-shirt", "pullover", "dress", "coat", "sandal", "sneaker", "bag", "ankle boot", "ankle boot" }
local indices, taken = {}, {}
for k, class in ipairs(wanted) do
  for i, caption in ipairs(test.captions) do
    if caption == class and not taken[i] then
      indices[k], taken[i] = i, true
      break
    end
  end
end
local function pictures(list)
  local parts = {}
  for k, i in ipairs(list) do parts[k] = test:subset(i, i):batches(1):next().x end
  return lt.cat(parts)
end
local x, n = pictures(indices), #wanted

local rows, labels = {}, {}
local function row(label, these) rows[#rows + 1], labels[#labels + 1] = these, label end
row("pictures", x)

-- Inpainting: 1 where to paint. What is around the hole comes out as it was.
local mask = lt.zeros(1, 28, 28, 1)
for y = 9, 20 do
  for column = 9, 20 do mask[1][y][column][1] = 1 end
end
local filled
row("with a hole", x * (1 - mask))
for i = 1, 3 do
  filled = model:sample({ text = wanted }, { picture = x, mask = mask, resample = o.resample, seed = o.seed + 100 * i })
  row("filled " .. i, filled)
end
print(("the largest change outside the hole: %g"):format(((filled - x) * (1 - mask)):abs():max():item()))

-- Picture to picture: part of the noise, another caption.
local others = { "dress", "t-shirt", "trouser", "shirt", "ankle boot", "sandal", "pullover", "sneaker", "bag" }
for _, strength in ipairs { 0.4, 0.6, 0.8 } do
  row(("another caption, %.1f"):format(strength), model:sample({ text = others }, {
    picture = x, strength = strength, guidance = o.guidance, seed = o.seed }))
end
row("the captions alone", model:sample({ text = others }, { guidance = o.guidance, seed = o.seed }))

-- There and back: the noise that each picture comes from.
local how = { sampler = "heun", steps = o.steps }
local noise = model:encode(x, { text = wanted }, how)
local back = model:sample({ text = wanted }, { noise = noise, sampler = "heun", steps = o.steps })
print(("pictures from their noise, heun in %d steps: mean absolute error %.4f of the range; noise has deviation %.2f")
  :format(o.steps, (back - x):abs():mean():item() / 2, noise:std():item()))
row("its noise", noise * 0.4)
row("painted again", back)
row("its noise, another caption", model:sample({ text = others }, { noise = noise, guidance = o.guidance }))

-- From one boot to another along the great circle between their noises, which keeps their length.
local a, b = noise[{ n - 1, n - 1 }], noise[{ n, n }]
local cosine = (a * b):sum():item() / ((a * a):sum():item() * (b * b):sum():item()) ^ 0.5
local angle, mixed, boots = math.acos(cosine), {}, lt.text.repeated("ankle boot", n)
for i = 1, n do
  local share = (i - 1) / (n - 1)
  mixed[i] = (a * math.sin((1 - share) * angle) + b * math.sin(share * angle)) * (1 / math.sin(angle))
end
row("from boot to boot", model:sample({ text = boots }, { noise = lt.cat(mixed), sampler = "heun", steps = o.steps }))

local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/inpaint.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/inpaint.png")
