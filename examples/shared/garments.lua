-- The model of Fashion-MNIST that examples/diffusion.lua trains, for it and for the examples that paint with it.
local lt = require "laterna"
local nn = lt.nn
local garments = {}

-- A new model, for the captions of a data set.
function garments.model(captions, width, schedule)
  return lt.diffusion {
    net = nn.UNet { channels = 1, width = width or 32, multipliers = { 1, 2, 2 }, text = 64 },
    text = lt.text.Encoder(captions, { dim = 64, depth = 1 }), predict = "v",
    schedule = schedule or "cosine",
  }
end

-- The trained one, from its file.
function garments.open(path)
  local file = io.open(path)
  if not file then error(path .. " is not there: examples/diffusion.lua trains the model and writes it", 0) end
  file:close()
  return lt.open(path):freeze()
end

-- n pictures as bytes, and their captions, the classes in turn; picture i has the seed options.seed + i - 1.
function garments.paint(model, classes, n, options)
  local pictures, captions = {}, {}
  for first = 1, n, 50 do
    local part, how = {}, {}
    for i = first, math.min(first + 49, n) do part[#part + 1] = classes[(i - 1) % #classes + 1] end
    for key, v in pairs(options) do how[key] = v end
    how.seed = options.seed + first - 1
    pictures[#pictures + 1] = lt.pictures.to_bytes(model:sample({ text = part }, how))
    table.move(part, 1, #part, #captions + 1, captions)
  end
  return lt.cat(pictures), captions
end

return garments
