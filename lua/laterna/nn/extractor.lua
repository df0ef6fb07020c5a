--- The extractor: an image encoder that reads the picture's caption word by word, to see what it does not say.
--
--     local extractor = nn.Extractor { size = 32, channels = 3, detail = 32, text = 64 }
--     local out = extractor(x, { tokens = tokens, mask = mask, pooled = pooled })   -- (n,64): mu beside logvar
-- @module laterna.nn.extractor
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local levels = require "laterna.nn.levels"
local linear = require "laterna.nn.linear"
local SpatialAttention = require("laterna.nn.spatial_attention").SpatialAttention

local OPTIONS = levels.joined(levels.coder_options, {
  size = { "integer", 28, min = 4 }, detail = { "integer", required = true, min = 1 },
  heads = { "integer", 4, min = 1 }, outputs = { "integer", 2, min = 1, max = 64 },
})

--- A picture and its caption to a vector: (n,size,size,channels), {tokens (n,l,text), mask (n,l), pooled (n,text)} ->
-- (n,outputs detail). Each level halves the picture and doubles the width; the pooled vector scales and shifts in every
-- residual block; the places of the last feature map look at each other and at the caption's tokens
-- (nn.SpatialAttention); then all places together with the pooled vector go through two linear layers.
-- @function Extractor
-- @tparam table options
--
--  - detail: d, the size of the detail
--  - size=28, channels=1: of the pictures
--  - width=32, levels=2, blocks=1: of the convolutions, as for nn.PictureEncoder
--  - text=0: width of the caption's vectors, 0 for none
--  - heads=4: of the attention, a divisor of width 2^levels
--  - outputs=2: numbers a coordinate, 2 for mu and logvar, 1 for a detail without variance (regulariser.fsq)
local Extractor = class("Extractor", function(self, options)
  local o = check.options("Extractor", 1, options, OPTIONS)
  local side = levels.smallest_side("Extractor", 1, o)
  local widest = o.width << o.levels
  if widest % o.heads ~= 0 then
    check.fail("Extractor", 1, "heads: expected a divisor of the last width (%d), got %d", widest, o.heads)
  end
  self.size, self.channels, self.sizes = o.size, o.channels, { text = o.text }
  self.input = conv.Conv2d(o.channels, o.width, 3, { padding = 1 })
  levels.add_down(self, o.width, o, o.text > 0 and o.text or nil)
  self.attention = SpatialAttention(widest, o.heads, { context = o.text })
  self.norm = levels.last_norm(widest)
  self.hidden = linear.Linear(side * side * widest + o.text, 8 * o.width)
  self.out = linear.Linear(8 * o.width, o.outputs * o.detail)
end)

--- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] table cond {tokens, mask, pooled}; needed where text is not 0
-- @treturn Tensor (n,outputs detail)
function Extractor:forward(x, cond)
  local size = self.size
  if check.type("Extractor", 1, "x", x, "tensor"):dim() ~= 4 or x:size(2) ~= size or x:size(3) ~= size
    or x:size(4) ~= self.channels then
    check.fail("Extractor", 1, "x: expected (n,%d,%d,%d), got (%s)", size, size, self.channels,
      table.concat(x.shape, ","))
  end
  call.condition("Extractor", 2, cond, x:size(1), self.sizes)
  local pooled = cond and cond.pooled
  if self.sizes.text > 0 and not pooled then
    check.fail("Extractor", 2, "cond: expected {tokens, mask, pooled}, got %s", check.describe(cond))
  end
  local h = levels.run_down(self, self.input(x), pooled)
  h = self.norm(self.attention(h, cond and cond.tokens, cond and cond.mask)):flatten(2)
  if pooled then h = core.cat({ h, pooled }, 2) end
  return self.out(core.silu(self.hidden(h)))
end

return { Extractor = Extractor }
