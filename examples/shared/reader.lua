-- A critic that has learned to read: to choose a picture's caption among wrong ones, some of them wrong in one word
-- only. What it sees are the things that captions name; that is what painters are to get right, more than every cloud.
-- It learns in minutes from pictures and captions alone, once, and is kept in a file.
local lt = require "laterna"
local nn = lt.nn
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local kept, prompts = dofile(here .. "kept.lua"), dofile(here .. "prompts.lua")

local WIDTH, NEGATIVES, RATE = 16, 3, 1e-2

-- Noise in the pictures that it learns from, up to so much: who has seen grain is not taken in by it.
local GRAIN = 0.2

local function net(size, channels)
  local deep = size % 32 == 0
  return nn.Critic { size = size, channels = channels, multipliers = { 1, 2, deep and 8 or nil }, block = "vgg",
    blocks = { 1, 2, deep and 2 or nil }, width = WIDTH, text = 64 }
end

-- A critic of the pictures of a data set, and a game without a painter, in which it learns.
local function new(train)
  local critic = lt.gan.Critic { text = lt.text.Encoder(train.captions, { dim = 64, depth = 1 }),
    net = net(train.images:size(2), train.images:size(4)) }
  return critic, lt.gan { generator = nn.Sequential(), critic = critic, detail = 1, r1 = 0.05, penalty_every = 4,
    negative_weight = 2, negatives = 4 }
end

-- Each attribute's captions of one word, "a star", "a heart", ..: which of them are the pictures'? All words are asked
-- for at once, and cost little, for there are as few captions as words.
local function captions_of_words(train)
  local any, said = train.attributes(1), {}
  for _, part in ipairs(prompts.parts) do
    for _, word in ipairs(part.words) do
      said[#said + 1] = lt.data.scenes.caption(prompts.changed(any, part.attribute, word),
        { mention = { part.attribute } })
    end
  end
  return said
end

-- Scores of all words, (n,words), attribute by attribute.
local function apart(scores)
  local sizes = {}
  for k, part in ipairs(prompts.parts) do sizes[k] = #part.words end
  return { scores:split(sizes, 2) }
end

-- Minus the logarithm of the chance of the right words, a mean over scenes, the sum over attributes: nats. scores:
-- (n,words).
local function choice(scores, scenes)
  local loss = 0
  for k, of_part in ipairs(apart(scores)) do
    local right = {}
    for row, scene in ipairs(scenes) do right[row] = prompts.id(scene, prompts.parts[k]) end
    loss = loss + lt.cross_entropy(of_part, lt.tensor(right, { dtype = "int32" }))
  end
  return loss
end

local function scenes_of(train, index)
  local scenes = {}
  for row, i in ipairs(index:totable()) do scenes[row] = train.attributes(i) end
  return scenes
end

local function choose(critic, train, batch, said)
  local pooled, conds = critic.text(said).pooled, {}
  for k = 1, #said do conds[k] = { pooled = pooled:narrow(1, k, 1):expand(#batch.x, pooled:size(2)) } end
  return choice(lt.stack(critic.net:scores(batch.x, conds), 2), scenes_of(train, batch.index))
end

