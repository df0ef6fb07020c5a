--- An iterator over batches of a data set. Its place is three numbers: seed, epoch, position; the order of an epoch
-- and the chances of a batch come from generators seeded by these, so nothing else has to be saved.
-- @classmod laterna.data.Batches
local check = require "laterna.check"
local core = require "laterna.core"
local seeds = require "laterna.data.seed"
local spelling = require "laterna.spelling"

local derive = seeds.derive

local Batches = {}
Batches.__index = Batches
Batches.__name = "laterna.Batches"

local function want_batches(fname, self)
  if getmetatable(self) ~= Batches then
    error(("calling '%s' on bad self (expected batches, got %s)"):format(fname, check.describe(self)), 3)
  end
end

local function order_of(self, epoch)
  if self.order_epoch ~= epoch then
    if self.shuffle then
      self.order = core.randperm(#self.dataset, { generator = core.generator(derive(self.seed, epoch)) })
    elseif not self.order then
      self.order = core.arange(1, #self.dataset):int()
    end
    self.order_epoch = epoch
  end
  return self.order
end

-- One byte a picture: 1 to mirror it.
local function flips(g, n)
  local bytes = {}
  for i = 1, n do bytes[i] = g:integer(0, 1) == 1 and "\1" or "\0" end
  return core.from_string(table.concat(bytes), { n }, { dtype = "uint8" })
end

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
  local last = math.min(first + self.size - 1, #ds)
  local index = order_of(self, self.epoch)[{ first, last }]
  local g = (self.flip or self.augment) and core.generator(derive(derive(self.seed, self.epoch), 1 + self.position))
  local batch = { index = index, captions = {} }
  batch.x = core.gather_pictures(ds.images, index, self.flip and flips(g, last - first + 1) or nil)
  for k, i in ipairs(index:totable()) do batch.captions[k] = ds.captions[i] end
  if ds.labels then batch.labels = ds.labels:index(index) end
  if self.augment then batch.x = augmented(self, batch, g) end
  self.position = self.position + 1
  return batch
end

function Batches:__call() return self:next() end

-- What has to agree between the iterator that was saved and the one that goes on.
local function make(self)
  local s = self.dataset.images.shape
  return ("%d pictures of %dx%dx%d, batches of %d%s%s%s"):format(s[1], s[2], s[3], s[4], self.size,
    self.shuffle and ", shuffled" or "", self.drop_last and ", last dropped" or "", self.flip and ", flipped" or "")
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

local KNOWN = {
  seed = "integer", generator = check.is_generator, shuffle = { "boolean", true }, drop_last = { "boolean", true },
  epochs = { "integer", nil, min = 1 }, flip = { "boolean", false }, augment = "callable",
}

return function(ds, size, options)
  check.integer("batches", 1, "size", size, 1, 2 ^ 31 - 1)
  local self = check.options("batches", 2, options, KNOWN)
  if self.seed and self.generator then check.fail("batches", 2, "options: seed and generator exclude each other") end
  self.seed = self.seed or (self.generator or core.default_generator()):integer(0, 0x7fffffff)
  self.generator = nil
  self.dataset, self.size, self.epoch, self.position = ds, math.tointeger(size), 1, 0
  self.per_epoch = self.drop_last and #ds // size or (#ds + size - 1) // size
  if self.per_epoch == 0 then
    check.fail("batches", 1, "size: %d is more than the %d pictures there are (drop_last)", size, #ds)
  end
  return setmetatable(self, Batches)
end
