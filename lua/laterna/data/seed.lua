--- Seeds out of seeds. A picture, an epoch or a batch gets a generator of its own, so that it depends on its number
-- and not on what was drawn before it.
-- @module laterna.data.seed
local seed = {}

local MASK = 0xffffffff

-- One-to-one on the 32-bit numbers: two rounds of multiply and xor-shift.
local function scramble(x)
  x = (x ~ x >> 16) * 0x7feb352d & MASK
  x = (x ~ x >> 15) * 0x846ca68b & MASK
  return x ~ x >> 16
end

--- The i-th seed of a seed: 32 bits, and for one `base` no two `i` below 2^32 share one.
-- @tparam integer base
-- @tparam integer i
-- @treturn integer
function seed.derive(base, i)
  local key = scramble(scramble(base & MASK) + (base >> 32) & MASK)
  return scramble((scramble((i & MASK) ~ key) + key) & MASK)
end

return seed
