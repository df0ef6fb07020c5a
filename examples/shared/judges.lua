-- Classifiers that judge painted pictures, for the other scripts: each is trained on real pictures once and kept in a
-- file. Pictures are bytes, (n,h,w,c). A judge knows
--   logits(pictures)     (n,k) what the classifier says
--   names(pictures, classes)   a list: the class that it finds likeliest in each, by name
--   features(pictures)   (n,d) what its last convolution sees, averaged over the picture; to compare sets of pictures
local lt = require "laterna"
local nn = lt.nn
local kept = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "kept.lua")
local judges = {}

local Judge = nn.class("Judge", function(self, body, head) self.body, self.head = body, head end)

function Judge:forward(x) return self.head(self.body(x)) end

-- f(x) of all pictures, some hundred at a time.
local function ask(f, pictures)
  local parts = {}
  for first = 1, #pictures, 500 do
    local x = lt.pictures.from_bytes(pictures[{ first, math.min(first + 499, #pictures) }])
    parts[#parts + 1] = lt.no_grad(f, x)
  end
  return lt.cat(parts)
end

function Judge:logits(pictures) return ask(self, pictures) end

function Judge:names(pictures, classes)
  local named = self:logits(pictures):argmax(2):totable()
  for i, class in ipairs(named) do named[i] = classes[class] end
  return named
end

function Judge:features(pictures) return ask(function(x) return self.body(x):mean { 2, 3 } end, pictures) end

local function convolution(inputs, outputs)
  return nn.Sequential(nn.Conv2d(inputs, outputs, 3, { padding = 1 }), nn.BatchNorm2d(outputs), lt.relu)
end

local function head(inputs, outputs)
  return nn.Sequential(function(h) return h:flatten(2) end, nn.Dropout(0.3), nn.Linear(inputs, outputs))
end

-- Noise in what the judge of scenes learns from, up to so much: it is to judge shapes and colours by what a person sees
-- of them, not by whether the last bit of grain is gone.
local GRAIN = 0.1

local function learn(judge, o, steps, batches, loss)
  local optimizer = lt.optim.AdamW(judge:parameters(), { lr = lt.optim.schedule.cosine(3e-3, steps) })
  local run = lt.train.run { steps = steps, data = batches, model = judge, label = "classifier", resume = false,
    progress = not o.quiet }
  for _, batch in run:steps() do
    optimizer:update(loss(judge(batch.x), batch))
  end
end

local function kept_or_trained(judge, o, steps, batches, loss, how)
  return kept(o.keep, judge, ("seed %d, %d steps"):format(o.seed, steps) .. (how or ""),
    function() learn(judge, o, steps, batches, loss) end)
end

-- Fashion-MNIST's ten classes. o: seed, epochs, keep (a file), quiet. Also returns the data sets for training and test.
function judges.fashion(o)
  lt.manual_seed(o.seed)
  local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"
  local judge = Judge(nn.Sequential(convolution(1, 32), nn.MaxPool2d(2), convolution(32, 64), nn.MaxPool2d(2)),
    head(7 * 7 * 64, 10))
  local function loss(logits, batch) return lt.cross_entropy(logits, batch.labels) end
  local batches = train:batches(128, { seed = o.seed, epochs = o.epochs })
  return kept_or_trained(judge, o, o.epochs * (#train // 128), batches, loss), train, test
end

-- Scenes of one object, 32x32: a part of the logits for each of `parts`, lists of {attribute, words}; `id(scene, part)`
-- is the number of the right word. o: seed, steps, keep, quiet. Each step sees scenes that were never seen before.
function judges.scenes(o, parts, id)
  lt.manual_seed(o.seed)
  local sizes, outputs = {}, 0
  for i, part in ipairs(parts) do sizes[i], outputs = #part.words, outputs + #part.words end
  local pool = nn.MaxPool2d(2)
  local judge = Judge(nn.Sequential(convolution(3, 32), pool, convolution(32, 64), convolution(64, 64), pool,
    convolution(64, 128), convolution(128, 128), pool), head(4 * 4 * 128, outputs))
  function judge:split(logits) return { logits:split(sizes, 2) } end
  function judge:describe(pictures) -- for each picture a table attribute -> word
    local found = {}
    for k, of_part in ipairs(self:split(self:logits(pictures))) do
      for i, word in ipairs(of_part:argmax(2):totable()) do
        found[i] = found[i] or {}
        found[i][parts[k].attribute] = parts[k].words[word]
      end
    end
    return found
  end
  local function batches(step)
    local scenes = lt.data.scenes { n = 128, objects = 1, seed = o.seed, first = 128 * (step - 1) + 1 }
    local batch = scenes:batches(128, { shuffle = false }):next()
    batch.x = batch.x + lt.randn(batch.x.shape) * (lt.rand(128, 1, 1, 1) * GRAIN)
    for i, part in ipairs(parts) do
      local ids = {}
      for k, scene in ipairs(scenes.attributes) do ids[k] = id(scene, part) end
      batch[i] = lt.tensor(ids, { dtype = "int32" })
    end
    return batch
  end
  return kept_or_trained(judge, o, o.steps, batches, function(logits, batch)
    local sum = 0
    for i, of_part in ipairs(judge:split(logits)) do sum = sum + lt.cross_entropy(of_part, batch[i]) end
    return sum
  end, ", noise up to " .. GRAIN)
end

-- How far what pictures show of an attribute is from what the data does: the total variation distance of a list of
-- descriptions, of those for which open(i) holds, and of those of real pictures; how many there were; and the distance
-- that as many pictures of the data have from the rest of them.
function judges.distance(found, real, attribute, open)
  local function counts(list, takes)
    local count, n = {}, 0
    for i, words in ipairs(list) do
      if takes(i) then count[words[attribute]], n = (count[words[attribute]] or 0) + 1, n + 1 end
    end
    return count, n
  end
  local count, n = counts(found, open)
  if n == 0 then return nil end
  local some, rest = counts(real, function(i) return i <= n end), counts(real, function(i) return i > n end)
  return lt.metrics.total_variation(count, rest), n, lt.metrics.total_variation(some, rest)
end

return judges
