-- A caption never says all that a picture shows. An extractor looks at picture + caption and writes down the rest as a
-- vector, the detail; a generator paints the picture again from caption + detail; both are trained together. Then there
-- is no picture to look at, the detail is drawn at random, and new pictures come out. So that these show what their
-- captions say, a reader learns from real pictures which caption goes with which, and tells the generator.
--   make demo                          or: lua5.4 examples/paint.lua --data scenes --steps 4000
-- Writes <out>/paint.png (originals beside reconstructions, then a row of random details for each caption) and
-- <out>/samples.safetensors, which examples/judge.lua reads.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.arguments { steps = 1100, batch = 64, detail = 48, width = 16, lr = 2e-3, beta = 0.5, heed = 50,
                               seed = 1, data = "auto", out = "runs/paint" }

lt.manual_seed(o.seed)
local found, train
if o.data ~= "scenes" then found, train = pcall(lt.data.fashion_mnist, "train") end
local test, captions = found and lt.data.fashion_mnist "test", found and train.classes
if not found then
  if train then io.stderr:write(train, "\ndrawing scenes instead\n") end
  train, test = lt.data.scenes { n = 20000, seed = o.seed }, lt.data.scenes { n = 10, seed = o.seed, first = 20001 }
  captions = { "a red star", "a large blue circle", "a green square, night sky", "a yellow heart above a cross" }
end
local size, channels = train.images:size(2), train.images:size(4)
local shape = { size = size, channels = channels, width = o.width, condition = 32 }

local painter = lt.autoencoder {
  text = lt.text.Encoder(train.captions, { dim = 32, depth = 1 }),
  extractor = nn.PictureEncoder(2 * o.detail, shape),
  generator = lt.vae { decoder = nn.PictureDecoder(o.detail, channels, shape), detail = o.detail },
  detail = o.detail, prior = lt.prior.Flow(o.detail, { condition = 32 }),
}

-- The reader: a picture and a caption become vectors; the right pair of a batch has the largest product.
local Reader = nn.class("Reader", function(self)
  self.text = lt.text.Encoder(train.captions, { dim = 32, depth = 1 })
  self.eye = nn.Sequential(
    nn.Conv2d(channels, 16, 4, { stride = 2, padding = 1 }), lt.silu, nn.Conv2d(16, 32, 4, { stride = 2, padding = 1 }),
    lt.silu, function(h) return h:flatten(2) end, nn.Linear((size // 4) ^ 2 * 32, 128), lt.silu, nn.Linear(128, 32))
end)

function Reader:forward(x, said)
  local names, place, ids = {}, {}, {}
  for i, caption in ipairs(said) do
    if not place[caption] then names[#names + 1], place[caption] = caption, #names + 1 end
    ids[i] = place[caption]
  end
  local scores = lt.matmul(self.eye(x), self.text(names).pooled:transpose())
  return lt.cross_entropy(scores, lt.tensor(ids, { dtype = "int32" }))
end

local model = nn.class("Both", function(self) self.painter, self.reader = painter, Reader() end)()
local painting = lt.optim.AdamW(painter:parameters(), {
  lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(100, o.steps // 10), final = 0.02 * o.lr }),
})
local reading = lt.optim.AdamW(model.reader:parameters(), { lr = 1e-3 })
local ema = lt.optim.Ema(painter, 0.995)

local run = lt.train.run {
  save = o.out, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = model, ema = ema,
  optimizer = { painting = painting, reading = reading }, resume = o.resume,
}
for step, batch in run:steps() do
  local read = reading:update(model.reader(batch.x, batch.captions)).loss
  local beta = o.beta * math.min(1, step / (0.2 * o.steps)) -- warm-up: first learn to use the detail, then to save it
  local loss, log = painter:loss(batch.x, { text = batch.captions, beta = beta })
  local half = table.move(batch.captions, 1, o.batch // 2, 1, {})
  local heed = model.reader(painter:rsample { text = half }, half)
  log.read, log.heed = read, heed
  run:log(painting:update(loss + heed * o.heed, log, { clip_norm = 100 }))
  ema:update()
end

local function paint(caption, n) -- the same caption, each time with another detail
  local said = lt.text.repeated(caption, n)
  return ema.model:sample { text = said }, said
end
local first = test:subset(1, 10):batches(10, { shuffle = false }):next()
local rows = { first.x, ema.model:reconstruct(first.x, { text = first.captions }) }
local labels, pictures, said = { "originals", "painted again" }, {}, {}
for _, caption in ipairs(captions) do
  rows[#rows + 1], labels[#labels + 1] = paint(caption, 10), caption
  local many, same = paint(caption, 100)
  pictures[#pictures + 1] = lt.pictures.to_bytes(many)
  table.move(same, 1, #same, #said + 1, said)
end
lt.save(o.out .. "/samples.safetensors", { pictures = lt.cat(pictures) }, { captions = table.concat(said, "\n") })
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/paint.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/paint.png")
