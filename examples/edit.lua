-- Change one word of a caption and keep the detail: that attribute changes, all else stays. A classifier judges fresh
-- scenes with one word changed, picked at random.
--
--   lua5.4 examples/extractor.lua --family vae && lua5.4 examples/edit.lua
--   lua5.4 examples/edit.lua --model runs/extractor/scenes_together/model.safetensors --family gan
--   lua5.4 examples/edit.lua --kept detail               keeps the detail itself, not the noise that it comes from
--
-- Captions are of two kinds: those that say the one attribute (and the shape), so that all else must come out of the
-- detail, and those that say all. Writes <out>/edit.png: pictures, the same painted again, an edit of each attribute.
local lt = require "laterna"
local here = arg[0]:match "^(.*/)" or ""
local painter, judges = dofile(here .. "shared/scene_painter.lua"), dofile(here .. "shared/judges.lua")
local painters = dofile(here .. "shared/painters.lua")

local o = lt.train.arguments {
  model = "runs/extractor/scenes/vae/model.safetensors", family = "vae", n = 1000, columns = 8, kept = "noise",
  steps = 3000, seed = 1, keep = "runs/judge/scenes.safetensors", out = "runs/edit",
}

local model, parts = painters.load(o.model, o.family), painter.parts
require("laterna.train.folder").make(o.out)
local judge = judges.scenes(o, parts, painter.id)
local x, scenes, bytes = painter.fresh(o.n, o.seed + 3)
local g = lt.generator(o.seed)

-- The attributes that a caption says.
local function said(attribute, all)
  return all and painter.attributes or attribute == "shape" and { "shape" } or { "shape", attribute }
end

-- Pictures of scenes with an attribute of each changed; and the scenes as they were meant to become.
local function edited(pictures, list, changes, all)
  local own, wanted, meant = {}, {}, {}
  for i, scene in ipairs(list) do
    local part = changes[i]
    local names = said(part.attribute, all)
    meant[i] = painter.changed(scene, part.attribute, painter.other(scene, part, g))
    own[i], wanted[i] = painter.caption(scene, names), painter.caption(meant[i], names)
  end
  return model:edit(pictures, { text = own }, { text = wanted }, { keep = o.kept }), meant, own
end

-- For each attribute: how many pictures show the scenes' word, by those that are (or are not) to change.
local function judged(pictures, list, changes)
  local found = judge:describe(pictures.dtype == "uint8" and pictures or lt.pictures.to_bytes(pictures))
  local result = {}
  for k, part in ipairs(parts) do
    local count = { changed = 0, right = 0, others = 0, kept = 0 }
    for i, words in ipairs(found) do
      local ok = words[part.attribute] == painter.word(list[i], part.attribute) and 1 or 0
      if changes[i] == part then
        count.changed, count.right = count.changed + 1, count.right + ok
      else
        count.others, count.kept = count.others + 1, count.kept + ok
      end
    end
    result[k] = count
  end
  return result
end

local function report(title, result)
  print(("\n%-44s %s"):format(title, "is as changed   unchanged where another changed"))
  for k, c in ipairs(result) do
    print(("  %-42s %s %8.1f %%"):format(parts[k].attribute,
      c.changed > 0 and ("%8.1f %%  "):format(100 * c.right / c.changed) or (" "):rep(12), 100 * c.kept / c.others))
  end
end

local changes = {}
for i = 1, o.n do changes[i] = parts[g:integer(1, #parts)] end
report("pictures as they are", judged(bytes, scenes, {}))
for _, all in ipairs { false, true } do
  local pictures, meant, own = edited(x, scenes, changes, all)
  report("painted again, " .. (all and "all said" or "little said"),
    judged(model:reconstruct(x, { text = own }), scenes, {}))
  report("edited, " .. (all and "all said" or "little said"), judged(pictures, meant, changes))
end

local few, list, rows, labels = x[{ 1, o.columns }], table.move(scenes, 1, o.columns, 1, {}), {}, {}
local shape_said = {}
for i, scene in ipairs(list) do shape_said[i] = painter.caption(scene, { "shape" }) end
rows[1], labels[1] = few, "pictures"
rows[2], labels[2] = model:reconstruct(few, { text = shape_said }), "painted again"
for _, part in ipairs(parts) do
  local same = {}
  for i = 1, o.columns do same[i] = part end
  rows[#rows + 1], labels[#labels + 1] = edited(few, list, same), "another " .. part.attribute
end
local picture = lt.grid(rows, { row_labels = labels, scale = 2 })
lt.save_png(o.out .. "/edit.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/edit.png")
