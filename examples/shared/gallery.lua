-- One caption, many details, four painters: a picture of what painters that share an extractor make of the same scenes.
-- gallery(of, names, x, scenes, caption, teller): of[name] are the autoencoders, x pictures of scenes; where there is a
-- teller, details are drawn again until it is sure of them (resample.lua). Its rows: the pictures;
-- the same painted again by each, from a caption that says shape and colour; by the first, with another colour in it;
-- and `caption` with as many details drawn at random, by each, so that a column is one detail.
local lt = require "laterna"
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local prompts, resample = dofile(here .. "prompts.lua"), dofile(here .. "resample.lua")

local function how(name) return { generator = lt.generator(2), steps = name == "diffusion" and 20 or nil } end

-- Scenes' captions, and their captions in green, or in red where green they are.
local function captions(scenes)
  local own, green = {}, {}
  for i, scene in ipairs(scenes) do
    local other = prompts.changed(scene, "colour", prompts.word(scene, "colour") == "green" and "red" or "green")
    own[i] = lt.data.scenes.caption(scene, { mention = { "shape", "colour" } })
    green[i] = lt.data.scenes.caption(other, { mention = { "shape", "colour" } })
  end
  return { text = own }, { text = green }
end

return function(of, names, x, scenes, caption, teller)
  local rows, labels, first, same = { x }, { "originals" }, of[names[1]], lt.text.repeated(caption, #x)
  local own, green = captions(scenes)
  local g = lt.generator(3)
  local drawn = teller and resample(first, teller, same, g)
    or first:from_noise(lt.randn(#x, first.detail, { generator = g }), { text = same })
  local function add(label, pictures) rows[#rows + 1], labels[#labels + 1] = pictures, label end
  for _, name in ipairs(names) do add("again, by " .. name, of[name]:reconstruct(x, own, how(name))) end
  add("one word changed: green (or red)", first:edit(x, own, green, how(names[1])))
  for _, name in ipairs(names) do
    add(("%s, by %s"):format(caption, name), of[name]:sample({ text = same, detail = drawn }, how(name)))
  end
  return lt.grid(rows, { row_labels = labels })
end
