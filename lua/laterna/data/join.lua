-- Data sets one after the other: see laterna.data.concat.
local check = require "laterna.check"
local core = require "laterna.core"

-- What a picture has of which its set says nothing.
local DEFAULTS = {
  all_captions = function(set, i) return { set.captions[i] } end,
  repeats = function() return 1 end,
}

local function same_shapes(sets)
  for k = 2, #sets do
    local a, b = sets[1].images.shape, sets[k].images.shape
    if a[2] ~= b[2] or a[3] ~= b[3] or a[4] ~= b[4] then
      check.fail("concat", nil, "set %d: expected pictures of %dx%dx%d, got %dx%dx%d", k, a[2], a[3], a[4], b[2], b[3],
        b[4])
    end
  end
end

local function list_of(sets, name)
  local out = {}
  for _, set in ipairs(sets) do
    for i = 1, #set do
      if set.lists[name] then
        out[#out + 1] = set[name][i]
      else
        out[#out + 1] = DEFAULTS[name](set, i)
      end
    end
  end
  return out
end

-- Lists that all sets have, and those that can be completed.
local function lists_of(sets)
  local out = {}
  for _, set in ipairs(sets) do
    for name in pairs(set.lists) do
      local everywhere = true
      for _, other in ipairs(sets) do everywhere = everywhere and other.lists[name] ~= nil end
      if everywhere or DEFAULTS[name] then out[name] = out[name] or list_of(sets, name) end
    end
  end
  return out
end

-- Classes of one name are one class.
local function labels_of(sets)
  local classes, number, labels = {}, {}, {}
  for _, set in ipairs(sets) do
    if not set.labels then return nil end
    for _, name in ipairs(set.classes) do
      if not number[name] then
        classes[#classes + 1] = name
        number[name] = #classes
      end
    end
    for _, label in ipairs(set.labels:totable()) do labels[#labels + 1] = number[set.classes[label]] end
  end
  return classes, core.tensor(labels, { dtype = "int32" })
end

return function(sets)
  same_shapes(sets)
  local images, captions = {}, {}
  for k, set in ipairs(sets) do
    images[k] = set.images
    table.move(set.captions, 1, #set, #captions + 1, captions)
  end
  local classes, labels = labels_of(sets)
  return { images = core.cat(images, 1), captions = captions, classes = classes, labels = labels,
    lists = lists_of(sets) }
end
