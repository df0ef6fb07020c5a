--- Pictures changed at random as batches are drawn: `set:batches(64, { augment = { flip = true, shift = 0.1 } })`. A
-- training sees more pictures than there are, and learns less of them by heart. What is drawn depends on the seed and
-- on the place in the sequence alone; each kind of change has a generator of its own, so that one more leaves the
-- others as they are.
--
-- Where a picture is moved, its edge goes on outside: on a plain ground, which most small pictures have, nothing is to
-- be noticed, and a model learns no border of a colour that no picture has, as it would of a fixed one; mirrored, as
-- some do it, a picture shows parts of its things twice. Of pictures with alpha nothing lies outside.
-- @module laterna.data.augment
local check = require "laterna.check"
local core = require "laterna.core"
local derive = require("laterna.data.seed").derive

local augment = {}

-- What each kind draws from: derive(seed of the batch, number). Captions have 1.
local MOVE <const>, COLOUR <const> = 2, 3

-- A caption with one of these words is no longer true of the mirrored picture.
local SIDES = { "left", "right", "leftmost", "rightmost", "leftward", "rightward", "leftwards", "rightwards" }

local function is_words(v)
  local ok = type(v) == "table"
  for i = 1, ok and rawlen(v) or 0 do ok = ok and type(rawget(v, i)) == "string" end
  return ok, "a list of words"
end

local KNOWN = {
  flip = { "boolean", false }, shift = { "number", 0, min = 0, max = 0.5 }, scale = { "number", 0, min = 0, max = 0.5 },
  rotate = { "number", 0, min = 0, max = 180 }, colour = { "number", 0, min = 0, max = 1 }, sides = { is_words, SIDES },
}

--- Reads the option `augment` of batches.
-- @tparam ?table options `flip`, `shift`, `scale`, `rotate`, `colour`, `sides`, as Dataset:batches has them
-- @tparam boolean flip the option `flip` of batches, which says the same
-- @treturn table for the functions below
function augment.read(options, flip)
  local o = check.options("batches", 2, options, KNOWN)
  o.flip, o.words = o.flip or flip, {}
  for i = 1, rawlen(o.sides) do o.words[rawget(o.sides, i):lower()] = true end
  o.moves = o.shift > 0 or o.scale > 0 or o.rotate > 0
  return o
end

--- The changes in words, for what a saved place has to agree with: ", flipped, shift 0.1".
-- @tparam table o from read
-- @treturn string
function augment.describe(o)
  local parts = { o.flip and ", flipped" or "" }
  if o.flip and o.sides ~= SIDES then parts[2] = " but for " .. table.concat(o.sides, "/") end
  for _, key in ipairs { "shift", "scale", "rotate", "colour" } do
    if o[key] > 0 then parts[#parts + 1] = (", %s %.14g"):format(key, o[key]) end
  end
  return table.concat(parts)
end

-- Does a caption say where left or right is? Words are letters of any language; "bright" is none of these.
local function has_side(caption, words)
  for word in caption:lower():gmatch "[%a\x80-\xff]+" do
    if words[word] then return true end
  end
  return false
end

--- Which pictures of a batch are mirrored: each with the chance 1/2, but not where its caption has a word of `sides`.
-- @tparam table o from read
-- @tparam Generator g
-- @tparam {string,...} captions of the batch
-- @treturn Tensor (b) uint8
function augment.flips(o, g, captions)
  local bytes = {}
  for i, caption in ipairs(captions) do
    local mirrored = g:integer(0, 1) == 1
    bytes[i] = mirrored and not has_side(caption, o.words) and "\1" or "\0"
  end
  return core.from_string(table.concat(bytes), { #captions }, { dtype = "uint8" })
end

-- Places of the picture by places of the result, as lt_warp_pictures takes them, for pictures (n,h,w,c). What is shown
-- is scaled by s and turned by angle about the middle, then moved by (dx, dy):
--
--   x' = R(-angle) (x - d) / s
local function maps(o, shape, seed)
  local n, h, w = shape[1], shape[2], shape[3]
  local rows = core.rand({ n, 4 }, { generator = core.generator(derive(seed, MOVE)) }):totable()
  for i, u in ipairs(rows) do
    local dx, dy = (2 * u[1] - 1) * o.shift * w, (2 * u[2] - 1) * o.shift * h
    local s, angle = 1 + (2 * u[3] - 1) * o.scale, math.rad((2 * u[4] - 1) * o.rotate)
    local cos, sin = math.cos(angle) / s, math.sin(angle) / s
    rows[i] = { cos, sin, -cos * dx - sin * dy, -sin, cos, sin * dx - cos * dy }
  end
  return core.tensor(rows)
end

-- A number of [lo, hi) for each of n pictures.
local function uniform(n, lo, hi, g)
  return core.rand({ n, 1, 1, 1 }, { generator = g }) * (hi - lo) + lo
end

-- Brightness, saturation and contrast, drawn and done as laterna.gan.kinds.colour does it, then held within [-1,1]. The
-- mean that contrast is about is that of what is to be seen: colours count by their alpha, and what has none stays -1.
local function coloured(x, strength, seed)
  local n, c = x:size(1), x:size(4)
  local colours = (c == 2 or c == 4) and c - 1 or c
  local y, g = x:narrow(4, 1, colours), core.generator(derive(seed, COLOUR))
  local alpha = colours < c and (x:narrow(4, c, 1) + 1) * 0.5
  y = y + uniform(n, -strength / 2, strength / 2, g)
  local f = uniform(n, 1 - strength, 1 + strength, g)
  if colours > 1 then
    local grey = y:mean(4, { keepdim = true })
    y = (y - grey) * f + grey
  end
  f = uniform(n, 1 - strength / 2, 1 + strength / 2, g)
  local axes = { 2, 3, 4 }
  local mean = alpha and (y * alpha):sum(axes, { keepdim = true }) / ((alpha:sum(axes, { keepdim = true }) * colours)
    :clamp(1e-6, math.huge)) or y:mean(axes, { keepdim = true })
  y = ((y - mean) * f + mean):clamp(-1, 1)
  if not alpha then return y end
  y = core.where(alpha:ge(0.5 / 255), y, core.full({ 1 }, -1))
  return core.cat({ y, x:narrow(4, c, 1) }, 4)
end

--- Moves and colours a batch, as `o` says.
-- @tparam table o from read
-- @tparam Tensor x (n,h,w,c) float32 in [-1,1]; of 2 and 4 channels the last is alpha, which colour leaves as it is
-- @tparam integer seed of the batch
-- @treturn Tensor like x
function augment.apply(o, x, seed)
  return core.no_grad(function()
    if o.moves then x = core.warp_pictures(x, maps(o, x.shape, seed)) end
    if o.colour > 0 then x = coloured(x, o.colour, seed) end
    return x
  end)
end

return augment
