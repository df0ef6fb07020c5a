--- Whether a budget of time is enough for a data set: known once a minute of it has passed, when it costs little to
-- begin again. A set that is seen a few times only is not learned, unless it is large: examples/diffusion.lua learns
-- garments from 256,000 pictures, which are four passes over 60,000; of a few thousand pictures ten passes paint blots,
-- and a hundred are usual.
-- @module laterna.train.pace
local pace = {}

local MINUTES = 1       -- after which the pace is known: the first steps are slower than the others
local PASSES = 10
local ENOUGH = 256000   -- pictures in all, after which nobody counts passes

-- A field that is a positive number, of whatever the data is.
local function field(data, name)
  local v = type(data) == "table" and rawget(data, name)
  return type(v) == "number" and v > 0 and v
end

--- Is it known by now how far the budget will reach?
-- @tparam budget budget
-- @treturn boolean
function pace.is_known(budget) return budget:minutes() >= MINUTES end

--- What there is to say; nil where passes are enough, or where the data does not tell how long an epoch is.
-- @param data the run's: batches of a data set, or another table with `per_epoch`, batches in an epoch, and `size`,
-- pictures in a batch
-- @tparam integer steps that the whole run will have, as it looks
-- @tparam number minutes of the whole run
-- @treturn ?string
function pace.warning(data, steps, minutes)
  local per_epoch, size = field(data, "per_epoch"), field(data, "size")
  if not (per_epoch and size) then return nil end
  local passes = steps / per_epoch
  if passes >= PASSES or steps * size >= ENOUGH then return nil end
  return ("look: at this pace %g minutes are %d steps and show each picture %.1f times; fewer than %d are seldom "
    .. "enough: more minutes, fewer pictures, or a smaller model"):format(minutes, steps, passes, PASSES)
end

return pace
