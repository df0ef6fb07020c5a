--- The bodies of DCGAN's critic and generator (Radford et al. 2016, arXiv 1511.06434): convolutions of 4x4 with stride
-- 2 and nothing else, weights normal with standard deviation 0.02.
-- @module laterna.nn.dcgan
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local init = require "laterna.nn.initialise"
local norm = require "laterna.nn.norm"

local STD = 0.02
local function half(bias) return { stride = 2, padding = 1, bias = bias } end

local function started(layer)
  init.normal_(layer.weight, 0, STD)
  if layer.bias then init.zeros_(layer.bias) end
  return layer
end

--- Pictures to feature maps, one a level; each level halves the sides, rounding down.
local Critic = class("DcganCritic", function(self, o)
  self.convs, self.norms = {}, {}
  local from, side = o.channels, o.size
  for level, width in ipairs(o.widths) do
    local bare = level == 1 or o.norm == "none"
    self.convs[level] = started(conv.Conv2d(from, width, 4, half(bare)))
    if not bare then
      self.norms[level - 1] = norm.BatchNorm2d(width, { activation = "leaky_relu", slope = 0.2 })
    end
    from, side = width, { side[1] // 2, side[2] // 2 }
  end
  o.side = side
end)

--- @tparam Tensor x (n,h,w,channels)
-- @treturn {Tensor,...}
function Critic:forward(x)
  local maps = {}
  for level, layer in ipairs(self.convs) do
    x = layer(x)
    local normed = self.norms[level - 1]
    x = normed and normed(x) or x:leaky_relu(0.2)
    maps[level] = x
  end
  return maps
end

--- The first feature map to a picture; what is doubled is cut to the side of the level.
local Generator = class("DcganGenerator", function(self, o)
  self.sides, self.convs, self.norms = o.sides, {}, {}
  for level = #o.widths, 1, -1 do
    local i, to = #o.widths + 1 - level, level > 1 and o.widths[level - 1] or o.channels
    self.norms[i] = norm.BatchNorm2d(o.widths[level], { activation = "relu" })
    self.convs[i] = started(conv.ConvTranspose2d(o.widths[level], to, 4, half(level == 1)))
  end
end)

--- @tparam Tensor x (n,h,w,c)
-- @treturn Tensor (n,h',w',channels), in (-1,1)
function Generator:forward(x)
  local levels = #self.convs
  for i, layer in ipairs(self.convs) do
    x = layer(self.norms[i](x))
    local side = self.sides[levels + 1 - i]
    if x:size(2) > side[1] then x = x:narrow(2, 1, side[1]) end
    if x:size(3) > side[2] then x = x:narrow(3, 1, side[2]) end
  end
  return x:tanh()
end

return { Critic = Critic, Generator = Generator }
