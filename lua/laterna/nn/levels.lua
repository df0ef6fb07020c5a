--- The ladder of an auto-encoder of pictures: levels that halve the picture and double the width, and the mirror image.
-- Residual blocks stand at the smaller size of each level.
-- @module laterna.nn.levels
local conv = require "laterna.nn.conv"
local norm = require "laterna.nn.norm"
local resblock = require "laterna.nn.resblock"

local levels = {}

local SHAPE = { stride = 2, padding = 1 }

local function row_of_blocks(width, count, told)
  local row = {}
  for i = 1, count do row[i] = resblock.ResBlock(width, width, told) end
  return row
end

local function run(blocks, h, c)
  for _, block in ipairs(blocks) do h = block(h, c) end
  return h
end

--- Gives a module the fields `down` and `blocks`, a list of blocks a level.
-- @tparam module self
-- @tparam integer width at full size
-- @tparam table o levels, blocks
-- @tparam ?table told options of the residual blocks
-- @treturn integer the width at the smallest size
function levels.shrinking(self, width, o, told)
  self.down, self.blocks = {}, {}
  for level = 1, o.levels do
    self.down[level] = conv.Conv2d(width, 2 * width, 4, SHAPE)
    width = 2 * width
    self.blocks[level] = row_of_blocks(width, o.blocks, told)
  end
  return width
end

--- Down the levels that shrinking made.
-- @tparam module self
-- @tparam Tensor h (n,h,w,width)
-- @tparam ?Tensor c what the blocks are told
-- @treturn Tensor
function levels.shrink(self, h, c)
  for level, down in ipairs(self.down) do h = run(self.blocks[level], down(h), c) end
  return h
end

--- Gives a module the fields `blocks` and `up`.
-- @tparam module self
-- @tparam integer width at full size
-- @tparam table o levels, blocks
-- @tparam ?table told options of the residual blocks
function levels.growing(self, width, o, told)
  width = width << o.levels
  self.blocks, self.up = {}, {}
  for level = 1, o.levels do
    self.blocks[level] = row_of_blocks(width, o.blocks, told)
    self.up[level] = conv.ConvTranspose2d(width, width // 2, 4, SHAPE)
    width = width // 2
  end
end

--- Up the levels that growing made.
-- @tparam module self
-- @tparam Tensor h (n,h,w,width at the smallest size)
-- @tparam ?Tensor c what the blocks are told
-- @treturn Tensor
function levels.grow(self, h, c)
  for level, up in ipairs(self.up) do h = up(run(self.blocks[level], h, c)) end
  return h
end

--- The norm and activation before a last layer.
-- @tparam integer width
-- @treturn module
function levels.finish(width)
  return norm.GroupNorm(resblock.groups_of(width), width, { activation = "silu" })
end

return levels
