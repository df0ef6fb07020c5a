--- Captioned pictures drawn on the spot: one or two objects before a background. Everything that they show is also
-- written down, and the captions mention only a part of it, as captions do.
-- @module laterna.data.scenes
local check = require "laterna.check"
local core = require "laterna.core"
local captions = require "laterna.data.scenes.caption"
local dataset = require "laterna.data.dataset"
local pack = require "laterna.data.scenes.pack"
local sample = require "laterna.data.scenes.sample"
local seeds = require "laterna.data.seed"
local words = require "laterna.data.scenes.words"

local scenes = {}

--- The words that scenes are made of: lists `shapes`, `colours`, `sizes`, `textures`, `backgrounds`, `relations` and
-- `positions`; `words.rgb` and `words.radius` give their measures.
scenes.words = words

local function first_way() return 1 end

local function ways(g)
  return function(n) return g:integer(1, n) end
end

local function draw_rows(rows, n, size, channels)
  return core.draw_scenes(core.from_string(rows, { n, pack.columns }, { dtype = "float32" }), size, channels)
end

-- A list of n whose items are made when they are first looked at. A large set has millions of small tables to tell
-- about its scenes; while nobody asks, the garbage collector need not walk through them in every step of a training.
-- Nor when a training asks all the time: list(i) makes an item anew, and nothing keeps it.
local function on_demand(n, make)
  return setmetatable({}, {
    __len = function() return n end,
    __call = function(_, i) return make(check.integer("dataset", 1, "i", i, 1, n)) end,
    __index = function(list, i)
      if math.type(i) ~= "integer" or i < 1 or i > n then return nil end
      list[i] = make(i)
      return rawget(list, i)
    end,
  })
end

--- Draws scenes from their attributes: a list such as `dataset.attributes`, or one written or changed by hand. An
-- object needs `shape`, `texture`, `x`, `y`, `size` (or `radius`) and `colour` (or `rgb`).
-- @tparam table list of attribute tables
-- @tparam[opt] table options `size` (32; 8 to 512) and `channels` (3, or 1 for luminance)
-- @treturn Tensor (n,size,size,channels) uint8
function scenes.draw(list, options)
  check.type("draw", 1, "scenes", list, "table")
  local o = check.options("draw", 2, options, {
    size = { "integer", 32, min = 8, max = 512 }, channels = { "integer", 3, one_of = { 1, 3 } },
  })
  if #list == 0 then check.fail("draw", 1, "scenes: expected a list of attribute tables, got an empty one") end
  for i, scene in ipairs(list) do pack.check("draw", "scenes[" .. i .. "]", scene) end
  return draw_rows(pack.rows(list), #list, o.size, o.channels)
end

local function want_words(fname, where, scene)
  check.type(fname, 1, where, scene, "table")
  check.one_of(fname, 1, where .. ".background", scene.background, words.backgrounds)
  local objects = check.type(fname, 1, where .. ".objects", scene.objects, "table")
  for i, o in ipairs(objects) do
    local name = where .. ".objects[" .. i .. "]"
    check.type(fname, 1, name, o, "table")
    for key, list in pairs { shape = "shapes", colour = "colours", size = "sizes", texture = "textures",
      position = "positions" } do
      check.one_of(fname, 1, name .. "." .. key, o[key], words[list])
    end
  end
  if #objects > 1 then check.one_of(fname, 1, where .. ".relation", scene.relation, words.relations) end
end

--- Writes a caption of a scene.
-- @tparam table scene its attributes
-- @tparam[opt] table options `mention`: "all" (the default), "none" (an empty caption), one attribute or a list of
-- them ("shape", "colour", "size", "texture", "position", "relation", "background"), "random" (a part of them, as in
-- the data set; needs `generator`), or a mention table as in `dataset.mentions`; `generator`: also varies the wording
-- @treturn string caption
-- @treturn table what it mentions: `objects` (a table attribute -> boolean for each), `relation`, `background`
function scenes.caption(scene, options)
  want_words("caption", "scene", scene)
  local o = check.options("caption", 2, options, {
    mention = { "string|table", "all" }, generator = check.is_generator,
  })
  if o.mention == "random" and not o.generator then check.fail("caption", 2, "option generator is missing") end
  local m = captions.mention(scene, o.mention, o.generator)
  return captions.write(scene, m, o.generator and ways(o.generator) or first_way), m
end

local function choice_of(kind)
  return { function(v)
    if type(v) ~= "table" or #v == 0 then return false, "a list of " .. kind end
    local known = {}
    for _, w in ipairs(words[kind]) do known[w] = true end
    for _, w in ipairs(v) do
      if not known[w] then return false, "a list out of " .. table.concat(words[kind], ", ") end
    end
    return true
  end, words[kind] }
end

local KNOWN = {
  n = { "integer", required = true, min = 1, max = 2 ^ 31 - 1 },
  size = { "integer", 32, min = 8, max = 512 },
  channels = { "integer", 3, one_of = { 1, 3 } },
  seed = { "integer", 0 },
  first = { "integer", 1, min = 1, max = 2 ^ 31 },
  objects = { "integer", nil, min = 1, max = 2 },
}
for _, kind in ipairs { "shapes", "colours", "sizes", "textures", "backgrounds" } do
  KNOWN[kind] = choice_of(kind)
end

--- A data set of scenes. Scene i depends on the seed, on i and on the choice of words only, so a longer set begins
-- with the shorter one, and the same scenes come at any size.
-- @function scenes
-- @tparam table options `n` (needed); `size` (32; 8 to 512), `channels` (3, or 1 for luminance), `seed` (0), `first`
-- (1: number of the first scene; a test set starts where the training set ends), `objects` (1 or 2; either by
-- default), and lists to choose from: `shapes`, `colours`, `sizes`, `textures`, `backgrounds`
-- @treturn Dataset with `attributes` (a table for each picture: `background`, `seed`, `objects` with `shape`, `colour`,
-- `size`, `texture`, `position`, `x`, `y`, `radius`, `angle`, `rgb`; of two objects `relation`: the first is `relation`
-- the second) and `mentions` (what the caption tells of these, as scenes.caption returns it); items of both are made
-- when they are first looked at, and then stay; `dataset.attributes(i)` and `dataset.mentions(i)`, which also
-- gives the attributes, make such that are not kept, for trainings that ask in every step
local function new(_, options)
  local o = check.options("scenes", 1, options, KNOWN)
  for kind, list in pairs(o) do
    if type(list) == "table" then o[kind] = table.move(list, 1, #list, 1, {}) end -- the caller may change it later
  end
  local g = core.generator(0)
  local way = ways(g)
  local function attributes(i)
    g:seed(seeds.derive(o.seed, o.first - 1 + i))
    return sample(g, o)
  end
  local function mention(i)
    local scene = attributes(i)
    return captions.random_mention(scene, g), scene
  end
  local rows, text = {}, {}
  for i = 1, o.n do
    local m, scene = mention(i)
    rows[i], text[i] = pack.rows { scene }, captions.write(scene, m, way)
  end
  return dataset.new { images = draw_rows(table.concat(rows), o.n, o.size, o.channels), captions = text,
    lists = { attributes = on_demand(o.n, attributes), mentions = on_demand(o.n, mention) } }
end

return setmetatable(scenes, { __call = new })
