-- The noise of a flow is the picture, rewritten: change the noise, and the picture changes in ways that mean something.
-- Works on the flow that examples/glow.lua trained.
--
--   lua5.4 examples/edit_noise.lua
--   lua5.4 examples/edit_noise.lua --words dress,boot --amounts 2
--
-- Writes <out>/edit_noise.png: pictures and the same out of their noise (exactly); between pictures; along directions
-- that words have; with some scales of another picture; at several temperatures.
local lt = require "laterna"

local o = lt.train.arguments { model = "runs/glow/model.safetensors", seed = 1,
                               words = "dress,boot,bag", amounts = 1.5, look_at = 2000, columns = 8,
                               temperature = 0.7, out = "runs/glow" }

lt.manual_seed(o.seed)
local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"
local file = io.open(o.model)
if not file then error(o.model .. " is not there: examples/glow.lua trains the flow and writes it", 0) end
file:close()
local flow = lt.open(o.model):freeze()

local rows, labels = {}, {}
local function row(label, pictures)
  rows[#rows + 1], labels[#labels + 1] = pictures, label
end

-- The flow gets no caption, so that all of a picture is in its noise.
local few = test:batches(o.columns, { shuffle = false }):next()
local z = flow:encode(few.x)
local back = flow:decode(z)
row("pictures", few.x)
row("out of their noise", back)
print(("largest difference: %g of a grey level"):format((back - few.x):abs():max():item() * 127.5))

local function one(i) return z[{ i, i }] end
for i = 1, 5, 2 do
  row("between two", flow:decode(lt.edit.interpolate(one(i), one(i + 1), o.columns)))
end
row("between two, straight", flow:decode(lt.edit.interpolate(one(1), one(2), o.columns, { kind = "linear" })))

-- A word is the mean noise of pictures that it describes, less that of the others.
local many = train:subset(1, o.look_at):batches(o.look_at, { shuffle = false }):next()
local amounts = {}
for k = 1, o.columns do amounts[k] = o.amounts * (2 * (k - 1) / (o.columns - 1) - 1) end
for word in o.words:gmatch "[^,]+" do
  local direction, count = lt.edit.attribute(flow, many.x, many.captions, word)
  print(("%s: the mean of %d pictures, less that of the others"):format(word, count))
  row("less and more: " .. word, flow:decode(lt.edit.walk(one(1), direction, amounts)))
end

-- Parts of the noise, finest first: from column to column one more comes from another picture, fine ones first, and
-- in the next row coarse ones first.
local parts = #flow:parts(z)
local function swapped(from, to, coarse)
  local list, which = { one(from) }, {}
  for k = 1, parts do
    which[k] = coarse and parts + 1 - k or k
    list[#list + 1] = lt.edit.swap(flow, one(from), one(to), which)
  end
  return flow:decode(lt.cat(list))
end
for i = 1, 3, 2 do
  row("fine scales of another", swapped(i, i + 1, false))
  row("coarse scales of another", swapped(i, i + 1, true))
end

local temperatures = {}
for k = 1, o.columns do temperatures[k] = (k - 1) / (o.columns - 1) end
for i, caption in ipairs { "ankle boot", "dress", "pullover" } do
  row(caption .. ", colder to warmer", lt.edit.temperatures(flow, { text = { caption } }, temperatures, { seed = i }))
end

local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/edit_noise.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/edit_noise.png")
