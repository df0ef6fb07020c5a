--- Pictures to vectors and back: the two halves of an auto-encoder, made of residual blocks.
-- @module laterna.nn.picture
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local linear = require "laterna.nn.linear"
local norm = require "laterna.nn.norm"
local resblock = require "laterna.nn.resblock"

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
  self.blocks, self.down = {}, {}
  local width = o.width
  for level = 1, o.levels do
    self.down[level] = conv.Conv2d(width, 2 * width, 4, { stride = 2, padding = 1 })
    width = 2 * width
    self.blocks[level] = {}
    for i = 1, o.blocks do self.blocks[level][i] = resblock.ResBlock(width, width, o.conditioned) end
  end
  self.norm = norm.GroupNorm(resblock.groups_of(width), width, { activation = "silu" })
  self.hidden = linear.Linear(o.side * o.side * width + o.condition, 8 * o.width)
  self.out = linear.Linear(8 * o.width, out)
end)

--- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,out)
function PictureEncoder:forward(x, c)
  local h = self.input(x)
  for level, down in ipairs(self.down) do
    h = down(h)
    for _, block in ipairs(self.blocks[level]) do h = block(h, c) end
  end
  h = self.norm(h):flatten(2)
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
  local width, told = o.width << o.levels, { condition = inputs + o.condition }
  self.side = o.side
  self.start = linear.Linear(inputs + o.condition, o.side * o.side * width)
  self.blocks, self.up = {}, {}
  for level = 1, o.levels do
    self.blocks[level] = {}
    for i = 1, o.blocks do self.blocks[level][i] = resblock.ResBlock(width, width, told) end
    self.up[level] = conv.ConvTranspose2d(width, width // 2, 4, { stride = 2, padding = 1 })
    width = width // 2
  end
  self.norm = norm.GroupNorm(resblock.groups_of(width), width, { activation = "silu" })
  self.out = conv.Conv2d(width, out, 3, { padding = 1 })
end)

--- @tparam Tensor z (n,inputs)
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,size,size,out)
function PictureDecoder:forward(z, c)
  if c then z = core.cat({ z, c }, 2) end
  local h = self.start(z):view(z:size(1), self.side, self.side, -1)
  for level, up in ipairs(self.up) do
    for _, block in ipairs(self.blocks[level]) do h = block(h, z) end
    h = up(h)
  end
  return self.out(self.norm(h))
end

return { PictureEncoder = PictureEncoder, PictureDecoder = PictureDecoder }
