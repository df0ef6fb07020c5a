-- Do painted pictures show what their captions say, do they differ, and how far are they from real ones? A classifier
-- is trained on the real training pictures (and kept in <keep>), then it looks at what other scripts painted:
--
--   lua5.4 examples/paint.lua && lua5.4 examples/judge.lua
--   lua5.4 examples/judge.lua --samples runs/paint/samples.safetensors,runs/diffusion/samples.safetensors
--
-- A samples file has `pictures` (n,28,28,1), bytes, and in its metadata `captions`, one a line. Of a single file it
-- prints a table by captions; of each a row: the part named as captioned, the Frechet distance to the test set in the
-- classifier's features, and the variety of these features within a caption as a part of the test set's.
local lt = require "laterna"
local judges = dofile((arg[0]:match "^(.*/)" or "") .. "shared/judges.lua")

local o = lt.train.arguments { samples = "runs/paint/samples.safetensors", epochs = 3, seed = 1,
                               keep = "runs/judge/classifier.safetensors" }
local judge, train, test = judges.fashion(o)

-- Mean distance between neighbours in a list of pictures, a pixel (0: all the same).
local function spread(pictures)
  local x = lt.pictures.from_bytes(pictures)
  local n = #x
  return (x[{ 1, n - 1 }] - x[{ 2, n }]):square():mean():sqrt():item()
end

local function places(captions)
  local of = {}
  for i, caption in ipairs(captions) do
    of[caption] = of[caption] or {}
    table.insert(of[caption], i)
  end
  return of
end

local function by_caption(pictures, captions, named)
  local function pick(images, list) return images:index_select(1, lt.tensor(list, { dtype = "int32" })) end
  print(("%-14s %8s %18s"):format("caption", "named", "variety / data's"))
  local painted, real = places(captions), places(test.captions)
  for _, caption in ipairs(train.classes) do
    local list = painted[caption]
    local right = 0
    for _, i in ipairs(list or {}) do right = right + (named[i] == caption and 1 or 0) end
    if list then
      local variety = #list > 1 and spread(pick(pictures, list)) / spread(pick(test.images, real[caption])) or 0
      print(("%-14s %6.1f %% %17.2f"):format(caption, 100 * right / #list, variety))
    end
  end
  local line = "all            %6.1f %% of %d painted pictures named as their caption says\n"
  print(line:format(100 * lt.metrics.accuracy(named, captions), #captions))
end

print(("classifier: %.1f %% of the test pictures named right"):format(
  100 * lt.metrics.accuracy(judge:names(test.images, train.classes), test.captions)))
local files, rows, most = {}, {}, 0
for file in o.samples:gmatch "[^,]+" do files[#files + 1] = file end
local features = judge:features(test.images)

-- Mean distance of the features of pictures with the same caption, over all captions.
local function within(of, captions)
  local sum, k = 0, 0
  for _, list in pairs(places(captions)) do
    local few = table.move(list, 1, math.min(100, #list), 1, {})
    if #few > 1 then
      sum, k = sum + lt.metrics.variety(of:index_select(1, lt.tensor(few, { dtype = "int32" }))), k + 1
    end
  end
  return sum / k
end
local variety = within(features, test.captions)

local function row(file, pictures, captions, named)
  local of = judge:features(pictures)
  most = math.max(most, #pictures)
  local right = 100 * lt.metrics.accuracy(named, captions)
  rows[#rows + 1] = ("%-44s %6d %7.1f %% %9.4f %9.2f"):format(file, #pictures, right,
    lt.metrics.frechet(of, features), within(of, captions) / variety)
end
for _, file in ipairs(files) do
  local painted, captions = lt.load(file), {}
  local about = lt.inspect(painted).metadata
  for caption in about.captions:gmatch "[^\n]+" do captions[#captions + 1] = caption end
  local named = judge:names(painted.pictures, train.classes)
  if #files == 1 then by_caption(painted.pictures, captions, named) end
  row(file, painted.pictures, captions, named)
end
local real = train:subset(1, most) -- the floor: as many pictures as were painted are this far from the test set
row("training pictures", real.images, real.captions, judge:names(real.images, train.classes))
print(("%-44s %6s %9s %9s %9s"):format("samples", "number", "named", "Frechet", "variety"))
print(table.concat(rows, "\n"))
