-- What is said of emoji: captions that tell all, some or nothing of the name; and which of the captions that are asked
-- for no picture of the training ever had.
local lt = require "laterna"
local words = {}

local GROUPS = { ["Smileys & Emotion"] = true, ["Animals & Nature"] = true, ["Food & Drink"] = true,
  ["Travel & Places"] = true, ["Activities"] = true, ["Objects"] = true }
local MIRRORED = { ["Smileys & Emotion"] = true, ["Animals & Nature"] = true, ["Food & Drink"] = true }

-- The emoji to learn of those that emoji_folder.lua wrote: those that are pictures of things, and coloured squares and
-- circles; no people, flags and signs.
function words.load(folder, size)
  local there = io.open(folder .. "/metadata.jsonl")
  if not there then error(("no pictures in %s: run lua5.4 examples/emoji_folder.lua"):format(folder), 0) end
  there:close()
  local all, index = lt.data.folder(folder, { size = size }), {}
  for i, about in ipairs(all.metadata) do
    if GROUPS[about.group] or about.subgroup == "geometric" then index[#index + 1] = i end
  end
  return all:subset(index)
end

-- All words that are known about emoji i: name, subgroup, keywords.
function words.about(set, i)
  local about = set.metadata[i]
  return table.concat({ set.captions[i], (about.subgroup:gsub("-", " ")), table.unpack(about.keywords) }, " ")
end

local function split(text)
  local list = {}
  for word in text:lower():gmatch "[^%s:,“”]+" do list[#list + 1] = word end
  return list
end

-- `count` of a list, drawn at random; in their old order, or shuffled.
local function some(list, count, g, shuffled)
  local which = table.move(lt.randperm(#list, { generator = g }):totable(), 1, count, 1, {})
  if not shuffled then table.sort(which) end
  for i, k in ipairs(which) do which[i] = list[k] end
  return table.concat(which, " ")
end

-- A caption of emoji i: half of the time its name; a part of the name; some keywords, the subgroup's among them; or
-- nothing.
local function said(set, i, g)
  local chance, name = g:integer(1, 20), split(set.captions[i])
  if chance <= 10 then return table.concat(name, " ") end
  if chance <= 13 then return some(name, g:integer(1, #name), g) end
  if chance > 18 then return "" end
  local list = { (set.metadata[i].subgroup:gsub("-", " ")) }
  for _, word in ipairs(set.metadata[i].keywords) do list[#list + 1] = word:lower() end
  return some(list, g:integer(1, math.min(3, #list)), g, true)
end

-- One picture a little smaller, somewhere on the white ground; in groups where that tells no lie, also mirrored.
local function moved(x, mirror, g)
  local size = x:size(2)
  local small = size - g:integer(0, size // 7)
  local top, left = g:integer(0, size - small), g:integer(0, size - small)
  if mirror and g:integer(0, 1) == 1 then x = lt.flip(x, 3) end
  if small < size then x = lt.resize_bilinear(x, small) end
  return lt.pad(x, { { 0, 0 }, { top, size - small - top }, { left, size - small - left }, { 0, 0 } }, 1)
end

-- For set:batches{augment}: other captions, and pictures that are never twice the same, so that there is something that
-- even a whole name leaves out.
function words.vary(set)
  return function(x, g, batch)
    local out = {}
    for k, i in ipairs(batch.index:totable()) do
      batch.captions[k] = said(set, i, g)
      out[k] = moved(x[{ k, k }], MIRRORED[set.metadata[i].group], g)
    end
    return lt.cat(out)
  end
end

-- Is there no picture about which all these words are known?
function words.unseen(set, caption)
  for i = 1, #set do
    local has, all = {}, true
    for _, word in ipairs(split(words.about(set, i))) do has[word] = true end
    for _, word in ipairs(split(caption)) do all = all and has[word] end
    if all then return false end
  end
  return true
end

-- Coarse pictures, of which it matters little where exactly something is.
local function coarse(x) return lt.avg_pool2d(x, 4):flatten(2) end

-- For which share of the pictures is number index[k] of the set the nearest (mean square difference of coarse pictures,
-- mirrored or not), and for which is it among the nearest five?
function words.recognised(set, pictures, index)
  local a, right, near, distance = coarse(pictures), 0, 0, nil
  local real = moved(set:batches(#set, { shuffle = false }):next().x, false, lt.generator(3))
  for _, x in ipairs { real, lt.flip(real, 3) } do
    local b = coarse(x)
    local d = lt.matmul(a, b:transpose()) * -2 + b:square():sum(2):view(1, -1)
    distance = distance and lt.minimum(distance, d) or d
  end
  for k, row in ipairs(distance:totable()) do
    local closer = 0
    for i = 1, #row do closer = closer + (row[i] < row[index[k]] and 1 or 0) end
    right, near = right + (closer == 0 and 1 or 0), near + (closer < 5 and 1 or 0)
  end
  return right / #index, near / #index
end

return words
