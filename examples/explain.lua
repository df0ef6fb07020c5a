-- What does a caption leave out of this picture, and which word should be added? The extractor of caption_gap.lua is
-- asked about fresh scenes whose captions say half of what there is to say, with all words for the rest to choose from.
--
--   lua5.4 examples/caption_gap.lua && lua5.4 examples/explain.lua
--   lua5.4 examples/explain.lua --by directions --shown 5
--
-- Writes <out>/explain.png: for each of some scenes the picture and the same painted again, then a row for each of the
-- axes of the detail that tell most, along which one thing changes while the rest is held.
local lt = require "laterna"
local painter = dofile((arg[0]:match "^(.*/)" or "") .. "shared/scene_painter.lua")

local o = lt.train.arguments { model = "runs/caption_gap/model.safetensors", n = 200, said = 3, shown = 3, strips = 4,
                               by = "coordinates", draws = 32, seed = 1, out = "runs/caption_gap" }

local model = painter.load(o.model)
local x, scenes = painter.fresh(o.n, o.seed + 2)
local g = lt.generator(o.seed)

-- For each attribute how often it was asked for, how often its true word was found, and the nats that one saved.
local tally, rows, labels = {}, {}, {}
for _, part in ipairs(painter.parts) do tally[part.attribute] = { n = 0, found = 0, saved = 0, words = #part.words } end

for i, scene in ipairs(scenes) do
  local order, words, is = painter.shuffled(g), {}, {}
  local said = table.move(order, 1, o.said, 1, {})
  for k = o.said + 1, #order do
    local longer = table.move(order, k, k, o.said + 1, table.move(said, 1, o.said, 1, {}))
    for _, part in ipairs(painter.parts) do
      for _, word in ipairs(part.attribute == order[k] and part.words or {}) do
        local name = part.attribute .. " " .. word
        words[name] = painter.caption(painter.changed(scene, part.attribute, word), longer)
        is[name] = { attribute = part.attribute, right = word == painter.word(scene, part.attribute) }
      end
    end
  end
  local caption = painter.caption(scene, said)
  local found = model:explain(x[i], caption, {
    words = words, by = o.by, strips = i <= o.shown and o.strips or 0, draws = o.draws, seed = o.seed })
  local best = {}
  for _, item in ipairs(found.words) do -- what saves most comes first
    local what = is[item.word]
    local t = tally[what.attribute]
    if not best[what.attribute] then
      best[what.attribute], t.n, t.found = true, t.n + 1, t.found + (what.right and 1 or 0)
    end
    if what.right then t.saved = t.saved + item.saves end
  end
  if i <= o.shown then
    print(("\n\"%s\" leaves out %.1f nats; words that would save most:"):format(caption, found.gap))
    for k = 1, 6 do
      local item = found.words[k]
      print(("%7.2f  %s%s"):format(item.saves, item.word, is[item.word].right and "" or "   (not so)"))
    end
    for k, row in ipairs(found.rows) do
      rows[#rows + 1], labels[#labels + 1] = row, k == 1 and caption or found.labels[k]
    end
  end
end

print(("\n%d scenes, %d attributes said"):format(o.n, o.said))
for _, part in ipairs(painter.parts) do
  local t = tally[part.attribute]
  print(("%-10s unsaid %4d times: the word that saves most is true in %5.1f %% (by chance %4.1f %%); "
    .. "true ones save %5.2f nats"):format(part.attribute, t.n, 100 * t.found / t.n, 100 / t.words, t.saved / t.n))
end
local picture = lt.grid(rows, { row_labels = labels, scale = 2 })
lt.save_png(o.out .. "/explain.png", picture)
lt.show(picture)
print("wrote " .. o.out .. "/explain.png")
