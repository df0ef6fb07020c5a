--- Pictures to vectors and back: the two halves of an auto-encoder, made of residual blocks.
--
--     encoder = nn.PictureEncoder { outputs = 2 * 16, size = 32, channels = 3, text = 64 },   -- (n,32,32,3) -> (n,32)
--     decoder = nn.PictureDecoder { detail = 16, size = 32, channels = 3, text = 64 },        -- (n,16) -> (n,32,32,3)
-- @module laterna.nn.picture
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local levels = require "laterna.nn.levels"
local linear = require "laterna.nn.linear"

local SIZE = { "integer", 28, min = 4 }

--- A picture, and optionally what its caption says, to a vector: (n,size,size,channels), cond -> (n,outputs). Each
-- level halves the picture and doubles the width; the caption's pooled vector scales and shifts in every block.
-- @function PictureEncoder
-- @tparam table options
--
--  - outputs: size of the vector; twice the detail's for mu and logvar
--  - size=28, channels=1: of the pictures
--  - width=32 at full size, levels=2, blocks=1 a level: of the convolutions
--  - text=0: size of the caption's pooled vector, 0 for none
--
-- PictureEncoder(outputs, { condition = text, ... }), as it was written before, is understood.
local PictureEncoder = class("PictureEncoder", function(self, ...)
  local options, i = levels.coder_arguments("PictureEncoder", { "outputs" }, ...)
  local o = check.options("PictureEncoder", i, options, levels.joined(levels.coder_options, {
    outputs = { "integer", required = true, min = 1 }, size = SIZE,
  }))
  local side = levels.smallest_side("PictureEncoder", i, o)
  self.text = o.text
  self.input = conv.Conv2d(o.channels, o.width, 3, { padding = 1 })
  local width = levels.add_down(self, o.width, o, o.text > 0 and o.text or nil)
  self.norm = levels.last_norm(width)
  self.hidden = linear.Linear(side * side * width + o.text, 8 * o.width)
  self.out = linear.Linear(8 * o.width, o.outputs)
end)

--- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] table cond pooled (n,text), or that vector itself; needed where text is not 0
-- @treturn Tensor (n,outputs)
function PictureEncoder:forward(x, cond)
  check.type("PictureEncoder", 1, "x", x, "tensor")
  local pooled = call.pooled("PictureEncoder", 2, cond, x:size(1), self.text)
  local h = self.norm(levels.run_down(self, self.input(x), pooled)):flatten(2)
  if pooled then h = core.cat({ h, pooled }, 2) end
  return self.out(core.silu(self.hidden(h)))
end

--- A detail, and optionally what a caption says, to a picture: (n,detail), cond -> (n,size,size,channels). The mirror
-- of PictureEncoder: each level doubles the picture and halves the width. Both vectors scale
-- and shift in every block.
-- @function PictureDecoder
-- @tparam table options detail: size of the vector; the others as for PictureEncoder
--
-- PictureDecoder(detail, channels, { condition = text, ... }), as it was written before, is understood.
local PictureDecoder = class("PictureDecoder", function(self, ...)
  local options, i = levels.coder_arguments("PictureDecoder", { "detail", "channels" }, ...)
  local o = check.options("PictureDecoder", i, options, levels.joined(levels.coder_options, {
    detail = { "integer", required = true, min = 1 }, size = SIZE,
  }))
  self.side, self.text = levels.smallest_side("PictureDecoder", i, o), o.text
  local inputs = o.detail + o.text
  self.start = linear.Linear(inputs, self.side * self.side * (o.width << o.levels))
  levels.add_up(self, o.width, o, inputs)
  self.norm = levels.last_norm(o.width)
  self.out = conv.Conv2d(o.width, o.channels, 3, { padding = 1 })
end)

--- @tparam Tensor z (n,detail)
-- @tparam[opt] table cond pooled (n,text), or that vector itself; needed where text is not 0
-- @treturn Tensor (n,size,size,channels)
function PictureDecoder:forward(z, cond)
  check.type("PictureDecoder", 1, "z", z, "tensor")
  local pooled = call.pooled("PictureDecoder", 2, cond, z:size(1), self.text)
  if pooled then z = core.cat({ z, pooled }, 2) end
  local h = self.start(z):view(z:size(1), self.side, self.side, -1)
  return self.out(self.norm(levels.run_up(self, h, z)))
end

return { PictureEncoder = PictureEncoder, PictureDecoder = PictureDecoder }
