-- A tour in two minutes. A caption never says all that a picture shows: an extractor looks at picture + caption and
-- writes down the rest, the detail; four painters, one of each family, learn along with it to paint the picture from
-- caption + detail. Then: how much does a caption leave out, what if one word were another, and what else would the
-- caption have been true of?
--   make demo                          or: lua5.4 examples/tour.lua --minutes 5
-- Writes <out>/tour.png.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local painters, lessons = dofile(here .. "shared/painters.lua"), dofile(here .. "shared/lessons.lua")
local gallery, reader = dofile(here .. "shared/gallery.lua"), dofile(here .. "shared/reader.lua")

local o = lt.train.arguments {
  minutes = 2.0, reading = 0.15, feature_part = 0.0, batch = 32, width = 8, text = 32, detail = 16, rate = 24.0,
  nll_weight = 1.0, from_prior = 0.5, drop = 0.1, seed = 1, caption = "a red star", out = "runs/tour",
}

lt.manual_seed(o.seed)
local colours = { "red", "yellow", "green", "blue", "white" }
local function scenes(n, first)
  return lt.data.scenes { n = n, size = 16, objects = 1, seed = o.seed, first = first, textures = { "plain" },
    sizes = { "large" }, shapes = { "circle", "square", "star", "heart", "ring" },
    colours = colours, backgrounds = { "day sky", "night sky", "grass", "sand" } }
end
local train, test = scenes(20000), scenes(200, 20001)
o.size, o.channels, o.captions, o.extractor = 16, 3, train.captions, true
o.reader = reader.learned(train, { reading = o.reading, seed = o.seed, keep = o.out .. "/reader.safetensors" })

print "An extractor and four painters, trained together on scenes with captions:"
local model = painters.Model(painters.names, o)
local ema = lt.optim.Ema(model, 0.995)
local budget = lt.train.budget(o.minutes - o.reading)
local lesson = lessons(model, painters.names, budget)
local run = lt.train.run { save = o.out, steps = budget, data = train:batches(o.batch, { seed = o.seed }),
  model = model, ema = ema, optimizer = lesson.optimizers, resume = o.resume }
for step, batch in run:steps() do
  run:log(lesson:step(step, batch, o))
  ema:update()
end

local of = ema.model
local pictures = lt.pictures.from_bytes(test.images)
local function captions(change) -- of the test pictures; change(scene) -> scene, what to mention
  local list = {}
  for i, scene in ipairs(test.attributes) do
    local shown, mention = change(scene)
    list[i] = lt.data.scenes.caption(shown, { mention = mention })
  end
  return list
end

print "\nWhat captions leave out of 200 pictures, in nats:"
for _, mention in ipairs { {}, { "shape" }, { "shape", "colour" }, { "shape", "colour", "background" },
  { "shape", "colour", "background", "position" } } do
  local said = captions(function(scene) return scene, #mention > 0 and mention or "none" end)
  local nats = of.vae:gap(pictures, { text = said }, { generator = lt.generator(1) }):mean():item()
  print(("%6.1f  %s"):format(nats, said[1] == "" and "(nothing)" or said[1]))
end

local shape, words = test.attributes[1].objects[1].shape, {}
for _, colour in ipairs(colours) do words[colour] = ("a %s %s"):format(colour, shape) end
local best = of.vae:explain(pictures[1], "a " .. shape, { words = words, strips = 0 }).words[1]
print(("Of the first one the colour that saves most, said of \"a %s\", is %s: %.1f nats"):format(shape, best.word,
  best.saves))

local picture = gallery(of, painters.names, pictures[{ 1, 8 }], table.move(test.attributes, 1, 8, 1, {}), o.caption)
lt.save_png(o.out .. "/tour.png", picture)
print "\nEach column of the last four rows is one detail, drawn at random and painted by all four:"
lt.show(picture)
print("wrote " .. o.out .. "/tour.png")
