-- The painter of scenes that examples/caption_gap.lua trains, for it and for the examples that paint with it: a vae's
-- decoder that paints from a caption and the detail that an extractor wrote. Captions say any part of what there is to
-- say, from nothing to all, so that the extractor learns to write what is left.
local lt = require "laterna"
local nn = lt.nn
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local prompts, reader = dofile(here .. "prompts.lua"), dofile(here .. "reader.lua")
local painter = { parts = prompts.parts, id = prompts.id, attributes = prompts.attributes }

painter.word, painter.changed, painter.other = prompts.word, prompts.changed, prompts.other

-- A caption that says these attributes of a scene and no others; a generator varies how.
function painter.caption(scene, attributes, generator)
  return lt.data.scenes.caption(scene, { mention = attributes, generator = generator })
end

-- All attributes in random order.
function painter.shuffled(generator)
  local list = {}
  for i, k in ipairs(lt.randperm(#painter.attributes, { generator = generator }):totable()) do
    list[i] = painter.attributes[k]
  end
  return list
end

-- A caption that says some attributes, none to all: each number of them as often as the others.
function painter.some(scene, generator)
  local list = painter.shuffled(generator)
  return painter.caption(scene, table.move(list, 1, generator:integer(0, #list), 1, {}), generator)
end

-- A new one. o: width, detail, rate, prior ("none" or "flow"); critic: a reader's, with whose eyes the extractor sees.
function painter.new(o, critic)
  local known = {}
  for i, scene in ipairs(lt.data.scenes({ n = 1000, objects = 1, size = 8 }).attributes) do
    known[i] = painter.caption(scene, painter.attributes, lt.generator(i))
  end
  local function shape(more)
    more.size, more.channels, more.width, more.levels = 32, 3, o.width, 2
    return more
  end
  local sees = shape { detail = o.detail, text = 64 }
  return lt.autoencoder {
    text = lt.text.Encoder(known, { dim = 64, depth = 1 }), detail = o.detail, rate = o.rate,
    extractor = reader.looking(critic, nn.Extractor(sees), sees),
    generator = lt.vae { decoder = nn.PictureDecoder(shape { detail = o.detail, text = 64 }), detail = o.detail },
    prior = o.prior == "flow" and lt.prior.Flow(o.detail, { condition = 64 }) or nil,
  }
end

function painter.save(path, model, o)
  lt.save(path, model:state(), { width = ("%d"):format(o.width), detail = ("%d"):format(o.detail),
    rate = tostring(o.rate), prior = o.prior })
end

function painter.load(path)
  local file = io.open(path)
  if not file then error(path .. " is not there: examples/caption_gap.lua trains the painter and writes it", 0) end
  file:close()
  local state = lt.load(path)
  local about = lt.inspect(state).metadata
  local model = painter.new { width = math.tointeger(tonumber(about.width)), rate = tonumber(about.rate),
    detail = math.tointeger(tonumber(about.detail)), prior = about.prior }
  model:load_state(state)
  return model:eval():freeze()
end

-- What a word for each attribute tells, in nats: the entropy of how often the words come, counted in scenes.
function painter.entropies(n, seed)
  local entropy, count = {}, {}
  for _, a in ipairs(painter.attributes) do entropy[a], count[a] = 0, {} end
  for _, scene in ipairs(lt.data.scenes({ n = n, objects = 1, size = 8, seed = seed }).attributes) do
    for a, of in pairs(count) do
      local word = painter.word(scene, a)
      of[word] = (of[word] or 0) + 1
    end
  end
  for a, of in pairs(count) do
    for _, c in pairs(of) do entropy[a] = entropy[a] - c / n * math.log(c / n) end
  end
  return entropy
end

-- Scenes that were not trained on: pictures (n,32,32,3) in [-1,1], their attributes, the bytes.
function painter.fresh(n, seed)
  local data = lt.data.scenes { n = n, objects = 1, seed = seed }
  return data:batches(n, { shuffle = false }):next().x, data.attributes, data.images
end

return painter
