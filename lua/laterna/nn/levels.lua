--- What networks with levels share, each level at half the side of the one before: their options, and the way down and
-- up. Critics, generators and U-Nets say a factor a level (`multipliers`); the coders of pictures say how many levels
-- there are, and each doubles the width.
-- @module laterna.nn.levels
local check = require "laterna.check"
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local norm = require "laterna.nn.norm"
local pair = require "laterna.nn.pair"
local resblock = require "laterna.nn.resblock"

local levels = {}

local LARGEST = 1 << 16
local HALF = { stride = 2, padding = 1 }

local function is_count(v, min)
  return type(v) == "number" and math.tointeger(v) ~= nil and v >= min and v <= 4096
end

--- For check.options: a list of integers from `min`, or, where `single`, one integer for all.
-- @tparam integer min
-- @tparam[opt] boolean single
-- @treturn function
function levels.counts(min, single)
  local words = ("a list of integers from %d"):format(min)
  words = single and ("an integer from %d, or %s"):format(min, words) or words
  return function(v)
    local good = type(v) == "table" or single and is_count(v, min)
    for i = 1, type(v) == "table" and rawlen(v) or 0 do good = good and is_count(rawget(v, i), min) end
    return good, words
  end
end

--- What `counts` checked as a list of its own, out of reach of the caller and of metamethods.
-- @tparam integer|{integer,...} v
-- @tparam[opt] integer n how long the list is where v is one integer
-- @treturn {integer,...}
function levels.listed(v, n)
  local list = {}
  for i = 1, type(v) == "table" and rawlen(v) or n do
    list[i] = math.tointeger(type(v) == "table" and rawget(v, i) or v)
  end
  return list
end

