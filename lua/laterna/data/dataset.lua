--- Pictures in memory as bytes, with what is known about each: the object behind every function of laterna.data.
-- Fields: `images` (n,h,w,c) uint8, `captions` (a list of strings), where there are classes `labels` (n) int32 from 1
-- and `classes` (their names), and for each picture whatever else the source knows (`attributes`, `mentions`, `names`).
-- Where pictures have several captions, `captions` holds the first of each and `all_captions` a list for each; where an
-- epoch shows some more often than others, `repeats` says how often.
-- @classmod laterna.data.Dataset
local batches = require "laterna.data.batches"
local check = require "laterna.check"
local core = require "laterna.core"
local derive = require("laterna.data.seed").derive
local joined = require "laterna.data.join"
local mapped = require "laterna.data.map"
local spelling = require "laterna.spelling"

local methods = {}
local field = spelling.methods("a data set", methods)
local meta = { __name = "laterna.Dataset" }

function meta.__len(self) return self.images:size(1) end

local function item(self, i)
  if i < 1 or i > #self then return nil end
  local out = { x = core.gather_pictures(self.images, core.tensor({ i }, { dtype = "int32" }))[1], index = i,
    caption = self.captions[i] }
  if self.labels then out.label = self.labels[i]:item() end
  for name in pairs(self.lists) do out[name] = self[name][i] end
  return out
end

-- ds[i] -> { x = (h,w,c) float32 in -1 .. 1, caption =, index =, label =, attributes = ... }; past the end nil.
function meta.__index(self, key)
  if math.type(key) == "integer" then return item(self, key) end
  local method = methods[key]
  if method ~= nil then return method end
  return field(self, key)
end

