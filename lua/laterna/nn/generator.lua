--- Generators that paint in one go, from noise and from what a caption says: a GAN's.
--
--     local net = nn.Generator { size = 28, channels = 1, width = 32, detail = 64, text = 64 }
--     local x = net(lt.randn(n, 64), { pooled = pooled })                      -- (n,28,28,1)
-- @module laterna.nn.generator
local bottleneck = require "laterna.nn.bottleneck"
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local dcgan = require "laterna.nn.dcgan"
local init = require "laterna.nn.initialise"
local levels = require "laterna.nn.levels"
local Linear = require("laterna.nn.linear").Linear

-- R3GAN's levels: residual blocks, then the next width, then twice the side.
local Residual = class("ResidualGenerator", function(self, o)
  o.count = bottleneck.count(o.blocks)
  self.sides, self.blocks, self.narrow = o.sides, {}, {}
  for level, width in ipairs(o.widths) do
    self.blocks[level] = bottleneck.row(width, o.blocks[level], o)
    if level > 1 then self.narrow[level - 1] = bottleneck.point(width, o.widths[level - 1]) end
  end
  local last = o.widths[#o.widths]
  if o.caption == "cross" then self.words = bottleneck.Words(last, o.heads, o.text) end
  self.output = bottleneck.point(o.widths[1], o.channels)
end)

function Residual:forward(x, e, tokens, mask)
  if self.words then x = self.words(x, tokens, mask) end
  for level = #self.blocks, 1, -1 do
    for _, block in ipairs(self.blocks[level]) do x = block(x, e) end
    if level > 1 then x = core.resize_bilinear(self.narrow[level - 1](x), self.sides[level - 1]) end
  end
  return self.output(x)
end

local known = levels.joined(levels.options, bottleneck.options, {
  detail = { "integer", 64, min = 0 }, text = { "integer", 0, min = 0 },
  caption = { "string", one_of = { "concat", "modulate", "cross" } }, heads = { "integer", 4, min = 1 },
  block = { "string", "residual", one_of = { "residual", "dcgan" } },
})

local function read(options)
  local o = check.options("Generator", 1, options, known)
  levels.read("Generator", o, o.block == "dcgan" and 1 or 0)
  if o.detail + o.text == 0 then
    check.fail("Generator", 1, "detail: with 0 and without the option text there is nothing to paint from")
  end
  if o.block == "dcgan" and (o.caption or "concat") ~= "concat" then
    check.fail("Generator", 1, "caption: dcgan takes it at the start only, \"concat\", got \"%s\"", o.caption)
  end
  if o.caption == "cross" and o.text == 0 then
    check.fail("Generator", 1, "caption: \"cross\" needs the option text, the size of a token")
  end
  o.caption = o.caption or o.block == "dcgan" and "concat" or "modulate"
  bottleneck.check_heads("Generator", o)
  return o
end

--- A generator: a vector z, and what a caption says, to pictures. z and the caption's pooled vector, side by side, go
-- through a small network; what comes out sets the strength of learned patterns, one a channel, that are the first
-- feature map, and scales and shifts in every block.
-- @function Generator
-- @tparam[opt] table options
--
--  - size=28, a side or {height, width}; channels=1 painted
--  - width=32 channels of the last level; multipliers={1,2,4}, a factor a level, each at half the side
--  - block="residual": R3GAN's (arXiv 2501.05441), blocks=1 a level, or a list with a number for each, the largest side
--    first; expansion=2, group=16 (see laterna.nn.bottleneck); linear output. Or "dcgan" (Radford et al. 2016, arXiv
--    1511.06434): transposed convolutions of 4x4 with stride 2 and batch norms; then the last level too is halved; tanh
--  - detail=64: size of z; 0 for a generator that paints from the caption alone
--  - text=0: size of the caption's vectors
--  - caption="modulate": z and caption scale and shift the hidden channels of every block; "concat": they count at the
--    start only, as in R3GAN and DCGAN; "cross": besides modulation, the places of the first feature map look at the
--    caption's tokens, with heads=4
local Generator = class("Generator", function(self, options)
  local o = read(options)
  self.detail, self.sizes = o.detail, { text = o.text }
  local c, side = o.widths[#o.widths], o.sides[#o.sides]
  self.hidden = bottleneck.scaled(Linear(o.detail + o.text, c), init.gain("leaky_relu", bottleneck.slope))
  if o.block == "dcgan" then
    self.start = bottleneck.scaled(Linear(c, side[1] * side[2] * c, { bias = false }), 1)
    self.side, self.body = side, dcgan.Generator(o)
  else
    self.start = bottleneck.scaled(Linear(c, c, { bias = false }), 1)
    self.basis = init.normal_(core.zeros(side[1], side[2], c))
    if o.caption ~= "concat" then o.condition = c end
    self.body = Residual(o)
  end
end)

-- z beside the caption's vector; zeros stand for a caption that says nothing.
local function join(self, z, cond)
  local pooled, text = cond and check.type("Generator", 2, "cond.pooled", cond.pooled, "tensor|nil"), self.sizes.text
  if self.detail > 0 then
    if check.type("Generator", 1, "z", z, "tensor"):dim() ~= 2 or z:size(2) ~= self.detail then
      check.fail("Generator", 1, "z: expected (n,%d), got (%s)", self.detail, table.concat(z.shape, ","))
    end
  elseif z ~= nil then
    check.fail("Generator", 1, "z: expected nil, for detail is 0, got %s", check.describe(z))
  elseif not pooled then
    check.fail("Generator", 2, "cond.pooled: this generator paints from the caption alone")
  end
  local n = (z or pooled):size(1)
  call.condition("Generator", 2, cond, n, self.sizes)
  if text == 0 then return z end
  pooled = pooled or core.zeros(n, text)
  return z and core.cat({ z, pooled }, 2) or pooled
end

--- @tparam ?Tensor z (n,detail); nil where detail is 0
-- @tparam[opt] table cond any of pooled (n,text), tokens (n,l,text), mask (n,l)
-- @treturn Tensor (n,h,w,channels), of about the size of pictures in [-1,1]
function Generator:forward(z, cond)
  check.type("Generator", 2, "cond", cond, "table|nil")
  local e = self.hidden(join(self, z, cond)):leaky_relu(bottleneck.slope)
  local h = self.start(e)
  if not self.basis then return self.body(h:view(h:size(1), self.side[1], self.side[2], -1)) end
  return self.body(h:view(h:size(1), 1, 1, -1) * self.basis, e, cond and cond.tokens, cond and cond.mask)
end

return { Generator = Generator }
