--- What networks with levels share, each at half the side of the one before: their options, and the way from one level
-- to the next.
-- @module laterna.nn.ladder
local check = require "laterna.check"
local core = require "laterna.core"
local pair = require "laterna.nn.pair"

local ladder = {}
local LARGEST = 1 << 16

local function is_count(v, min)
  return type(v) == "number" and math.tointeger(v) ~= nil and v >= min and v <= 4096
end

--- For check.options: a list of integers from `min`, or, where `single`, one integer for all.
-- @tparam integer min
-- @tparam[opt] boolean single
-- @treturn function
function ladder.counts(min, single)
  local words = ("a list of integers from %d"):format(min)
  words = single and ("an integer from %d, or %s"):format(min, words) or words
  return function(v)
    local good = type(v) == "table" or single and is_count(v, min)
    for i = 1, type(v) == "table" and rawlen(v) or 0 do good = good and is_count(rawget(v, i), min) end
    return good, words
  end
end

-- The numbers of all levels, out of reach of the caller and of metamethods.
local function listed(v, levels)
  local list = {}
  for i = 1, type(v) == "table" and rawlen(v) or levels do
    list[i] = math.tointeger(type(v) == "table" and rawget(v, i) or v)
  end
  return list
end

--- The options that every ladder has, for check.options.
ladder.options = {
  size = { pair.rule(1), 28 }, channels = { "integer", 1, min = 1 }, width = { "integer", 32, min = 1 },
  multipliers = { ladder.counts(1), { 1, 2, 4 } }, blocks = { ladder.counts(0, true), 1 },
}

--- Makes lists of what was checked: `widths`, `blocks` and `sides`, one a level, the largest first.
-- @tparam string fname
-- @tparam table o as check.options gave it
-- @tparam[opt=0] integer extra halvings after the last level
function ladder.read(fname, o, extra)
  local multipliers = listed(o.multipliers, 0)
  local levels = #multipliers
  if levels < 1 or levels > 12 then
    check.fail(fname, 1, "multipliers: expected 1 to 12 levels, got %d", levels)
  end
  o.blocks = listed(o.blocks, levels)
  if #o.blocks ~= levels then
    check.fail(fname, 1, "blocks: expected one number for each of %d levels, got %d", levels, #o.blocks)
  end
  o.size, o.widths, o.sides = pair.split(o.size), {}, {}
  if math.max(o.size[1], o.size[2]) > LARGEST then
    check.fail(fname, 1, "size: expected sides of at most %d, got %s", LARGEST, pair.text(o.size))
  end
  local side = o.size
  for level = 1, levels + (extra or 0) do
    if level <= levels then o.widths[level] = multipliers[level] * o.width end
    o.sides[level] = side
    if level > 1 and math.min(o.sides[level - 1][1], o.sides[level - 1][2]) < 2 then
      check.fail(fname, 1, "size: %s cannot be halved %d times", pair.text(o.size), levels + (extra or 0) - 1)
    end
    side = { (side[1] + 1) // 2, (side[2] + 1) // 2 }
  end
end

--- Half the size, rounded up, bilinearly: the mean of four where the sides are even.
-- @tparam Tensor x (n,h,w,c)
-- @treturn Tensor (n,(h+1)//2,(w+1)//2,c)
function ladder.halve(x)
  local h, w = x:size(2), x:size(3)
  if h % 2 == 0 and w % 2 == 0 then return core.avg_pool2d(x, 2) end
  return core.resize_bilinear(x, { (h + 1) // 2, (w + 1) // 2 })
end

return ladder