--- Checks the factors of the levels, one a level, and gives them as a list of its own.
-- @tparam string fname
-- @tparam {integer,...} multipliers as `counts` allows
-- @treturn {integer,...}
function levels.multipliers(fname, multipliers)
  local list = levels.listed(multipliers)
  if #list < 1 or #list > 12 then
    check.fail(fname, 1, "multipliers: expected 1 to 12 levels, got %d", #list)
  end
  return list
end

--- The options of critics and generators, for check.options.
levels.options = {
  size = { pair.rule(1), 28 }, channels = { "integer", 1, min = 1 }, width = { "integer", 32, min = 1 },
  multipliers = { levels.counts(1), { 1, 2, 4 } }, blocks = { levels.counts(0, true), 1 },
}

--- Tables of options as one.
-- @tparam table ... options by name
-- @treturn table
function levels.joined(...)
  local known = {}
  for _, options in ipairs { ... } do
    for key, rule in next, options do known[key] = rule end
  end
  return known
end

--- Makes lists of what was checked: `widths`, `blocks` and `sides`, one a level, the largest first.
-- @tparam string fname
-- @tparam table o as check.options gave it
-- @tparam[opt=0] integer extra halvings after the last level
function levels.read(fname, o, extra)
  local multipliers = levels.multipliers(fname, o.multipliers)
  local count = #multipliers
  o.blocks = levels.listed(o.blocks, count)
  if #o.blocks ~= count then
    check.fail(fname, 1, "blocks: expected one number for each of %d levels, got %d", count, #o.blocks)
  end
  o.size, o.widths, o.sides = pair.split(o.size), {}, {}
  if math.max(o.size[1], o.size[2]) > LARGEST then
    check.fail(fname, 1, "size: expected sides of at most %d, got %s", LARGEST, pair.text(o.size))
  end
  local side = o.size
  for level = 1, count + (extra or 0) do
    if level <= count then o.widths[level] = multipliers[level] * o.width end
    o.sides[level] = side
    if level > 1 and math.min(o.sides[level - 1][1], o.sides[level - 1][2]) < 2 then
      check.fail(fname, 1, "size: %s cannot be halved %d times", pair.text(o.size), count + (extra or 0) - 1)
    end
    side = { (side[1] + 1) // 2, (side[2] + 1) // 2 }
  end
end

--- Half the size, rounded up, bilinearly: the mean of four where the sides are even.
-- @tparam Tensor x (n,h,w,c)
-- @treturn Tensor (n,(h+1)//2,(w+1)//2,c)
function levels.halve(x)
  local h, w = x:size(2), x:size(3)
  if h % 2 == 0 and w % 2 == 0 then return core.avg_pool2d(x, 2) end
  return core.resize_bilinear(x, { (h + 1) // 2, (w + 1) // 2 })
end

--- The options that the coders of pictures share, for check.options.
levels.coder_options = {
  channels = { "integer", 1, min = 1 }, width = { "integer", 32, min = 1 },
  levels = { "integer", 2, min = 0, max = 8 }, blocks = { "integer", 1, min = 1, max = 256 },
  text = { "integer", 0, min = 0 },
}

--- The options of a coder, which is called with one table; or, as before, with sizes and then a table in which `text`
-- was called `condition`: PictureDecoder(16, 1, { condition = 64 }) is PictureDecoder { detail = 16, channels = 1,
-- text = 64 }.
-- @tparam string fname
-- @tparam {string,...} names of the sizes, in their old order
-- @param ... what the coder was called with
-- @treturn ?table options, not checked
-- @treturn integer which argument they are, for messages
function levels.coder_arguments(fname, names, ...)
  local first = ...
  if type(first) ~= "number" then return first, 1 end
  local place, options = #names + 1, {}
  local rest = check.type(fname, place, "options", (select(place, ...)), "table|nil")
  for key, v in next, rest or {} do options[key] = v end
  if options.text == nil then options.text, options.condition = options.condition, nil end
  for i, name in ipairs(names) do options[name] = check.integer(fname, i, name, (select(i, ...)), 1) end
  return options, place
end

--- The side of a coder's smallest feature map; an error where the size cannot be halved once a level.
-- @tparam string fname
-- @tparam integer i which argument the options are
-- @tparam table o size, levels
-- @treturn integer
function levels.smallest_side(fname, i, o)
  if o.size % (1 << o.levels) ~= 0 then
    check.fail(fname, i, "size: %d cannot be halved %d times", o.size, o.levels)
  end
  return o.size >> o.levels
end

local function row_of_blocks(width, count, film)
  local row = {}
  for i = 1, count do row[i] = resblock.ResBlock(width, width, { condition = film }) end
  return row
end

local function run(blocks, h, c)
  for _, block in ipairs(blocks) do h = block(h, c) end
  return h
end

--- Gives a module the levels on the way down, in its fields `down` and `blocks`: a convolution that halves the side and
-- doubles the width, then residual blocks.
-- @tparam module self
-- @tparam integer width at full size
-- @tparam table o levels, blocks
-- @tparam ?integer film size of the vector that scales and shifts in the blocks; nil for none
-- @treturn integer the width at the smallest size
function levels.add_down(self, width, o, film)
  self.down, self.blocks = {}, {}
  for level = 1, o.levels do
    self.down[level] = conv.Conv2d(width, 2 * width, 4, HALF)
    width = 2 * width
    self.blocks[level] = row_of_blocks(width, o.blocks, film)
  end
  return width
end

--- Goes down the levels that add_down made.
-- @tparam module self
-- @tparam Tensor h (n,h,w,width)
-- @tparam ?Tensor c (n,film)
-- @treturn Tensor (n,h/2^levels,w/2^levels,width 2^levels)
function levels.run_down(self, h, c)
  for level, down in ipairs(self.down) do h = run(self.blocks[level], down(h), c) end
  return h
end

--- Gives a module the levels on the way up, in its fields `blocks` and `up`: residual blocks, then a convolution that
-- doubles the side and halves the width.
-- @tparam module self
-- @tparam integer width at full size
-- @tparam table o levels, blocks
-- @tparam ?integer film size of the vector that scales and shifts in the blocks; nil for none
function levels.add_up(self, width, o, film)
  width = width << o.levels
  self.blocks, self.up = {}, {}
  for level = 1, o.levels do
    self.blocks[level] = row_of_blocks(width, o.blocks, film)
    self.up[level] = conv.ConvTranspose2d(width, width // 2, 4, HALF)
    width = width // 2
  end
end

--- Goes up the levels that add_up made.
-- @tparam module self
-- @tparam Tensor h (n,h,w,width 2^levels)
-- @tparam ?Tensor c (n,film)
-- @treturn Tensor (n,h 2^levels,w 2^levels,width)
function levels.run_up(self, h, c)
  for level, up in ipairs(self.up) do h = up(run(self.blocks[level], h, c)) end
  return h
end

--- The norm and activation before a last layer.
-- @tparam integer width
-- @treturn module
function levels.last_norm(width)
  return norm.GroupNorm(resblock.groups_of(width), width, { activation = "silu" })
end

return levels