function meta.__tostring(self)
  local s = self.images.shape
  local text = ("Dataset: %d pictures of %dx%dx%d"):format(s[1], s[2], s[3], s[4])
  return self.classes and text .. (", %d classes"):format(#self.classes) or text
end

local function want_dataset(fname, self)
  if getmetatable(self) ~= meta then
    error(("calling '%s' on bad self (expected dataset, got %s)"):format(fname, check.describe(self)), 3)
  end
end

-- Makes a data set; `lists` holds what else is known of each picture, by name.
local function new(t)
  local self = { images = t.images, captions = t.captions, labels = t.labels, classes = t.classes, lists = {},
    report = t.report }
  for name, list in pairs(t.lists or {}) do
    self.lists[name] = true
    self[name] = list
  end
  return setmetatable(self, meta)
end

-- The pictures of a list of numbers, as a data set of its own.
local function take(self, index)
  local ids = core.tensor(index, { dtype = "int32" })
  local part = { images = core.take_pictures(self.images, ids), captions = {}, classes = self.classes, lists = {} }
  for k, i in ipairs(index) do part.captions[k] = self.captions[i] end
  for name in pairs(self.lists) do
    local list = {}
    for k, i in ipairs(index) do list[k] = self[name][i] end
    part.lists[name] = list
  end
  if self.labels then part.labels = self.labels:index(ids) end
  return new(part)
end

--- Some of the pictures, copied into a data set of their own.
-- @function subset
-- @tparam integer|table first number of the first picture, or a list of numbers
-- @tparam[opt] integer last number of the last picture (with a number for `first`)
-- @treturn Dataset
function methods:subset(first, last)
  want_dataset("subset", self)
  local index = {}
  if type(first) == "table" then
    check.type("subset", 1, "first", first, "table")
    if last ~= nil then check.fail("subset", 2, "last: expected nil after a list, got %s", check.describe(last)) end
    for k = 1, #first do index[k] = check.integer("subset", 1, "index[" .. k .. "]", first[k], 1, #self) end
  else
    check.integer("subset", 1, "first", first, 1, #self)
    check.integer("subset", 2, "last", last, first, #self)
    for i = first, last do index[#index + 1] = i end
  end
  if #index == 0 then check.fail("subset", 1, "index: expected at least one picture, got an empty list") end
  return take(self, index)
end

--- Two data sets that share no picture, chosen at random; each keeps the order of the whole. The same seed chooses the
-- same pictures.
-- @function split
-- @tparam number fraction of the pictures that go to the first, between 0 and 1
-- @tparam[opt=0] integer|table seed or `{ seed = }`
-- @treturn Dataset
-- @treturn Dataset
function methods:split(fraction, seed)
  want_dataset("split", self)
  check.number("split", 1, "fraction", fraction, 0, 1)
  if type(seed) == "table" then seed = check.options("split", 2, seed, { seed = { "integer", 0 } }).seed end
  seed = check.integer("split", 2, "seed", seed or 0)
  local count = math.floor(#self * fraction + 0.5)
  if count == 0 or count == #self then
    check.fail("split", 1, "fraction: %s of %d pictures would leave one part empty", fraction, #self)
  end
  local order = core.randperm(#self, { generator = core.generator(derive(seed, 0)) }):totable()
  local chosen = {}
  for k = 1, count do chosen[order[k]] = true end
  local a, b = {}, {}
  for i = 1, #self do
    local part = chosen[i] and a or b
    part[#part + 1] = i
  end
  return take(self, a), take(self, b)
end

--- The pictures for which a function says yes, copied into a data set of their own.
-- @function filter
-- @tparam function f `f(item, i)`, where the item is what `set[i]` gives
-- @treturn Dataset
function methods:filter(f)
  want_dataset("filter", self)
  check.type("filter", 1, "f", f, "callable")
  local index = {}
  for i = 1, #self do
    if f(item(self, i), i) then index[#index + 1] = i end
  end
  if #index == 0 then check.fail("filter", 1, "f: it left none of the %d pictures", #self) end
  return take(self, index)
end

--- A data set of what a function makes of each picture.
-- @function map
-- @tparam function f `f(item, i) -> item`, where the item is what `set[i]` gives: `x` (h,w,c) float32 in -1 .. 1,
-- `caption`, `label` and what else is known. What it returns, the same table or another, has an `x`, which is rounded
-- to bytes (clamped to -1 .. 1), or uint8, of one shape for all; a `caption`; and a `label` where the set has classes
-- @treturn Dataset
function methods:map(f)
  want_dataset("map", self)
  check.type("map", 1, "f", f, "callable")
  return new(mapped(self, f, item))
end

--- Every caption of every picture, in order: what a text encoder has to know.
-- @function texts
-- @treturn {string,...}
function methods:texts()
  want_dataset("texts", self)
  local out = {}
  for i, caption in ipairs(self.captions) do
    for _, text in ipairs(self.all_captions and self.all_captions[i] or { caption }) do out[#out + 1] = text end
  end
  return out
end

--- The pictures of this data set, and then those of others: see laterna.data.concat.
-- @function concat
-- @tparam Dataset ... others
-- @treturn Dataset
function methods:concat(...)
  want_dataset("concat", self)
  local sets = table.pack(self, ...)
  for k = 2, sets.n do
    if getmetatable(sets[k]) ~= meta then
      check.fail("concat", k - 1, "set: expected dataset, got %s", check.describe(sets[k]))
    end
  end
  return new(joined(sets))
end

--- Batches for training. Each batch is a table: `x` (b,h,w,c) float32 in -1 .. 1, `captions`, `index` (b) int32 and,
-- where there are classes, `labels` (b) int32. Of several captions of a picture one is drawn each time. Two ways to
-- read: `for batch in it do` and `it:next()`.
--
-- What comes depends on the seed, the options and the place only: `it:state()` is a small table of strings, and
-- `it:load_state(s)` on an iterator made alike continues with the very same batches. `it.per_epoch` is the number of
-- batches in an epoch, `it.epoch` and `it.position` tell the place.
-- @function batches
-- @tparam integer size pictures in a batch
-- @tparam[opt] table options
-- @tparam[opt] integer options.seed decides order, flips and augmentation; without it (and without `generator`) it is
-- drawn from the default generator
-- @tparam[opt] Generator options.generator draws the seed instead; used once
-- @tparam[opt=true] boolean options.shuffle a new order each epoch
-- @tparam[opt=true] boolean options.drop_last leave out the last, smaller batch of an epoch
-- @tparam[opt] integer options.epochs stop after so many; without it batches never end
-- @tparam[opt=false] boolean options.balanced show each class equally often; an epoch is as long as without
-- @tparam[opt=true] boolean options.repeats show pictures as often as `set.repeats` says, where it does
-- @tparam[opt=false] boolean options.flip mirror half of the pictures, chosen at random; not those whose caption says
-- left or right, see `sides`
-- @tparam[opt] table|function options.augment changes of pictures, drawn anew for each; or a function
-- `augment(x, generator, batch) -> x`, where the generator belongs to the batch. A table has any of
--
--  - flip: as above
--  - shift=0 (to 0.5): moved by up to so much of its width and height, either way
--  - scale=0 (to 0.5): larger or smaller about its middle, by a factor from 1 - scale to 1 + scale
--  - rotate=0 (to 180): turned by up to so many degrees, either way
--  - colour=0 (to 1): brightness by up to colour / 2 of the numbers in -1 .. 1, saturation by a factor of 1 - colour to
--    1 + colour, contrast by half of that; hues stay, so that captions with colours stay true
--  - sides={"left", "right", "leftmost", "rightward", ...}: words; a picture is not mirrored where its caption has one.
--    A list for captions in other languages: `sides = { "links", "rechts" }`; `{}` mirrors whatever captions say
--
-- A moved picture is interpolated bilinearly; outside its edge goes on. Of 2 and 4 channels the last is alpha: nothing
-- lies outside, colours count by their alpha, colour changes leave alpha alone, and where it is 0 all channels are -1.
-- @treturn Batches
function methods:batches(size, options)
  want_dataset("batches", self)
  return batches(self, size, options)
end

--- Is this a data set?
-- @param v anything
-- @treturn boolean
local function is(v) return getmetatable(v) == meta end

return { new = new, is = is }
