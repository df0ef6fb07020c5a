-- Do painted scenes show what their captions name, and does what the captions leave open vary as it does in the data?
--
--   lua5.4 examples/dit_text.lua && lua5.4 examples/judge_scenes.lua
--
-- A samples file has `pictures` (n,32,32,3), bytes, and in its metadata `captions` and `wanted`, one a line: see
-- shared/prompts.lua. The classifier is trained on fresh scenes and kept in <keep>.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local prompts, judges = dofile(here .. "shared/prompts.lua"), dofile(here .. "shared/judges.lua")
local parts = prompts.parts

local o = lt.train.arguments { samples = "runs/dit_text/samples.safetensors", steps = 3000, seed = 1, fresh = 4000,
                               keep = "runs/judge/scenes.safetensors" }
local judge = judges.scenes(o, parts, prompts.id)

local data = lt.data.scenes { n = o.fresh, objects = 1, seed = o.seed + 1 }
local real = judge:describe(data.images)
io.write(("classifier, %d fresh scenes:"):format(#real))
for _, part in ipairs(parts) do
  local right = 0
  for i, scene in ipairs(data.attributes) do
    right = right + (real[i][part.attribute] == part.words[prompts.id(scene, part)] and 1 or 0)
  end
  io.write(("  %s %.1f %%"):format(part.attribute, 100 * right / #real))
end
print()

local wanted, painted = prompts.load(o.samples)
local found = judge:describe(painted.pictures)

-- Captions that name the same attributes are judged together.
local sets = {}
for i in ipairs(found) do
  local named = {}
  for _, part in ipairs(parts) do
    if wanted[i][part.attribute] then named[#named + 1] = part.attribute end
  end
  local key = table.concat(named, " ")
  if not sets[key] then
    sets[key] = { named = named, key = key }
    sets[#sets + 1] = sets[key]
  end
  table.insert(sets[key], i)
end
print(("\n%-32s %7s %10s   each"):format("captions that name", "number", "all right"))
for _, set in ipairs(sets) do
  local all, each = 0, {}
  for _, i in ipairs(set) do
    local ok = true
    for _, a in ipairs(set.named) do
      local right = found[i][a] == wanted[i][a]
      ok, each[a] = ok and right, (each[a] or 0) + (right and 1 or 0)
    end
    all = all + (ok and 1 or 0)
  end
  io.write(("%-32s %7d %8.1f %%  "):format(set.key, #set, 100 * all / #set))
  for _, a in ipairs(set.named) do io.write((" %s %.1f %%"):format(a, 100 * each[a] / #set)) end
  print()
end

print(("\n%-32s %7s %10s %10s"):format("attributes left open", "number", "distance", "by chance"))
for _, part in ipairs(parts) do
  local a = part.attribute
  local far, n, chance = judges.distance(found, real, a, function(i) return not wanted[i][a] end)
  if far then print(("%-32s %7d %10.3f %10.3f"):format(a, n, far, chance)) end
end
