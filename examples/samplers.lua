-- Every sampler, by how many steps it takes: how many of its pictures the judge names as captioned, and how far they
-- are from the test set. The model is the one that examples/diffusion.lua trained.
--
--   lua5.4 examples/diffusion.lua && lua5.4 examples/samplers.lua
--   lua5.4 examples/samplers.lua --only dpmpp_2m,unipc --samples 200
--
-- Writes <out>/samplers.png (a row a sampler, the same noise in each, few steps to many), <out>/curves.png (the Frechet
-- distance against steps) and <out>/table.md.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local judges, garments = dofile(here .. "shared/judges.lua"), dofile(here .. "shared/garments.lua")

local o = lt.train.arguments { model = "runs/diffusion/model.safetensors", out = "runs/samplers", samples = 1000,
                               guidance = 1.5, only = "", steps = "10,20,50", seed = 1000 }

local judge, train, test = judges.fashion { seed = 1, epochs = 3, keep = "runs/judge/classifier.safetensors" }
local model = garments.open(o.model)
local real = judge:features(test.images)

local names = {}
for name in (o.only ~= "" and o.only or "ddpm,ddim,euler_ancestral,heun,dpm2,dpmpp_2s_ancestral,dpmpp_2m,dpmpp_2m_sde,"
  .. "dpmpp_sde,unipc,lms,lcm"):gmatch "[%w_]+" do names[#names + 1] = name end -- euler is ddim
local counts = {}
for n in o.steps:gmatch "%d+" do counts[#counts + 1] = math.tointeger(tonumber(n)) end

local function named_right(pictures, captions)
  return 100 * lt.metrics.accuracy(judge:names(pictures, train.classes), captions)
end

local lines, curves, rows = {}, {}, {}
local function say(line)
  lines[#lines + 1] = line
  print(line)
end
say "| sampler | steps | network calls | named as captioned, % | Frechet distance | seconds |"
say "|---|---|---|---|---|---|"
for _, name in ipairs(names) do
  local curve, row = { x = {}, y = {}, label = name }, {}
  for _, steps in ipairs(counts) do
    local start, options = lt.clock(), { sampler = name, steps = steps, guidance = o.guidance, seed = o.seed }
    local pictures, captions = garments.paint(model, train.classes, o.samples, options)
    local seconds, distance = lt.clock() - start, lt.metrics.frechet(judge:features(pictures), real)
    say(("| %s | %d | %d | %.1f | %.3f | %.1f |"):format(name, steps,
      lt.samplers[name](model.schedule, steps, { predict = "v" }).calls, named_right(pictures, captions), distance,
      seconds))
    table.insert(curve.x, steps)
    table.insert(curve.y, distance)
    row[#row + 1] = pictures[{ 1, 4 }]
  end
  curves[#curves + 1], rows[#rows + 1] = curve, lt.cat(row)
end

require("laterna.train.folder").make(o.out)
lt.save_png(o.out .. "/samplers.png", lt.grid(rows, { row_labels = names }))
lt.plot.save(o.out .. "/curves.png", curves, { xlabel = "steps", ylabel = "Frechet distance", logy = true })
local file <close> = assert(io.open(o.out .. "/table.md", "w"))
file:write(table.concat(lines, "\n"), "\n")
