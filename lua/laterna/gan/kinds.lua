--- Kinds of augmentation: what may be done to pictures before a critic sees them, so that it cannot learn a small data
-- set by heart. Each takes its strength and gives a function (shape {n,h,w,c}, generator) that draws once for each of n
-- pictures and gives a function of pictures, as a kind that a script writes itself does:
--
--     local function dim(shape, generator)
--       local f = lt.rand({ shape[1], 1, 1, 1 }, { generator = generator })
--       return function(x) return x * f end
--     end
--
-- All are differentiable twice. Colour, translation and cutout are those of DiffAugment (Zhao et al. 2020, arXiv
-- 2006.10738), flip and scale of ADA (Karras et al. 2020, arXiv 2006.06676, appendix B). What moves in from outside of
-- the picture, and what is cut out, is 0: grey.
-- @module laterna.gan.kinds
local check = require "laterna.check"
local core = require "laterna.core"

local kinds = {}

-- Evenly drawn numbers of [lo, hi), one for each picture, of shape (n,...).
local function uniform(n, lo, hi, generator, ...)
  return core.rand({ n, ... }, { generator = generator }) * (hi - lo) + lo
end

local function strength_of(name, strength, usual)
  return check.number(name, 1, "strength", strength == nil and usual or strength, 0, 100)
end

-- x scaled by f about m: f x + (1 - f) m.
local function about(x, m, f)
  return (x - m) * f + m
end

--- Adds one number to all of a picture, from +-strength / 2.
-- @tparam[opt=1] number strength
-- @treturn function a kind
function kinds.brightness(strength)
  strength = strength_of("brightness", strength, 1)
  return function(shape, generator)
    local add = uniform(shape[1], -strength / 2, strength / 2, generator, 1, 1, 1)
    return function(x) return x + add end
  end
end

--- Scales the distance of channels from their mean, pixel by pixel, by 1 +- strength. Grey pictures stay as they are.
-- @tparam[opt=1] number strength
-- @treturn function a kind
function kinds.saturation(strength)
  strength = strength_of("saturation", strength, 1)
  return function(shape, generator)
    local f = uniform(shape[1], 1 - strength, 1 + strength, generator, 1, 1, 1)
    return function(x) return x:size(4) == 1 and x or about(x, x:mean(4, { keepdim = true }), f) end
  end
end

--- Scales the distance from a picture's mean by 1 +- strength.
-- @tparam[opt=0.5] number strength
-- @treturn function a kind
function kinds.contrast(strength)
  strength = strength_of("contrast", strength, 0.5)
  return function(shape, generator)
    local f = uniform(shape[1], 1 - strength, 1 + strength, generator, 1, 1, 1)
    return function(x) return about(x, x:mean({ 2, 3, 4 }, { keepdim = true }), f) end
  end
end

--- Brightness, saturation and contrast, in this order, as DiffAugment has them.
-- @tparam[opt=1] number strength of brightness and saturation; that of contrast is half
-- @treturn function a kind
function kinds.colour(strength)
  strength = strength_of("colour", strength, 1)
  local parts = { kinds.brightness(strength), kinds.saturation(strength), kinds.contrast(strength / 2) }
  return function(shape, generator)
    local fs = {}
    for i, kind in ipairs(parts) do fs[i] = kind(shape, generator) end
    return function(x)
      for _, f in ipairs(fs) do x = f(x) end
      return x
    end
  end
end

local function places(size)
  return core.arange(1, size):view(1, size, 1)
end

-- (n,size,size): row i holds the weights of the old pixels that make the new pixel i. at (n,size,1) says where each is
-- taken from; between two pixels it is a mixture of both, and 0 outside.
local function resampling(at, size)
  return (1 - (at - places(size):view(1, 1, size)):abs()):relu()
end

-- Rows and columns of pictures resampled, each a product with a matrix of its own for each picture.
local function resample(x, rows, columns)
  local n, h, w, c = table.unpack(x.shape)
  x = core.matmul(rows, x:view(n, h, w * c))
  if c == 1 then return core.matmul(x, columns:transpose(2, 3)):view(n, h, w, c) end
  return core.matmul(columns:view(n, 1, w, w), x:view(n, h, w, c))
end

--- Moves a picture by whole pixels, up to so much of its sides in either direction.
-- @tparam[opt=0.125] number ratio
-- @treturn function a kind
function kinds.translation(ratio)
  ratio = check.number("translation", 1, "ratio", ratio == nil and 0.125 or ratio, 0, 1)
  return function(shape, generator)
    local function moved(size)
      local most = math.floor(size * ratio + 0.5)
      local by = uniform(shape[1], 0, 2 * most + 1, generator, 1, 1):floor():clamp(0, 2 * most) - most
      return resampling(places(size) + by, size)
    end
    local rows, columns = moved(shape[2]), moved(shape[3])
    return function(x) return resample(x, rows, columns) end
  end
end

--- Makes what a picture shows larger or smaller about its middle, by a factor of 2^s, s ~ N(0, deviation^2).
-- @tparam[opt=0.2] number deviation
-- @treturn function a kind
function kinds.scale(deviation)
  deviation = check.number("scale", 1, "deviation", deviation == nil and 0.2 or deviation, 0, 2)
  return function(shape, generator)
    local s = core.randn({ shape[1], 1, 1 }, { generator = generator }):clamp(-4, 4) * deviation
    local step = (s * -math.log(2)):exp() -- between two new pixels, counted in old ones
    local function scaled(size)
      local middle = (size + 1) / 2
      return resampling((places(size) - middle) * step + middle, size)
    end
    local rows, columns = scaled(shape[2]), scaled(shape[3])
    return function(x) return resample(x, rows, columns) end
  end
end

--- Swaps left and right, in one picture of two.
-- @treturn function a kind
function kinds.flip()
  return function(shape, generator)
    local turn = uniform(shape[1], 0, 1, generator, 1, 1, 1):lt(0.5)
    return function(x) return core.where(turn, x:flip(3), x) end
  end
end

-- Is a pixel of a side within what is cut out? (n,size,1), 1 or 0. The middle may lie anywhere, so a part of the cut
-- may fall outside.
local function cut(n, size, ratio, generator)
  local long = math.floor(size * ratio + 0.5)
  local first = uniform(n, 0, size + 1 - long % 2, generator, 1, 1):floor() - long // 2 + 1
  local from = places(size) - first
  return from:ge(0) * from:lt(long)
end

--- Cuts out a rectangle, so long and wide as a part of the sides.
-- @tparam[opt=0.5] number ratio
-- @treturn function a kind
function kinds.cutout(ratio)
  ratio = check.number("cutout", 1, "ratio", ratio == nil and 0.5 or ratio, 0, 1)
  return function(shape, generator)
    local n, h, w = shape[1], shape[2], shape[3]
    local rows, columns = cut(n, h, ratio, generator), cut(n, w, ratio, generator)
    local stays = 1 - rows:view(n, h, 1, 1) * columns:view(n, 1, w, 1)
    return function(x) return x * stays end
  end
end

return kinds
