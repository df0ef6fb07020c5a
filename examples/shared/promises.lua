-- What captions promise of pictures that nobody has seen. Where a painter learns from pictures alone, nothing says that
-- it changes one word's worth and no more when a picture's detail comes under another caption. So it paints such
-- pictures too, under their own captions with one word changed, and a reader (reader.lua) is asked what they show: all
-- that the picture shows, but for that word.
local lt = require "laterna"
local prompts = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "prompts.lua")

-- Another caption, and the scene that is to be seen then; nothing changes where the caption was left out.
local function changed(caption, scene, mention, generator)
  if caption == "" then return caption, scene end
  local parts = prompts.said(mention)
  local part = parts[generator:integer(1, #parts)]
  scene = prompts.changed(scene, part.attribute, prompts.other(scene, part, generator))
  return lt.data.scenes.caption(scene, { mention = mention, generator = generator }), scene
end

-- How many nats the reader is short of for the first half of a batch. ae: an autoencoder with a learned prior, through
-- whose noise details come under other captions; extracted: what it extracted; misread: the reader's.
return function(ae, extracted, misread, data, index, generator)
  local n, text, scenes = #index // 2, {}, {}
  for row, i in ipairs(index:narrow(1, 1, n):totable()) do
    text[row], scenes[row] = changed(extracted.cond.text[row], data.attributes(i), data.mentions(i), generator)
  end
  local cond = extracted.cond:first(n):with { text = text }
  local _, u = ae.prior:log_prob(extracted.z:narrow(1, 1, n), extracted.cond:first(n):pooled())
  return misread(ae.generator:rsample(cond:with { detail = ae.prior:inverse(u, cond:pooled()) }), scenes)
end
