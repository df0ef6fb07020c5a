-- Text to sprites: small pictures on no ground at all, learned from a folder of them and painted so that the PNG is
-- transparent where it should be.
--
--   apt-get install oxygen-icon-theme             415 of its icons of 32x32, without actions and types of files
--   lua5.4 examples/sprites.lua                   12 minutes of one core's work: 2700 steps, each icon 104 times
--   lua5.4 examples/sprites.lua --folder F        any folder of pictures with alpha, called by what they show
--   lua5.4 examples/sprites.lua --minutes 0.2     to see that all of it works
--   lua5.4 examples/sprites.lua --paint           no training: paints with what was trained
--
-- What colour a pixel has that nobody sees is anybody's guess, and a model that has to guess it paints worse where it
-- matters. So it learns colours times alpha: c alpha, a, of which the first is 0, a middling grey, wherever alpha is 0.
-- What it paints is divided by its alpha again. Alpha is stretched a little, for almost nothing is to be nothing and
-- almost all is to be all: below 1/16 it is 0, above 15/16 it is 1, in between it is what was painted.
--
-- Writes <out>/sprites.png (originals, the same captions painted, then a row a caption, on a chequered ground),
-- <out>/sheet.png (the rows alone, transparent), a PNG a caption, such as <out>/folder_red.png, and
-- <out>/model.safetensors. Prints where alpha is 0 in originals and in what is painted for their captions: after 12
-- minutes they agree in 87 % of the pixels, where any two icons agree in 67 %. Whole shapes and their colours are
-- learned, small marks on them are not yet.
local lt = require "laterna"
local nn = lt.nn

local o = lt.train.arguments {
  folder = "/usr/share/icons/oxygen/base/32x32", minutes = 12.0, size = 32, width = 32, lr = 4e-3, batch = 16, seed = 1,
  out = "runs/sprites", sampling_steps = 20, guidance = 2.0, paint = false,
  captions = "folder red, folder green, folder violet, folder mail, computer laptop, media optical, face smile, clock",
}

-- x (n,h,w,4) -> the same with colours times alpha, and back.
local function multiplied(x)
  local alpha = x:narrow(4, 4, 1)
  return lt.cat({ x:narrow(4, 1, 3) * ((alpha + 1) * 0.5), alpha }, 4)
end

local function divided(x)
  local alpha = (((x:narrow(4, 4, 1) + 1) * 0.5 - 1 / 16) * (16 / 14)):clamp(0, 1)
  local colours = (x:narrow(4, 1, 3) / alpha:clamp(1 / 255, 1)):clamp(-1, 1)
  return lt.cat({ lt.where(alpha:gt(0.5 / 255), colours, lt.full({ 1 }, -1)), alpha * 2 - 1 }, 4)
end

lt.manual_seed(o.seed)
lt.threads(1) -- minutes are the processor's (os.clock), so that it does not matter what else the machine does
local train = lt.data.folder(o.folder, { size = o.size, channels = 4, captions = "names",
                                         ignore = { "actions", "mimetypes" } })
local model

if o.paint then
  model = lt.open(o.out .. "/model.safetensors")
else
  local learner = lt.diffusion {
    net = nn.UNet { channels = 4, size = o.size, width = o.width, multipliers = { 1, 2, 2 }, blocks = 1, text = 96 },
    text = lt.text.Encoder(train:texts(), { dim = 96, depth = 2 }), predict = "v", schedule = "cosine",
  }
  local budget = lt.train.budget(o.minutes, { now = os.clock })
  local opt = lt.optim.Muon(learner:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, budget, { warmup = 100, final = 0.01 * o.lr }) })
  local ema = lt.optim.Ema(learner, 0.998)
  local run = lt.train.run {
    save = o.out, steps = budget, model = learner, optimizer = opt, ema = ema,
    data = train:batches(o.batch, { seed = o.seed, augment = { flip = true, colour = 0.1 } }),
  }
  for _, batch in run:steps() do
    local loss, log = learner:loss(multiplied(batch.x), { text = batch.captions })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
  end
  model = ema.model
  lt.save_model(o.out .. "/model.safetensors", model, { data = train })
end

local function paint(captions, seed)
  return divided(model:sample({ text = captions }, { seed = seed, steps = o.sampling_steps, guidance = o.guidance }))
end

local shown = train:batches(math.min(8, #train), { seed = 5 }):next()
local rows, labels = { shown.x, paint(shown.captions, 1) }, { "originals", "the same captions, painted" }
for caption in o.captions:gmatch "%s*([^,]+)" do
  local x = paint(lt.text.repeated(caption, 8), 1)
  rows[#rows + 1], labels[#labels + 1] = x, caption
  lt.save_png(("%s/%s.png"):format(o.out, caption:gsub("%W+", "_")), x[1])
end
local picture = lt.grid(rows, { row_labels = labels, scale = 2 })
lt.save_png(o.out .. "/sprites.png", picture)
lt.save_png(o.out .. "/sheet.png", lt.grid(table.move(rows, 3, #rows, 1, {}), { ground = "none", pad = 0 }))
lt.show(picture)

-- Pixels of no alpha, of originals and of what is painted for their captions; as bytes, as a PNG has them.
local many = train:batches(math.min(64, #train), { seed = 7 }):next()
local function clear(x) return lt.pictures.to_bytes(x:narrow(4, 4, 1)):float():eq(0) end
local original, painted = clear(many.x), clear(paint(many.captions, 2))
print(("transparent: %.1f %% of the pixels of originals, %.1f %% of those painted; both or neither in %.1f %%"):format(
  100 * original:mean():item(), 100 * painted:mean():item(), 100 * original:eq(painted):mean():item()))
print("wrote " .. o.out .. "/sprites.png, sheet.png and model.safetensors")
