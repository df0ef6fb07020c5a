--- Which half of an example a coupling looks at, and which it changes (Dinh et al. 2017, arXiv 1605.08803, 3.4).
-- @module laterna.flow.mask
local check = require "laterna.check"
local core = require "laterna.core"

local mask = { kinds = { "channel", "checkerboard" } }

local Channel, Checkerboard = {}, {}
Channel.__index, Checkerboard.__index = Channel, Checkerboard

-- The first channels are seen and the others changed; or with flip the other way round.
function Channel:split(x)
  local first, second = x:split({ self.first, self.c - self.first }, x:dim())
  if self.flip then return second, first end
  return first, second
end

function Channel:join(seen, changed)
  return core.cat(self.flip and { changed, seen } or { seen, changed }, seen:dim())
end

function Channel:kept(logs) return logs end

-- 1 at the places that are seen: those where row + column is even, from 0; of a vector, the even coordinates.
local function places(x, flip)
  local odd
  if x:dim() == 4 then
    local h, w = x:size(2), x:size(3)
    odd = (core.arange(0, h - 1):view(h, 1) + core.arange(0, w - 1)):view(1, h, w, 1)
  else
    odd = core.arange(0, x:size(2) - 1):view(1, -1)
  end
  odd = odd - (odd * 0.5):floor() * 2
  return flip and odd or 1 - odd
end

-- Both are of the whole shape: what is seen has zeros where it is not.
function Checkerboard:split(x)
  return x * places(x, self.flip), x
end

function Checkerboard:join(seen, changed)
  return core.where(places(seen, self.flip), seen, changed)
end

function Checkerboard:kept(logs)
  return logs * (1 - places(logs, self.flip))
end

--- A mask for examples of c channels: seen, changed = m:split(x); x = m:join(seen, changed); m:kept(logs), the
-- log-derivatives of what is changed, zero elsewhere; m.inputs and m.outputs, how many channels are seen and changed.
-- @tparam string fname the coupling, for messages
-- @tparam integer c
-- @tparam string kind "channel" or "checkerboard"
-- @tparam boolean flip look at the other half
-- @treturn table
function mask.new(fname, c, kind, flip)
  check.integer(fname, 1, "channels", c, 1)
  check.one_of(fname, 2, "mask", kind, mask.kinds)
  if kind == "checkerboard" then return setmetatable({ flip = flip, inputs = c, outputs = c }, Checkerboard) end
  if c < 2 then check.fail(fname, 1, "channels: expected at least 2 for a channel mask, got %d", c) end
  local first = (c + 1) // 2
  local seen = flip and c - first or first
  return setmetatable({ c = c, first = first, flip = flip, inputs = seen, outputs = c - seen }, Channel)
end

return mask
