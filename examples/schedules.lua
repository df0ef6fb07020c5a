-- Four noise schedules, one of them invented here: the same network, captions, budget and noise to paint from, side by
-- side. A schedule is a function of time, t = 0 (the picture) to t = 1 (noise), that gives alpha and sigma.
--
--   lua5.4 examples/schedules.lua                      nine minutes on two cores
--   lua5.4 examples/schedules.lua --steps 500          two and a half
--   lua5.4 examples/schedules.lua --only late,cosine   two of them
--
-- Writes <out>/schedules.png (a row a schedule), <out>/log_snr.png (how they differ) and <out>/table.md: how many of
-- the pictures a classifier names as captioned, how far its features of them are from those of the test set, and the
-- loss. The losses say little of the pictures: each schedule asks its network other questions.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local judges, garments = dofile(here .. "shared/judges.lua"), dofile(here .. "shared/garments.lua")

local o = lt.train.arguments { steps = 2500, batch = 32, width = 16, lr = 2e-3, seed = 1, out = "runs/schedules",
                               guidance = 1.5, sampler = "dpmpp_2m", sampling_steps = 20, samples = 500, only = "" }

local schedules = {
  { name = "linear", lt.schedule.linear() }, -- the first one: DDPM's
  { name = "cosine", lt.schedule.cosine() },
  { name = "flow", lt.schedule.flow() },
  -- Invented: like a cosine, but the picture lasts longer.
  { name = "late", function(t) return math.cos(math.pi / 2 * t ^ 1.5), math.sin(math.pi / 2 * t ^ 1.5) end },
}

local judge, train, test = judges.fashion { seed = 1, epochs = 3, keep = "runs/judge/classifier.safetensors" }
local real = judge:features(test.images)

-- The model of a schedule after o.steps, and the mean loss of the last tenth of them.
local function trained(name, schedule)
  lt.manual_seed(o.seed)
  local model = garments.model(train.captions, o.width, schedule)
  local opt = lt.optim.AdamW(model:parameters(), {
    lr = lt.optim.schedule.cosine(o.lr, o.steps, { warmup = math.min(100, o.steps // 10), final = 0.01 * o.lr }) })
  local ema = lt.optim.Ema(model, 0.998)
  local run = lt.train.run {
    save = o.out .. "/" .. name, steps = o.steps, data = train:batches(o.batch, { seed = o.seed }), model = model,
    optimizer = opt, ema = ema, resume = o.resume, label = name,
  }
  local last, sum, count = math.max(1, o.steps // 10), 0, 0
  for step, batch in run:steps() do
    local loss, log = model:loss(batch.x, { text = batch.captions })
    run:log(opt:update(loss, log, { clip_norm = 1 }))
    ema:update()
    if step > o.steps - last then sum, count = sum + loss:item(), count + 1 end
  end
  return ema.model:eval():freeze(), sum / count -- NaN where a resumed run had nothing left to do
end

local lines, curves, rows, names = {}, {}, {}, {}
local function say(line)
  lines[#lines + 1] = line
  print(line)
end
local how = { sampler = o.sampler, steps = o.sampling_steps, guidance = o.guidance, seed = 1000 }
say "| schedule | named as captioned, % | Frechet distance | loss at the end |"
say "|---|---|---|---|"
for _, entry in ipairs(schedules) do
  local name, schedule = entry.name, lt.schedule.check(entry[1])
  if o.only == "" or ("," .. o.only .. ","):find("," .. name .. ",", 1, true) then
    local model, loss = trained(name, schedule)
    local pictures, captions = garments.paint(model, train.classes, o.samples, how)
    local named = judge:names(pictures, train.classes)
    say(("| %s | %.1f | %.3f | %.4f |"):format(name, 100 * lt.metrics.accuracy(named, captions),
      lt.metrics.frechet(judge:features(pictures), real), loss))
    rows[#rows + 1], names[#names + 1] = pictures[{ 1, math.min(10, o.samples) }], name
    curves[#curves + 1] = { x = {}, y = {}, label = name }
    for i = 1, 199 do
      curves[#curves].x[i], curves[#curves].y[i] = i / 200, lt.schedule.log_snr(schedule, i / 200)
    end
  end
end

lt.plot.save(o.out .. "/log_snr.png", curves, { xlabel = "t", ylabel = "log-SNR" })
local picture = lt.grid(rows, { row_labels = names })
lt.save_png(o.out .. "/schedules.png", picture)
lt.show(picture)
local file <close> = assert(io.open(o.out .. "/table.md", "w"))
file:write(table.concat(lines, "\n"), "\n")
print("wrote " .. o.out .. "/schedules.png, log_snr.png and table.md")
