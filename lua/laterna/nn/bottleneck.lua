--- The residual block of R3GAN's critic and generator (Huang et al. 2025, arXiv 2501.05441): 1x1 convolution to more
-- channels, 3x3 in groups, 1x1 back, leaky ReLU between them and no normalisation.
-- @module laterna.nn.bottleneck
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local Linear = require("laterna.nn.linear").Linear

local bottleneck = { slope = 0.2 }
local GAIN = init.gain("leaky_relu", bottleneck.slope)

--- A layer whose weights start normal with standard deviation gain / sqrt(fan_in), and biases at zero: what it gives
-- then has gain^2 times the second moment of what it gets.
-- @tparam module layer with weight and perhaps bias
-- @tparam number gain
-- @treturn module the layer
function bottleneck.scaled(layer, gain)
  init.normal_(layer.weight, 0, gain / math.sqrt(init.fans(layer.weight)))
  if layer.bias then init.zeros_(layer.bias) end
  return layer
end

--- A 1x1 convolution without bias.
-- @tparam integer inputs
-- @tparam integer outputs
-- @tparam[opt=1] number gain
-- @treturn Conv2d
function bottleneck.point(inputs, outputs, gain)
  return bottleneck.scaled(conv.Conv2d(inputs, outputs, 1, { bias = false }), gain or 1)
end

-- The most channels of a group, at most `most`, that divide the channels.
local function channels_of_group(channels, most)
  for size = math.min(most, channels), 1, -1 do
    if channels % size == 0 then return size end
  end
end

--- The options of the blocks, for check.options.
bottleneck.options = { expansion = { "integer", 2, min = 1, max = 64 }, group = { "integer", 16, min = 1 } }

--- (n,h,w,width) -> same: x + conv(act(conv(act(conv(x))))). Without normalisation the scale of the sum is held by the
-- start, as in Fix-up (Zhang et al. 2019, arXiv 1901.09321): the last convolution starts at zero, and the others are
-- smaller the more blocks there are. With a condition, the hidden channels are scaled before the 3x3 convolution and
-- shifted after it, by linear functions of the condition that start at zero.
-- @tparam integer width channels
-- @tparam table o expansion: hidden channels a channel; group: channels of a group of the 3x3 convolution, less where
-- that does not divide; count: blocks of the whole network; condition: size of the condition vector, or nil
bottleneck.Block = class("Bottleneck", function(self, width, o)
  local hidden = width * o.expansion
  local gain = GAIN * math.max(1, o.count) ^ -0.25 -- L^(-1/(2m-2)), m = 3 convolutions
  local groups = hidden // channels_of_group(hidden, o.group)
  self.conv1 = bottleneck.scaled(conv.Conv2d(width, hidden, 1), gain)
  self.conv2 = bottleneck.scaled(conv.Conv2d(hidden, hidden, 3, { padding = 1, groups = groups }), gain)
  self.conv3 = bottleneck.scaled(conv.Conv2d(hidden, width, 1, { bias = false }), 0)
  if o.condition then
    self.film = bottleneck.scaled(Linear(o.condition, 2 * hidden), 0)
  end
end)

bottleneck.Block.is_block = true

--- @tparam Tensor x (n,h,w,width)
-- @tparam[opt] Tensor c (n,condition)
function bottleneck.Block:forward(x, c)
  local h, film = self.conv1(x):leaky_relu(bottleneck.slope), nil
  if self.film then
    local scale, shift = self.film(c):chunk(2, -1)
    h = core.addcmul(h, h, scale:view(scale:size(1), 1, 1, -1))
    film = { shift = shift }
  end
  return self.conv3(self.conv2(h, film):leaky_relu(bottleneck.slope), { add = x })
end

--- A list of blocks.
-- @tparam integer width
-- @tparam integer count
-- @tparam table o as for Block
-- @treturn {Block,...}
function bottleneck.row(width, count, o)
  local row = {}
  for i = 1, count do row[i] = bottleneck.Block(width, o) end
  return row
end

--- Blocks in all levels.
-- @tparam {integer,...} blocks
-- @treturn integer
function bottleneck.count(blocks)
  local count = 0
  for _, n in ipairs(blocks) do count = count + n end
  return count
end

--- x + out(attention from the places of x to the words of a caption): (n,h,w,channels) -> same. No normalisation; the
-- projection out starts at zero, so that the layer starts as the identity.
-- @tparam integer channels
-- @tparam integer heads divides channels
-- @tparam integer text size of a token
bottleneck.Words = class("WordAttention", function(self, channels, heads, text)
  self.heads = heads
  self.q = bottleneck.scaled(Linear(channels, channels), 1)
  self.kv = bottleneck.scaled(Linear(text, 2 * channels), 1)
  self.out = bottleneck.point(channels, channels, 0)
end)

--- @tparam Tensor x (n,h,w,channels)
-- @tparam[opt] Tensor tokens (n,l,text); without them x comes back
-- @tparam[opt] Tensor mask (n,l)
function bottleneck.Words:forward(x, tokens, mask)
  if not tokens then return x end
  local n, h, w, c = table.unpack(x.shape)
  local l, heads = tokens:size(2), self.heads
  local k, v = self.kv(tokens):chunk(2, -1)
  k, v = k:view(n, l, heads, c // heads), v:view(n, l, heads, c // heads)
  local y = core.attention(self.q(x):view(n, h * w, heads, c // heads), k, v, { mask = mask })
  return self.out(y:view(n, h, w, c), { add = x })
end

--- Checks that heads divide the channels where attention stands.
function bottleneck.check_heads(fname, o)
  local c = o.widths[#o.widths]
  if o.caption == "cross" and c % o.heads ~= 0 then
    check.fail(fname, 1, "heads: expected a divisor of the channels at attention (%d), got %d", c, o.heads)
  end
end

return bottleneck
