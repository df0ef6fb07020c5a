--- Pictures to smaller pictures of features and back: the two halves of an auto-encoder whose detail keeps its places,
-- so that a diffusion model can work there (Rombach et al. 2022, arXiv 2112.10752).
--
--     encoder = nn.SpatialEncoder(2 * 4, { channels = 3 }),   -- (n,32,32,3) -> (n,8,8,8): mu beside logvar
--     decoder = nn.SpatialDecoder(4, 3),                      -- (n,8,8,4) -> (n,32,32,3)
-- @module laterna.nn.latent
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local levels = require "laterna.nn.levels"

local SAME = { padding = 1 }

local OPTIONS = {
  channels = { "integer", 1, min = 1 }, width = { "integer", 32, min = 1 }, levels = { "integer", 2, min = 0, max = 8 },
  blocks = { "integer", 1, min = 1 }, condition = { "integer", 0, min = 0 },
}

local function read(fname, i, options, known)
  local o = check.options(fname, i, options, known)
  o.told = o.condition > 0 and { condition = o.condition } or nil
  return o
end

--- (n,h,w,channels), (n,condition) -> (n,h/2^levels,w/2^levels,out). Each level halves the picture and doubles the
-- width, then come `blocks` residual blocks, to which the condition vector speaks.
-- @function SpatialEncoder
-- @tparam integer out channels of what comes out: twice the detail's, for mu and logvar
-- @tparam[opt] table options {channels=1, width=32, levels=2, blocks=1, condition=0}
local SpatialEncoder = class("SpatialEncoder", function(self, out, options)
  out = check.integer("SpatialEncoder", 1, "out", out, 1)
  local o = read("SpatialEncoder", 2, options, OPTIONS)
  self.input = conv.Conv2d(o.channels, o.width, 3, SAME)
  local width = levels.shrinking(self, o.width, o, o.told)
  self.norm = levels.finish(width)
  self.out = conv.Conv2d(width, out, 3, SAME)
end)

--- @tparam Tensor x (n,h,w,channels), sides that can be halved `levels` times
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,h/2^levels,w/2^levels,out)
function SpatialEncoder:forward(x, c)
  check.type("SpatialEncoder", 1, "x", x, "tensor")
  local times = 1 << #self.down
  if x:dim() ~= 4 or x:size(2) % times ~= 0 or x:size(3) % times ~= 0 then
    check.fail("SpatialEncoder", 1, "x: expected (n,h,w,c) with sides that %d divides, got (%s)", times,
      table.concat(x.shape, ","))
  end
  return self.out(self.norm(levels.shrink(self, self.input(x), c)))
end

local DECODER = {
  levels = OPTIONS.levels, width = OPTIONS.width, blocks = OPTIONS.blocks, condition = OPTIONS.condition,
}

--- (n,h,w,inputs), (n,condition) -> (n,h*2^levels,w*2^levels,out), the mirror of SpatialEncoder.
-- @function SpatialDecoder
-- @tparam integer inputs channels of the detail
-- @tparam integer out channels painted
-- @tparam[opt] table options {width=32, levels=2, blocks=1, condition=0}; the width is that at full size
local SpatialDecoder = class("SpatialDecoder", function(self, inputs, out, options)
  inputs = check.integer("SpatialDecoder", 1, "inputs", inputs, 1)
  out = check.integer("SpatialDecoder", 2, "out", out, 1)
  local o = read("SpatialDecoder", 3, options, DECODER)
  self.input = conv.Conv2d(inputs, o.width << o.levels, 3, SAME)
  levels.growing(self, o.width, o, o.told)
  self.norm = levels.finish(o.width)
  self.out = conv.Conv2d(o.width, out, 3, SAME)
end)

--- @tparam Tensor z (n,h,w,inputs)
-- @tparam[opt] Tensor c (n,condition)
-- @treturn Tensor (n,h*2^levels,w*2^levels,out)
function SpatialDecoder:forward(z, c)
  return self.out(self.norm(levels.grow(self, self.input(z), c)))
end

return { SpatialEncoder = SpatialEncoder, SpatialDecoder = SpatialDecoder }