local function learn(critic, game, train, o)
  local budget, g, said = lt.train.budget(o.reading), lt.generator(o.seed), train.mentions and captions_of_words(train)
  local optimizer = lt.optim.Muon(critic:parameters(), {
    lr = lt.optim.schedule.cosine(RATE, budget, { warmup = 50, final = 0.02 * RATE }) })
  local run = lt.train.run { steps = budget, model = critic, optimizer = optimizer,
    data = train:batches(math.min(32, #train), { seed = o.seed }), label = "reading", resume = false,
    progress = not o.quiet }
  for step, batch in run:steps() do
    batch.x = batch.x + lt.randn(batch.x.shape) * (lt.rand(#batch.x, 1, 1, 1) * GRAIN)
    local loss, log
    if said and step % 2 == 1 then
      loss = choose(critic, train, batch, said)
      log = { choice_loss = loss }
    else
      loss, log = game:reading_loss(batch.x, { text = batch.captions,
        negatives = said and prompts.negatives(train, batch.index, NEGATIVES, g) or nil })
    end
    run:log(optimizer:update(loss, log))
  end
end

-- An extractor that sees as the reader does besides: what that sees last goes a way of its own to the detail. Learning
-- to tell shapes apart takes the longest, and has been done.
local Looking = nn.class("Looking", function(self, eyes, extractor, o)
  self.eyes, self.buffers, self.extractor = eyes, { eyes = true }, extractor
  local maps = eyes.body(lt.zeros(1, o.size, o.size, o.channels))
  local width = maps[#maps]:numel()
  self.norm, self.hidden = nn.LayerNorm(width), nn.Linear(width + o.text, 8 * o.width)
  self.out = nn.Linear(8 * o.width, 2 * o.detail)
end)

function Looking:forward(x, cond)
  local maps = lt.no_grad(self.eyes.body, x)
  local h = self.hidden(lt.cat({ self.norm(maps[#maps]:flatten(2)), cond.pooled }, 2))
  return self.extractor(x, cond) + self.out(lt.silu(h))
end

-- Says, of caption and detail, what the reader would see in the picture: a vector, of which it asks for words as it
-- does of a picture. What the words that follow do not tell is paid for in nats, like the detail, so that the extractor
-- writes down what words are for before it writes down clouds.
local Teller = nn.class("Teller", function(self, asked, inputs)
  self.asked, self.buffers = asked, { asked = true }
  self.says = nn.Sequential(nn.Linear(inputs, 256), lt.silu, nn.Linear(256, asked:size(2)))
end)

-- Scores of all words, (n,words).
local function word_scores(self, pooled, z)
  return self.says(lt.cat({ pooled, z }, 2)):matmul(self.asked:transpose(1, 2))
end

-- extracted: by an autoencoder, with the caption in use. Returns nats.
function Teller:loss(extracted, train, index)
  return choice(word_scores(self, extracted.cond:pooled(), extracted.z), scenes_of(train, index))
end

-- How sure it is of every attribute: the chance of the likeliest word where that is least, (n).
function Teller:sure(pooled, z)
  local least
  for _, of_part in ipairs(apart(word_scores(self, pooled, z))) do
    local sure = of_part:softmax(2):max(2)
    least = least and lt.minimum(least, sure) or sure
  end
  return least
end

local reader = {}

-- The reader of a data set. o: reading (minutes), seed, keep (a file), quiet. Returns its critic; new(), one like it
-- that has not learned; eye(captions, feature_part, pooled_part), the likelihood of a vae's decoder that sees as it
-- does (critic:likelihood); and where words are known, teller(inputs), and misread(pictures, scenes): nats that the
-- reader is short of when it is asked for the words of scenes that pictures are to show.
function reader.learned(train, o)
  local critic, game = new(train)
  kept(o.keep, critic, ("seed %d, %g minutes, noise up to %g"):format(o.seed, o.reading, GRAIN),
    function() learn(critic, game, train, o) end)
  critic = critic:frozen_view()
  local asked = train.mentions and lt.no_grad(function()
    return critic.net.caption(critic.text(captions_of_words(train)).pooled)
  end)
  return {
    teller = asked and function(inputs) return Teller(asked, inputs) end,
    misread = asked and function(pictures, scenes)
      local _, _, pooled = critic.net:features(pictures)
      return choice(pooled:matmul(asked:transpose(1, 2)) * asked:size(2) ^ -0.5, scenes)
    end,
    critic = critic, new = function() return (new(train)) end,
    eye = function(captions, feature_part, pooled_part)
      return critic:likelihood({ text = captions }, { part = feature_part, pooled_part = pooled_part })
    end,
  }
end

-- The extractor with the eyes of a reader's critic; without one with such as have not learned, to load a state into.
-- o: size, channels, width, text, detail, as the extractor has them.
function reader.looking(critic, extractor, o)
  return Looking(critic and critic.net or net(o.size, o.channels), extractor, o)
end

return reader
