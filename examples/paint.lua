-- A caption never says all that a picture shows. An extractor looks at picture + caption and writes down the rest as a
-- vector, the detail; a generator paints the picture again from caption + detail; both are trained together. Then there
-- is no picture to look at, the detail is drawn at random, and new pictures come out.
--
--   make demo                          or: lua5.4 examples/paint.lua --data scenes --steps 4000
--
-- Writes <out>/paint.png (originals beside reconstructions, then a row of random details for each caption) and
-- <out>/samples.safetensors.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.options { steps = 1800, batch = 128, detail = 16, width = 24, lr = 2e-3, seed = 1, data = "auto",
                             out = "runs/paint" }

local function load_data()
  if o.data ~= "scenes" then
    local ok, train = pcall(lt.data.fashion_mnist, "train")
    if ok then return train, lt.data.fashion_mnist "test", train.classes end
    if o.data == "fashion_mnist" then error(train, 0) end
    io.stderr:write(train, "\ndrawing scenes instead\n")
  end
  local captions = { "a red star", "a large blue circle", "a green square, night sky", "a yellow heart above a cross" }
  return lt.data.scenes { n = 20000, seed = o.seed }, lt.data.scenes { n = 64, seed = o.seed + 1 }, captions
end

lt.manual_seed(o.seed)
local train, test, captions = load_data()
local size, channels = train.images:size(2), train.images:size(4)
local shape = { size = size, channels = channels, width = o.width, condition = 32 }

local model = lt.autoencoder {
  text = lt.text.Encoder(train.captions, { dim = 32, depth = 1 }),
  extractor = nn.PictureEncoder(2 * o.detail, shape),
  generator = lt.vae { decoder = nn.PictureDecoder(o.detail, channels, shape), detail = o.detail },
  detail = o.detail,
}
local optimizer = lt.optim.AdamW(model:parameters(), {
  lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = 100, final = 0.02 * o.lr }),
})
local ema = lt.optim.Ema(model, 0.995)

local run = lt.train.run {
  save = o.out, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = model,
  optimizer = optimizer, ema = ema, resume = o.resume,
}
for step, batch in run:steps() do
  local beta = math.min(1, step / (0.2 * o.steps)) -- warm-up: first learn to use the detail, then its price
  local loss, log = model:loss(batch.x, { text = batch.captions, beta = beta })
  optimizer:zero_grad()
  loss:backward()
  lt.optim.clip_norm(model:parameters(), 100)
  optimizer:step()
  ema:update()
  log.loss = loss
  run:log(log)
end
if run.interrupted then os.exit(130) end

-- originals, reconstructions, and what each caption leaves open
local columns = 10
local painter = ema.model
local shown = {}
for i = 1, columns do shown[i] = i end
local some = test:subset(shown):batches(columns, { shuffle = false }):next()
local rows, labels = { some.x, painter:reconstruct(some.x, { text = some.captions }) }, { "originals", "painted again" }
for _, caption in ipairs(captions) do
  local same = {}
  for i = 1, columns do same[i] = caption end
  rows[#rows + 1], labels[#labels + 1] = painter:sample { text = same }, caption
end
local function many(n)
  local pictures, said = {}, {}
  for _, caption in ipairs(captions) do
    local same = {}
    for i = 1, n do same[i], said[#said + 1] = caption, caption end
    pictures[#pictures + 1] = (painter:sample { text = same } * 127.5 + 127.5):byte()
  end
  return { pictures = lt.cat(pictures) }, { captions = table.concat(said, "\n") }
end
lt.save(o.out .. "/samples.safetensors", many(100)) -- for examples/judge.lua
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/paint.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/paint.png")
