--- Sizes in two directions: a number for both, or {height, width}.
-- @module laterna.nn.pair
local check = require "laterna.check"

local pair = {}

local function wrong(v, min)
  if math.type(v) == "float" then v = math.tointeger(v) end
  return math.type(v) ~= "integer" or v < min
end

local function misfit(v, min)
  if type(v) ~= "table" then return wrong(v, min) end
  return #v ~= 2 or wrong(v[1], min) or wrong(v[2], min)
end

local function words(min)
  return ("an integer of at least %d, or a pair {height, width} of them"):format(min)
end

local function split(v)
  if type(v) == "table" then return { math.tointeger(v[1]), math.tointeger(v[2]) } end
  return { math.tointeger(v), math.tointeger(v) }
end

--- Checks an argument and returns {height, width}.
-- @tparam string fname
-- @tparam integer i
-- @tparam string name
-- @param v
-- @tparam integer min
-- @treturn {integer,integer}
function pair.check(fname, i, name, v, min)
  if misfit(v, min) then check.fail(fname, i, "%s: expected %s, got %s", name, words(min), check.describe(v)) end
  return split(v)
end

--- A rule for check.options.
-- @tparam integer min
-- @treturn function
function pair.rule(min)
  return function(v) return not misfit(v, min), words(min) end
end

--- {height, width} of a checked option.
pair.split = split

--- "3" for {3, 3}, "3x5" for {3, 5}.
-- @tparam {integer,integer} v
-- @treturn string
function pair.text(v)
  return v[1] == v[2] and tostring(v[1]) or v[1] .. "x" .. v[2]
end

return pair
