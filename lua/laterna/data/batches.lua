--- An iterator over batches of a data set. Its place is three numbers: seed, epoch, position; the order of an epoch
-- and the chances of a batch come from generators seeded by these, so nothing else has to be saved.
-- @classmod laterna.data.Batches
local augment = require "laterna.data.augment"
local check = require "laterna.check"
local core = require "laterna.core"
local seeds = require "laterna.data.seed"
local spelling = require "laterna.spelling"

local derive = seeds.derive

local LONGEST_EPOCH <const> = 1 << 24 -- a list in Lua's memory

local Batches = {}
Batches.__index = Batches
Batches.__name = "laterna.Batches"

local function want_batches(fname, self)
  if getmetatable(self) ~= Batches then
    error(("calling '%s' on bad self (expected batches, got %s)"):format(fname, check.describe(self)), 3)
  end
end

-- The numbers of the pictures, each as often as an epoch shows it; nil where that is once.
local function repeated(ds)
  if not ds.repeats then return nil end
  local list, total = {}, 0
  for i = 1, #ds do
    total = total + check.integer("batches", nil, ("repeats[%d]"):format(i), ds.repeats[i], 0, LONGEST_EPOCH)
  end
  if total > LONGEST_EPOCH then
    check.fail("batches", nil, "repeats: an epoch of %d pictures; at most %d, or repeats = false", total, LONGEST_EPOCH)
  end
  for i = 1, #ds do
    for _ = 1, ds.repeats[i] do list[#list + 1] = i end
  end
  return list
end

-- The same by class, without classes of which there is no picture.
local function by_class(ds, list)
  local members, out = {}, {}
  local labels = ds.labels:totable()
  for k = 1, list and #list or #ds do
    local i = list and list[k] or k
    members[labels[i]] = members[labels[i]] or {}
    table.insert(members[labels[i]], i)
  end
  for label = 1, #ds.classes do out[#out + 1] = members[label] end
  return out
end

-- An epoch in which each class comes equally often, or once more than another. Of a class every picture comes before
-- one comes again.
local function balanced_order(self, g)
  local list, classes = {}, #self.members
  local lucky = core.randperm(classes, { generator = g }):totable()
  for k, members in ipairs(self.members) do
    local left = self.count // classes + (lucky[k] <= self.count % classes and 1 or 0)
    while left > 0 do
      local order = core.randperm(#members, { generator = g }):totable()
      for i = 1, math.min(left, #members) do list[#list + 1] = members[order[i]] end
      left = left - #members
    end
  end
  return core.tensor(list, { dtype = "int32" }):index(core.randperm(self.count, { generator = g }))
end

local function order_of(self, epoch)
  if self.order_epoch ~= epoch then
    if self.balanced then
      self.order = balanced_order(self, core.generator(derive(self.seed, epoch)))
    elseif self.shuffle then
      self.order = core.randperm(self.count, { generator = core.generator(derive(self.seed, epoch)) })
      if self.expanded then self.order = self.expanded:index(self.order) end
    elseif not self.order then
      self.order = self.expanded or core.arange(1, self.count):int()
    end
    self.order_epoch = epoch
  end
  return self.order
end

-- The captions of a batch. Of several that a picture has one is drawn; the generator is one of its own, so that flips
-- are the same with one caption or ten.
local function captions_of(self, index, seed)
  local ds, out = self.dataset, {}
  local g = ds.all_captions and core.generator(derive(seed, 1))
  for k, i in ipairs(index:totable()) do
    local all = ds.all_captions and ds.all_captions[i]
    out[k] = all and #all > 1 and all[g:integer(1, #all)] or ds.captions[i]
  end
  return out
end

-- What a function of the script makes of a batch.
local function augmented(self, batch, g)
  local x = self.augment(batch.x, g, batch)
  if not check.is_tensor(x) or x:dim() < 1 or #x ~= #batch.x then
    error(("augment: expected a tensor of %d pictures, got %s"):format(#batch.x,
      check.is_tensor(x) and "shape (" .. table.concat(x.shape, ",") .. ")" or check.describe(x)), 0)
  end
  return x
end

--- The next batch, or nil when `epochs` are over.
-- @treturn table|nil
function Batches:next()
  want_batches("next", self)
  if self.position == self.per_epoch then
    if self.epoch == self.epochs then return nil end
    self.epoch, self.position = self.epoch + 1, 0
  end
  local ds, first = self.dataset, self.position * self.size + 1
  local last = math.min(first + self.size - 1, self.count)
  local index = order_of(self, self.epoch)[{ first, last }]
  local seed = derive(derive(self.seed, self.epoch), 1 + self.position)
  local changes, g = self.changes, (self.changes.flip or self.augment) and core.generator(seed)
  local batch = { index = index, captions = captions_of(self, index, seed) }
  local flips = changes.flip and augment.flips(changes, g, batch.captions) or nil
  batch.x = augment.apply(changes, core.gather_pictures(ds.images, index, flips), seed)
  if ds.labels then batch.labels = ds.labels:index(index) end
  if self.augment then batch.x = augmented(self, batch, g) end
  self.position = self.position + 1
  return batch
end

function Batches:__call() return self:next() end

-- What has to agree between the iterator that was saved and the one that goes on.
local function make(self)
  local s = self.dataset.images.shape
  local order = self.balanced and ", balanced" or self.shuffle and ", shuffled" or ""
  return ("%d pictures of %dx%dx%d%s, batches of %d%s%s%s"):format(s[1], s[2], s[3], s[4],
    self.count ~= s[1] and (" repeated to %d"):format(self.count) or "", self.size, order,
    self.drop_last and ", last dropped" or "", augment.describe(self.changes))
end

--- The place in the sequence, as strings by name: `seed`, `epoch`, `position`, `make`.
-- @treturn table
function Batches:state()
  want_batches("state", self)
  return { seed = tostring(self.seed), epoch = tostring(self.epoch), position = tostring(self.position),
    make = make(self) }
end

-- A number of a state: written as text, or an integer.
local function read(state, key, min, max)
  local v = state[key]
  local n = type(v) == "string" and v:find "^%-?%d+$" and math.tointeger(tonumber(v))
  return check.integer("load_state", 1, "state." .. key, n or math.type(v) == "integer" and v or nil, min, max)
end

--- The first half of load_state: checks a place and changes nothing.
-- @tparam table state from `state()`
-- @treturn function that goes there, and cannot fail
function Batches:prepare_state(state)
  want_batches("prepare_state", self)
  check.type("load_state", 1, "state", state, "table")
  check.only("load_state", 1, "state", state, "seed", "epoch", "position", "make")
  if state.make ~= make(self) then
    check.fail("load_state", 1, "state: expected %s, got %s", make(self), tostring(state.make))
  end
  local seed, epoch = read(state, "seed"), read(state, "epoch", 1, self.epochs or 1 << 53)
  local position = read(state, "position", 0, self.per_epoch)
  return function() self.seed, self.epoch, self.position, self.order_epoch = seed, epoch, position, nil end
end

--- Goes to a saved place. The data set and the options must be what they were.
-- @tparam table state from `state()`
function Batches:load_state(state)
  want_batches("load_state", self)
  self:prepare_state(state)()
end

setmetatable(Batches, { __index = spelling.methods("batches", Batches) })

local function is_augment(v)
  return type(v) == "table" or check.is(v, "callable"), "a table of changes, or a function"
end

local KNOWN = {
  seed = "integer", generator = check.is_generator, shuffle = { "boolean", true }, drop_last = { "boolean", true },
  epochs = { "integer", nil, min = 1 }, flip = { "boolean", false }, augment = is_augment,
  balanced = { "boolean", false }, repeats = { "boolean", true },
}

-- How many pictures an epoch shows, and which.
local function plan(self, ds)
  local list = self.repeats and repeated(ds) or nil
  self.count = list and #list or #ds
  if not self.balanced then
    self.expanded = list and core.tensor(list, { dtype = "int32" })
    return
  end
  if not ds.labels then check.fail("batches", 2, "balanced: the data set has no classes") end
  if not self.shuffle then check.fail("batches", 2, "options: balanced excludes shuffle = false") end
  self.members = by_class(ds, list)
end

return function(ds, size, options)
  check.integer("batches", 1, "size", size, 1, 2 ^ 31 - 1)
  local self = check.options("batches", 2, options, KNOWN)
  if self.seed and self.generator then check.fail("batches", 2, "options: seed and generator exclude each other") end
  local own = check.is(self.augment, "callable") and self.augment or nil
  self.changes, self.augment = augment.read(not own and self.augment or nil, self.flip), own
  self.seed = self.seed or (self.generator or core.default_generator()):integer(0, 0x7fffffff)
  self.generator = nil
  self.dataset, self.size, self.epoch, self.position = ds, math.tointeger(size), 1, 0
  plan(self, ds)
  self.per_epoch = self.drop_last and self.count // size or (self.count + size - 1) // size
  if self.per_epoch == 0 then
    check.fail("batches", 1, "size: %d is more than the %d pictures there are (drop_last)", size, self.count)
  end
  return setmetatable(self, Batches)
end
