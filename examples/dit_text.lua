-- Text to picture with a diffusion transformer: it reads scenes with captions that tell a part of what is to be seen,
-- and then paints what captions ask for, with what they leave open at random.
--
--   lua5.4 examples/dit_text.lua                         half an hour of training on two cores
--   lua5.4 examples/dit_text.lua --steps 1000            two minutes
--   lua5.4 examples/dit_text.lua --paint                 no training: paints with what was trained
--
-- The caption's words stand before the patches in one sequence (arXiv 2212.09748 with the caption as tokens), and one
-- vector of the whole caption scales and gates every block. The path from picture to noise is a straight line, and the
-- network says which way it goes (arXiv 2209.03003).
-- Writes <out>/dit_text.png, a row a caption, and <out>/model.safetensors.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.options {
  steps = 12000, batch = 32, patch = 4, dim = 256, depth = 6, heads = 4, positions = "fixed", caption = "tokens",
  lr = 6e-4, precision = "bf16", pictures = 40000, seed = 1, guidance = 2, sampling_steps = 30, out = "runs/dit_text",
  paint = false,
}

lt.manual_seed(o.seed)
lt.precision(o.precision)
local train = lt.data.scenes { n = o.pictures, seed = o.seed }
local model = lt.diffusion {
  net = nn.DiT {
    channels = 3, size = 32, patch = o.patch, dim = o.dim, depth = o.depth, heads = o.heads,
    positions = o.positions, text = 64, caption = o.caption,
  },
  text = lt.text.Encoder(train.captions, { dim = 64 }), schedule = "flow", predict = "velocity",
}
local ema = lt.optim.Ema(model, function(k) return math.min(0.999, (1 + k) / (10 + k)) end)

if o.paint then
  ema.model:load_state((lt.load(o.out .. "/model.safetensors")))
else
  local opt = lt.optim.AdamW(model:parameters(), {
    betas = { 0.9, 0.99 }, weight_decay = 0,
    lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(500, o.steps // 10), final = 0.02 * o.lr }),
  })
  local run = lt.train.run {
    save = o.out, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = model, optimizer = opt,
    ema = ema, resume = o.resume,
  }
  for _, batch in run:steps() do
    local loss = model:loss(batch.x, { text = batch.captions })
    opt:zero_grad()
    loss:backward()
    lt.optim.clip_norm(model:parameters(), 1)
    opt:step()
    ema:update()
    run:log { loss = loss }
  end
  if run.interrupted then os.exit(130) end
  lt.save(o.out .. "/model.safetensors", ema.model:state())
end

local captions = {
  "a large red heart on the grass", "a small yellow star, night sky", "a large striped blue ring at the top",
  "a green square to the left of a pink circle", "a checked purple diamond on the sand",
  "a white moon above a black cross, sunset", "a brown hexagon", "an orange triangle, sea", "",
}
local rows, labels = {}, {}
for i, caption in ipairs(captions) do
  local same = {}
  for k = 1, 8 do same[k] = caption end
  rows[i] = ema.model:sample({ text = same }, {
    steps = o.sampling_steps, guidance = caption == "" and 1 or o.guidance, seed = 1,
  })
  labels[i] = caption == "" and "(no caption)" or caption
end
local picture = lt.grid(rows, { row_labels = labels })
lt.save_png(o.out .. "/dit_text.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/dit_text.png")
