--- The U-Net that removes noise from pictures (Ho et al. 2020, arXiv 2006.11239; blocks as in Dhariwal and Nichol 2021,
-- arXiv 2105.05233).
--
--     local net = nn.UNet { channels = 3, size = 32, width = 48, text = 64 }
--     local y = net(x, t, { pooled = pooled, tokens = tokens, mask = mask })    -- (n,32,32,3)
-- @module laterna.nn.unet
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local levels = require "laterna.nn.levels"
local norm = require "laterna.nn.norm"
local resblock = require "laterna.nn.resblock"
local SpatialAttention = require("laterna.nn.spatial_attention").SpatialAttention
local TimeEmbedding = require("laterna.nn.time").TimeEmbedding

local SAME = { padding = 1 }

-- A residual block, and attention after it where there is some.
local Stage = class("UNetStage", function(self, inputs, outputs, o, attends)
  self.block = resblock.ResBlock(inputs, outputs, { condition = o.condition, dropout = o.dropout })
  if attends then
    self.attention = SpatialAttention(outputs, o.heads, { context = o.cross and o.text or 0 })
  end
end)

Stage.is_block = true

function Stage:forward(x, e, tokens, mask)
  x = self.block(x, e)
  return self.attention and self.attention(x, tokens, mask) or x
end

-- Which levels have attention: those whose side the user named. Without a word it is the last.
local function attending(o)
  local count, sides, side = #o.multipliers, {}, o.size
  for level = 1, count do
    sides[level] = side
    side = (side + 1) // 2
  end
  if not o.attention then return { [count] = true } end
  local at = {}
  for _, wanted in ipairs(o.attention) do
    local found
    for level = 1, count do
      if sides[level] == wanted then at[level], found = true, true end
    end
    if not found then
      check.fail("UNet", 1, "attention: no feature map has side %d; with size %d the sides are %s", wanted, o.size,
        table.concat(sides, ", "))
    end
  end
  return at
end

local function check_heads(o, at)
  for level, multiplier in ipairs(o.multipliers) do
    local c = o.width * multiplier
    if (at[level] or level == #o.multipliers) and c % o.heads ~= 0 then
      check.fail("UNet", 1, "heads: expected a divisor of the channels at attention (%d), got %d", c, o.heads)
    end
  end
end

local function read(options)
  local o = check.options("UNet", 1, options, {
    channels = { "integer", 1, min = 1 }, out_channels = { "integer", min = 1 }, size = { "integer", 28, min = 1 },
    width = { "integer", 32, min = 1 }, multipliers = levels.options.multipliers,
    blocks = { "integer", 2, min = 1, max = 64 }, attention = levels.counts(1), heads = { "integer", 4, min = 1 },
    text = { "integer", 0, min = 0 }, cross = { "boolean", true }, detail = { "integer", 0, min = 0 },
    dropout = { "number", 0, min = 0, max = 1 },
  })
  o.multipliers = levels.multipliers("UNet", o.multipliers)
  o.attention = o.attention and levels.listed(o.attention)
  o.condition, o.out_channels = 4 * o.width, o.out_channels or o.channels
  return o
end

--- A U-Net. On the way down each level has `blocks` residual blocks and then, but for the last, a convolution that
-- halves the picture; on the way up the same number, each of which sees also what the one opposite gave, and nearest
-- neighbour enlargement. The time, the caption's pooled vector and the detail scale and shift the second norm
-- of every block; where there is attention, places also look at the caption's tokens. The output starts at zero.
-- Sides need not be powers of two: what is enlarged is cut to the size of what it meets.
-- @function UNet
-- @tparam[opt] table options
--
--  - channels=1 of the pictures; out_channels=channels
--  - width=32 channels of the first level; multipliers={1,2,4}, a factor a level; blocks=2 a level
--  - attention: list of sides of feature maps at which blocks are followed by attention, for pictures of side size=28;
--    by default the smallest. Between way down and way up there is always attention. heads=4
--  - text=0: size of the caption's vectors, cond.pooled and cond.tokens; cross=true: attention to the tokens
--  - detail=0: size of cond.detail
--  - dropout=0 before the last convolution of each block
local UNet = class("UNet", function(self, options)
  local o = read(options)
  local at = attending(o)
  check_heads(o, at)
  self.sizes = { channels = o.channels, text = o.text, detail = o.detail }
  self.time = TimeEmbedding(o.condition, { waves = o.width + o.width % 2, text = o.text, detail = o.detail })
  self.input = conv.Conv2d(o.channels, o.width, 3, SAME)
  self.down, self.shrink, self.up, self.grow = {}, {}, {}, {}
  local c = o.width
  for level, multiplier in ipairs(o.multipliers) do
    local k = o.width * multiplier
    self.down[level], self.up[level] = {}, {}
    for i = 1, o.blocks do
      self.down[level][i] = Stage(i == 1 and c or k, k, o, at[level])
      self.up[level][i] = Stage(2 * k, k, o, at[level])
    end
    if level > 1 then
      self.shrink[level - 1] = conv.Conv2d(c, c, 3, { stride = 2, padding = 1 })
      self.grow[level - 1] = conv.Conv2d(k, c, 3, SAME)
    end
    c = k
  end
  self.middle = { Stage(c, c, o, true), Stage(c, c, o, false) }
  c = o.width * o.multipliers[1]
  self.norm = norm.GroupNorm(resblock.groups_of(c), c, { activation = "silu" })
  self.output = conv.Conv2d(c, o.out_channels, 3, SAME)
  init.zeros_(self.output.weight)
  init.zeros_(self.output.bias)
end)

-- Twice as large, without what would stand over (h,w).
local function enlarge(x, h, w)
  x = core.upsample_nearest(x, 2)
  if x:size(2) > h then x = x:narrow(2, 1, h) end
  if x:size(3) > w then x = x:narrow(3, 1, w) end
  return x
end

--- @tparam Tensor x (n,h,w,channels)
-- @tparam Tensor t (n), from 0 (clean) to 1
-- @tparam[opt] table cond any of pooled (n,text), tokens (n,l,text), mask (n,l), detail (n,detail)
-- @treturn Tensor (n,h,w,out_channels)
function UNet:forward(x, t, cond)
  call.check("UNet", x, t, cond, self.sizes)
  local last = #self.down
  if math.min(x:size(2), x:size(3)) < 1 << last - 1 then
    check.fail("UNet", 1, "x: sides of at least %d for %d levels, got (%s)", 1 << last - 1, last,
      table.concat(x.shape, ","))
  end
  local e = self.time(t, cond):silu()
  local tokens, mask = cond and cond.tokens, cond and cond.mask
  local skips = {}
  x = self.input(x)
  for level = 1, last do
    skips[level] = {}
    for i, stage in ipairs(self.down[level]) do
      x = stage(x, e, tokens, mask)
      skips[level][i] = x
    end
    if level < last then x = self.shrink[level](x) end
  end
  for _, stage in ipairs(self.middle) do x = stage(x, e, tokens, mask) end
  for level = last, 1, -1 do
    for _, stage in ipairs(self.up[level]) do
      x = stage(core.cat({ x, table.remove(skips[level]) }, 4), e, tokens, mask)
    end
    if level > 1 then
      local above = skips[level - 1]
      local _, h, w = table.unpack(above[#above].shape)
      x = self.grow[level - 1](enlarge(x, h, w))
    end
  end
  return self.output(self.norm(x))
end

return { UNet = UNet }
