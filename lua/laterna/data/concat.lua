--- Data sets one after the other.
-- @module laterna.data.concat
local check = require "laterna.check"
local dataset = require "laterna.data.dataset"

--- Joins data sets whose pictures are of one size, in their order. Classes of one name become one class; where a set
-- has no classes the result has none. What else is known of the pictures (`names`, `metadata`) stays where all sets
-- have it.
-- @function concat
-- @tparam {Dataset,...} sets
-- @treturn Dataset
return function(sets)
  check.type("concat", 1, "sets", sets, "table")
  if #sets == 0 then check.fail("concat", 1, "sets: expected a list of data sets, got an empty one") end
  for k = 1, #sets do
    if not dataset.is(sets[k]) then
      check.fail("concat", 1, "sets[%d]: expected dataset, got %s", k, check.describe(sets[k]))
    end
  end
  return sets[1]:concat(table.unpack(sets, 2))
end
