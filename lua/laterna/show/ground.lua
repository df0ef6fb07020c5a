--- What pictures with alpha lie on where they are shown: light and dark squares, as painting programs have them.
-- @module laterna.show.ground
local core = require "laterna.core"

local ground = {}

local LIGHT, DARK = 204, 153 -- bytes; white, black and most greys of a picture differ from both
local MOST <const> = 16      -- pixels, the side of a square

--- For check.options.
-- @return true, or false and what was expected
function ground.is(v)
  return v == "chequered" or type(v) == "number" and v >= -1 and v <= 1, '"chequered" or a grey from -1 to 1'
end

-- (h,w,1) bytes as floats: squares of an eighth of the longer side.
local function squares(h, w)
  local side = math.max(1, math.min(MOST, math.ceil(math.max(h, w) / 8)))
  local function numbers(n) return (core.arange(0, n - 1) / side):floor() end
  local sum = numbers(h):view(h, 1, 1) + numbers(w):view(1, w, 1)
  return LIGHT + (DARK - LIGHT) * (sum - 2 * (sum * 0.5):floor())
end

local function lay(x, kind)
  local shape = x.shape
  local last, bytes = #shape, x.dtype == "uint8"
  local c = shape[last]
  if bytes then x = x:float() end
  local below = kind == "chequered" and squares(shape[last - 2], shape[last - 1])
    or core.full({ 1 }, kind * 127.5 + 127.5)
  if bytes then below = below:round() else below = below / 127.5 - 1 end
  local alpha = x:narrow(last, c, 1)
  alpha = bytes and alpha or ((alpha + 1) * 0.5):clamp(0, 1)
  local all = bytes and 255 or 1
  local y = x:narrow(last, 1, c - 1) * alpha + below * (all - alpha)
  return bytes and (y / 255):byte() or y
end

--- Lays pictures with alpha on a ground: colour x alpha + ground x (1 - alpha). Where alpha is 1 every bit is kept.
-- @tparam Tensor x (h,w,c) or (n,h,w,c), c 2 or 4, uint8 or float32 in [-1,1]
-- @tparam string|number kind "chequered", or a grey in [-1,1]
-- @treturn Tensor of one channel less and the same type
function ground.lay(x, kind) return core.no_grad(lay, x, kind) end

return ground
