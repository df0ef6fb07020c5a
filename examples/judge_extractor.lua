-- Judges what extractor.lua painted of scenes: are attributes right in pictures that were painted again from caption
-- and detail; do pictures of random details show what the caption says; does what it leaves open vary as in the data?
--
--   lua5.4 examples/extractor.lua && lua5.4 examples/extractor.lua --extractor false
--   lua5.4 examples/judge_extractor.lua
--
-- The classifier is trained on fresh scenes and kept in <keep>.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local prompts, judges = dofile(here .. "shared/prompts.lua"), dofile(here .. "shared/judges.lua")
local parts = prompts.parts

local o = lt.train.arguments { out = "runs/extractor", steps = 3000, seed = 1, fresh = 4000,
                               keep = "runs/judge/scenes.safetensors" }
local judge = judges.scenes(o, parts, prompts.id)
local real = judge:describe(lt.data.scenes({ n = o.fresh, objects = 1, seed = o.seed + 1 }).images)

-- The part of the pictures in which an attribute is as wanted, in percent, of those for which it was; and of all of
-- them at once.
local function right(found, wanted)
  local count, all, n, every = {}, {}, 0, 0
  for i, words in ipairs(found) do
    local good, asked = true, false
    for attribute, word in pairs(wanted[i]) do
      local ok = words[attribute] == word
      all[attribute], count[attribute] = (all[attribute] or 0) + 1, (count[attribute] or 0) + (ok and 1 or 0)
      good, asked = good and ok, true
    end
    if asked then n, every = n + 1, every + (good and 1 or 0) end
  end
  for attribute, k in pairs(all) do count[attribute] = 100 * count[attribute] / k end
  return count, 100 * every / math.max(n, 1)
end

local function row(label, values, format)
  io.write(("%-34s"):format(label))
  for _, part in ipairs(parts) do
    local v = values[part.attribute]
    io.write(("%11s"):format(v and format:format(v) or "-"))
  end
end

local function judge_one(label, folder)
  local function load(name)
    local file = io.open(folder .. "/" .. name)
    if file and file:close() then return prompts.load(folder .. "/" .. name) end
  end
  local wanted, painted = load "samples.safetensors"
  if not wanted then return end
  local again, both = load "again.safetensors"
  if again then
    row(label .. ", painted again, right %", right(judge:describe(both.pictures), again), "%.1f")
    local x = lt.pictures.from_bytes(both.originals)
    print(("   squared error %.4f"):format((x - both.exact):square():mean():item()))
  end
  local found = judge:describe(painted.pictures)
  local each, every = right(found, wanted)
  row(label .. ", at random, as said %", each, "%.1f")
  print(("   all that was said %.1f"):format(every))
  local distances, chance = {}, 0
  for _, part in ipairs(parts) do
    local a = part.attribute
    local far, _, by_chance = judges.distance(found, real, a, function(i) return not wanted[i][a] end)
    distances[a], chance = far, math.max(chance, by_chance or 0)
  end
  row(label .. ", not said, distance", distances, "%.3f")
  print(("   of the data itself %.3f at most"):format(chance))
end

local names = {}
for _, part in ipairs(parts) do names[part.attribute] = part.attribute end
row("", names, "%s")
print()
for _, name in ipairs { "vae", "flow", "diffusion", "gan" } do
  judge_one(name, o.out .. "/scenes/" .. name)
  judge_one(name .. " together", o.out .. "/scenes_together/" .. name)
  judge_one(name .. " without", o.out .. "/scenes_without/" .. name)
end
