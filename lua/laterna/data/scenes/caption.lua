--- Captions of scenes: what to mention, and how to say it.
-- @module laterna.data.scenes.caption
local check = require "laterna.check"

local caption = {}

caption.attributes = { "shape", "colour", "size", "texture", "position", "relation", "background" }
local OF_OBJECT = { "shape", "colour", "size", "texture", "position" }
local KNOWN = {}
for _, name in ipairs(caption.attributes) do KNOWN[name] = true end

-- Two ways to name a background: set off by a comma, or as a place.
local PLACES = {
  ["day sky"] = "in the day sky", ["night sky"] = "in the night sky", sunset = "at sunset", grass = "on the grass",
  sea = "on the sea", sand = "on the sand", snow = "in the snow", ["brick wall"] = "in front of a brick wall",
  tiles = "on the tiles",
}

local function some(m)
  for _, name in ipairs(OF_OBJECT) do
    if m[name] then return true end
  end
  return false
end

local function random_object(g, o, position)
  local m = {
    shape = g:uniform() < 0.92, colour = g:uniform() < 0.75, size = g:uniform() < 0.4,
    texture = g:uniform() < (o.texture == "plain" and 0.15 or 0.5), position = g:uniform() < position,
  }
  if not some(m) then m.shape = true end
  return m
end

--- What a passer-by would mention: a random part of the attributes, never none.
-- @tparam table scene
-- @tparam Generator g
-- @treturn table `objects` (for each object a table attribute -> boolean), `relation`, `background`: booleans
function caption.random_mention(scene, g)
  local m = { objects = {}, background = g:uniform() < 0.5, relation = false }
  local list = scene.objects
  if #list < 2 then
    for i, o in ipairs(list) do m.objects[i] = random_object(g, o, 0.3) end
    return m
  end
  local both = g:uniform() < 0.85
  local only = not both and g:integer(1, 2)
  m.relation = both and g:uniform() < 0.65
  for i, o in ipairs(list) do
    m.objects[i] = (both or only == i) and random_object(g, o, m.relation and 0 or 0.15) or {}
  end
  return m
end

-- The same mention for every object.
local function mention_of(scene, names)
  local m = { objects = {}, relation = names.relation and #scene.objects == 2 or false,
    background = names.background or false }
  for i = 1, #scene.objects do
    m.objects[i] = {}
    for _, name in ipairs(OF_OBJECT) do m.objects[i][name] = names[name] or false end
  end
  return m
end

local function flags(where, t, known)
  check.type("caption", 2, where, t, "table")
  for key, value in next, t do
    if not known[key] then check.fail("caption", 2, "%s: unknown attribute %s", where, check.describe(key)) end
    check.type("caption", 2, where .. "." .. key, value, "boolean|nil")
  end
  return t
end

local OBJECT_KEYS = {}
for _, name in ipairs(OF_OBJECT) do OBJECT_KEYS[name] = true end

-- An exact mention, as the datasets keep them.
local function exact(scene, mention)
  for key in next, mention do
    if key ~= "objects" and key ~= "relation" and key ~= "background" then
      check.fail("caption", 2, "mention: unknown key %s", check.describe(key))
    end
  end
  local m = { objects = {}, relation = check.type("caption", 2, "mention.relation", mention.relation, "boolean|nil"),
    background = check.type("caption", 2, "mention.background", mention.background, "boolean|nil") }
  check.type("caption", 2, "mention.objects", mention.objects, "table")
  for i = 1, #scene.objects do
    m.objects[i] = flags("mention.objects[" .. i .. "]", mention.objects[i] or {}, OBJECT_KEYS)
  end
  m.relation = m.relation and #scene.objects == 2 or false
  return m
end

--- Turns what a person may write for `mention` into a full mention table.
function caption.mention(scene, mention, g)
  if mention == "random" then return caption.random_mention(scene, g) end
  if mention == "none" then return mention_of(scene, {}) end
  if mention == "all" then return mention_of(scene, KNOWN) end
  if KNOWN[mention] then return mention_of(scene, { [mention] = true }) end
  if type(mention) == "string" then
    check.fail("caption", 2, 'mention: expected "all", "none", "random" or an attribute, got %s',
      check.describe(mention))
  end
  check.type("caption", 2, "mention", mention, "table|string")
  if mention.objects then return exact(scene, mention) end
  local names = {}
  for i, name in ipairs(mention) do
    if not KNOWN[name] then
      check.fail("caption", 2, "mention[%d]: expected one of %s, got %s", i, table.concat(caption.attributes, ", "),
        check.describe(name))
    end
    names[name] = true
  end
  for key in next, mention do
    if math.type(key) ~= "integer" or key < 1 or key > #mention then
      check.fail("caption", 2, "mention: expected a list of attributes, got key %s", check.describe(key))
    end
  end
  return mention_of(scene, names)
end

-- "a large striped red star at the top"
local function noun(o, m)
  local parts = {}
  if m.size then parts[#parts + 1] = o.size end
  if m.texture then parts[#parts + 1] = o.texture end
  if m.colour then parts[#parts + 1] = o.colour end
  parts[#parts + 1] = m.shape and o.shape or "shape"
  local words = table.concat(parts, " ")
  local text = (words:find "^[aeiou]" and "an " or "a ") .. words
  if m.position then
    local side = o.position
    text = text .. (side == "centre" and " in the " or (side == "left" or side == "right") and " on the " or " at the ")
      .. side
  end
  return text
end

--- Says what `m` mentions. `way(n)` chooses one of n ways to say a thing.
-- @tparam table scene
-- @tparam table m as caption.mention returns it
-- @tparam function way
-- @treturn string empty when nothing is mentioned
function caption.write(scene, m, way)
  local a, b = scene.objects[1], scene.objects[2]
  local ma, mb = m.objects[1] or {}, m.objects[2] or {}
  local text
  if m.relation and b then
    local relation = scene.relation
    if relation:find " of$" and way(2) == 2 then relation = "to the " .. relation end
    text = noun(a, ma) .. " " .. relation .. " " .. noun(b, mb)
  else
    local first, second = a and some(ma) and noun(a, ma), b and some(mb) and noun(b, mb)
    if first and second and way(2) == 2 then first, second = second, first end
    text = first and second and first .. " and " .. second or first or second or ""
  end
  if not m.background then return text end
  if text == "" then return scene.background end
  return text .. (way(2) == 1 and ", " .. scene.background or " " .. PLACES[scene.background])
end

return caption
