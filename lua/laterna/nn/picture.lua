--- Pictures to vectors and back: the two halves of an auto-encoder, made of residual blocks.
-- @module laterna.nn.picture
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local levels = require "laterna.nn.levels"
local linear = require "laterna.nn.linear"

local OPTIONS = {
  size = { "integer", 28, min = 4 }, channels = { "integer", 1, min = 1 }, width = { "integer", 32, min = 1 },
  levels = { "integer", 2, min = 0, max = 8 }, blocks = { "integer", 1, min = 1 },
  condition = { "integer", 0, min = 0 },
}

local function read(fname, i, options)
  local o = check.options(fname, i, options, OPTIONS)
  if o.size % (1 << o.levels) ~= 0 then
    check.fail(fname, i, "size: %d cannot be halved %d times", o.size, o.levels)
  end
  o.side = o.size >> o.levels -- of the smallest feature map
  o.conditioned = o.condition > 0 and { condition = o.condition } or nil
  return o
end

--- A picture, and optionally what its caption says, to a vector: (n,size,size,channels), (n,condition) -> (n,out).
-- Each level halves the picture and doubles the width.
-- @function PictureEncoder
-- @tparam integer out size of the vector
-- @tparam[opt] table options {size=28, channels=1, width=32, levels=2, blocks=1, condition=0}
local PictureEncoder = class("PictureEncoder", function(self, out, options)
  out = check.integer("PictureEncoder", 1, "out", out, 1)
  local o = read("PictureEncoder", 2, options)
  self.input = conv.Conv2d(o.channels, o.width, 3, { padding = 1 })
  local width = levels.shrinking(self, o.width, o, o.conditioned)
  self.norm = levels.finish(width)
  self.hidden = linear.Linear(o.side * o.side * width + o.condition, 8 * o.width)
  self.out = linear.Linear(8 * o.width, out)
end)

--- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,out)
function PictureEncoder:forward(x, c)
  c = type(c) == "table" and c.pooled or c
  local h = self.norm(levels.shrink(self, self.input(x), c)):flatten(2)
  if c then h = core.cat({ h, c }, 2) end
  return self.out(core.silu(self.hidden(h)))
end

--- A vector, and optionally what a caption says, to a picture: (n,inputs), (n,condition) -> (n,size,size,out).
-- The mirror of PictureEncoder: each level doubles the picture and halves the width. Both vectors speak in every block.
-- @function PictureDecoder
-- @tparam integer inputs size of the vector
-- @tparam integer out channels painted
-- @tparam[opt] table options as for PictureEncoder
local PictureDecoder = class("PictureDecoder", function(self, inputs, out, options)
  inputs = check.integer("PictureDecoder", 1, "inputs", inputs, 1)
  out = check.integer("PictureDecoder", 2, "out", out, 1)
  local o = read("PictureDecoder", 3, options)
  self.side = o.side
  self.start = linear.Linear(inputs + o.condition, o.side * o.side * (o.width << o.levels))
  levels.growing(self, o.width, o, { condition = inputs + o.condition })
  self.norm = levels.finish(o.width)
  self.out = conv.Conv2d(o.width, out, 3, { padding = 1 })
end)

--- @tparam Tensor z (n,inputs)
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,size,size,out)
function PictureDecoder:forward(z, c)
  if c then z = core.cat({ z, c }, 2) end
  local h = self.start(z):view(z:size(1), self.side, self.side, -1)
  return self.out(self.norm(levels.grow(self, h, z)))
end

return { PictureEncoder = PictureEncoder, PictureDecoder = PictureDecoder }
