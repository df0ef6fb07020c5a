--- The body of a critic of plain convolutions (Simonyan and Zisserman 2015, arXiv 1409.1556): 3x3 at full side, and
-- then the largest of each 2x2.
-- @module laterna.nn.vgg
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"

--- Pictures to feature maps, one a level; each level halves the sides, rounding down.
local Critic = class("VggCritic", function(self, o)
  self.levels = {}
  local from, side = o.channels, o.size
  for level, width in ipairs(o.widths) do
    local row = {}
    for i = 1, o.blocks[level] do
      row[i], from = conv.Conv2d(from, width, 3, { padding = 1 }), width
    end
    self.levels[level], side = row, { side[1] // 2, side[2] // 2 }
  end
  o.side = side
end)

--- @tparam Tensor x (n,h,w,channels)
-- @treturn {Tensor,...}
function Critic:forward(x)
  local maps = {}
  for level, row in ipairs(self.levels) do
    for _, layer in ipairs(row) do x = layer(x):leaky_relu(0.2) end
    x = core.max_pool2d(x, 2)
    maps[level] = x
  end
  return maps
end

return { Critic = Critic }
