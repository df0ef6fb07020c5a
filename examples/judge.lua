-- Do painted pictures show what their captions say, and do they differ? A classifier is trained on the real training
-- pictures, then it names what another script painted:
--
--   lua5.4 examples/paint.lua && lua5.4 examples/judge.lua
--
-- Reads <samples> (pictures and captions, as paint.lua writes them); prints a table a caption.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.options { samples = "runs/paint/samples.safetensors", epochs = 3, seed = 1 }

lt.manual_seed(o.seed)
local train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist "test"

local net = nn.Sequential(
  nn.Conv2d(1, 32, 3, { padding = 1 }), nn.BatchNorm2d(32), lt.relu, nn.MaxPool2d(2),
  nn.Conv2d(32, 64, 3, { padding = 1 }), nn.BatchNorm2d(64), lt.relu, nn.MaxPool2d(2),
  function(h) return h:flatten(2) end, nn.Dropout(0.3), nn.Linear(7 * 7 * 64, 10))

local batches = train:batches(128, { seed = o.seed, epochs = o.epochs })
local steps = o.epochs * (#train // 128)
local optimizer = lt.optim.AdamW(net:parameters(), { lr = lt.optim.schedule.cosine(3e-3, steps) })
for _, batch in lt.train.run({ steps = steps, data = batches, model = net, label = "classifier" }):steps() do
  local loss = lt.cross_entropy(net(batch.x), batch.labels)
  optimizer:zero_grad()
  loss:backward()
  optimizer:step()
end
net:eval()

-- The class that the net sees in each picture of a uint8 tensor.
local function name(pictures)
  local named = {}
  for first = 1, #pictures, 500 do
    local part = pictures[{ first, math.min(first + 499, #pictures) }]:float() * (2 / 255) - 1
    for _, class in ipairs(lt.no_grad(net, part):argmax(2):totable()) do named[#named + 1] = class end
  end
  return named
end

-- Mean distance between neighbours in a list of pictures, a pixel (0: all the same).
local function variety(pictures)
  local x = pictures:float() * (2 / 255) - 1
  local n = #x
  return (x[{ 1, n - 1 }] - x[{ 2, n }]):square():mean():sqrt():item()
end

local right, labels = 0, test.labels:totable()
for i, class in ipairs(name(test.images)) do right = right + (class == labels[i] and 1 or 0) end
print(("classifier: %.1f %% of the test pictures named right"):format(100 * right / #test))

local painted, about = lt.load(o.samples)
local captions, rows = {}, {}
for caption in about.captions:gmatch "[^\n]+" do captions[#captions + 1] = caption end
local real = {}
for i, label in ipairs(labels) do
  real[label] = real[label] or {}
  table.insert(real[label], i)
end
local named, total = name(painted.pictures), 0
for i, caption in ipairs(captions) do
  rows[caption] = rows[caption] or { n = 0, right = 0, places = {} }
  local row = rows[caption]
  local ok = train.classes[named[i]] == caption
  row.n, row.right, row.places[row.n + 1] = row.n + 1, row.right + (ok and 1 or 0), i
  total = total + (ok and 1 or 0)
end
print(("%-14s %8s %18s"):format("caption", "named", "variety / data's"))
local function pick(images, places) return images:index_select(1, lt.tensor(places, { dtype = "int32" })) end
for class, caption in ipairs(train.classes) do
  local row = rows[caption]
  if row then
    print(("%-14s %6.1f %% %17.2f"):format(caption, 100 * row.right / row.n,
      variety(pick(painted.pictures, row.places)) / variety(pick(test.images, real[class]))))
  end
end
local line = "all            %6.1f %% of %d painted pictures named as their caption says"
print(line:format(100 * total / #captions, #captions))
