--- Critics of pictures and captions: the network that a generator is trained against.
--
--     local net = nn.Critic { size = 28, channels = 1, width = 32, text = 64 }
--     local scores = net(x, { pooled = pooled })                               -- (n)
-- @module laterna.nn.critic
local bottleneck = require "laterna.nn.bottleneck"
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local dcgan = require "laterna.nn.dcgan"
local init = require "laterna.nn.initialise"
local levels = require "laterna.nn.levels"
local Linear = require("laterna.nn.linear").Linear
local pair = require "laterna.nn.pair"
local vgg = require "laterna.nn.vgg"

-- R3GAN's levels: residual blocks, then half the side, then the next width.
local Residual = class("ResidualCritic", function(self, o)
  o.count = bottleneck.count(o.blocks)
  self.input = bottleneck.point(o.channels, o.widths[1])
  self.blocks, self.widen = {}, {}
  for level, width in ipairs(o.widths) do
    local from = o.widths[level - 1]
    if from then self.widen[level - 1] = bottleneck.point(from, width) end
    self.blocks[level] = bottleneck.row(width, o.blocks[level], o)
  end
  local last = o.widths[#o.widths]
  if o.caption == "cross" then self.words = bottleneck.Words(last, o.heads, o.text) end
end)

function Residual:forward(x, tokens, mask)
  local maps, last = {}, #self.blocks
  x = self.input(x)
  for level, blocks in ipairs(self.blocks) do
    if level > 1 then x = self.widen[level - 1](levels.halve(x)) end
    if level == last and self.words then x = self.words(x, tokens, mask) end
    for _, block in ipairs(blocks) do x = block(x) end
    maps[level] = x
  end
  return maps
end

local bodies = { residual = Residual, dcgan = dcgan.Critic, vgg = vgg.Critic }

local known = levels.joined(levels.options, bottleneck.options, {
  text = { "integer", 0, min = 0 }, caption = { "string", "projection", one_of = { "projection", "cross" } },
  heads = { "integer", 4, min = 1 }, block = { "string", "residual", one_of = { "residual", "dcgan", "vgg" } },
  norm = { "string", "none", one_of = { "none", "batch" } },
})

local function read(options)
  local o = check.options("Critic", 1, options, known)
  levels.read("Critic", o)
  if o.caption == "cross" and o.text == 0 then
    check.fail("Critic", 1, "caption: \"cross\" needs the option text, the size of a token")
  end
  if o.caption == "cross" and o.block ~= "residual" then
    check.fail("Critic", 1, "caption: %s has \"projection\" only, got \"cross\"", o.block)
  end
  if o.block ~= "dcgan" and o.norm ~= "none" then
    check.fail("Critic", 1, "norm: %s blocks have none; it goes with block = \"dcgan\"", o.block)
  end
  if o.block ~= "residual" and math.min(o.size[1], o.size[2]) >> #o.widths == 0 then
    check.fail("Critic", 1, "size: %s cannot be halved %d times", pair.text(o.size), #o.widths)
  end
  for level = 1, o.block == "vgg" and #o.widths or 0 do
    if o.blocks[level] == 0 then check.fail("Critic", 1, "blocks: vgg needs at least 1 a level") end
  end
  bottleneck.check_heads("Critic", o)
  return o
end

--- A critic: pictures, and what their captions say, to scores, high where a picture is real and fits its caption.
--
-- The last feature map becomes a vector phi, and the score is (w + E pooled) . phi / sqrt(d) + b: how real the picture
-- is, and how well it goes with the caption (projection, Miyato and Koyama 2018, arXiv 1802.05637, eq. 3). Nothing in
-- it mixes the pictures of a batch, unless norm = "batch". Second derivatives are there for gradient penalties.
-- @function Critic
-- @tparam[opt] table options
--
--  - size=28, a side or {height, width}; channels=1 of the pictures
--  - width=32 channels of the first level; multipliers={1,2,4}, a factor a level, each at half the side
--  - block="residual": R3GAN's (arXiv 2501.05441), blocks=1 a level, or a list with a number for each; expansion=2
--    hidden channels a channel, in groups of group=16 (see laterna.nn.bottleneck). Or "dcgan" (Radford et al. 2016,
--    arXiv 1511.06434): convolutions of 4x4 with stride 2, norm="none"|"batch" after all but the first. Or "vgg":
--    blocks convolutions of 3x3 a level, then the largest of each 2x2. In both the last level too is halved
--  - text=0: size of the caption's vectors
--  - caption="projection", or "cross": besides, the places of the last feature map look at the caption's tokens, with
--    heads=4
local Critic = class("Critic", function(self, options)
  local o = read(options)
  self.sizes, self.size, self.channels = { text = o.text }, o.size, o.channels
  self.body = bodies[o.block](o)
  local c, side = o.widths[#o.widths], o.side or o.sides[#o.sides]
  self.basis = bottleneck.scaled(conv.Conv2d(c, c, side, { groups = c, bias = false }), 1)
  self.phi = bottleneck.scaled(Linear(c, c, { bias = false }), 1)
  self.weight, self.bias = init.normal_(core.zeros(c)), core.zeros(1)
  if o.text > 0 then self.caption = bottleneck.scaled(Linear(o.text, c, { bias = false }), 1) end
end)

Critic.no_blocks = true -- gradient penalties differentiate its gradients

local function check_pictures(self, x)
  local h, w = self.size[1], self.size[2]
  if check.type("Critic", 1, "x", x, "tensor"):dim() ~= 4 or x:size(2) ~= h or x:size(3) ~= w
    or x:size(4) ~= self.channels then
    check.fail("Critic", 1, "x: expected (n,%d,%d,%d), got (%s)", h, w, self.channels, table.concat(x.shape, ","))
  end
end

-- What the score is made of: phi (n,c), and the feature maps.
local function look(self, x, cond)
  local maps = self.body(x, cond and cond.tokens, cond and cond.mask)
  return self.phi(self.basis(maps[#maps]):view(x:size(1), -1)), maps
end

local function score(self, phi, cond)
  local wanted = cond and cond.pooled and self.caption(cond.pooled) + self.weight or self.weight
  return (phi * wanted):sum(2) * (#self.weight) ^ -0.5 + self.bias
end

--- Scores, and the feature maps from which they come.
-- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] table cond any of pooled (n,text), tokens (n,l,text), mask (n,l); detail is passed over, for a critic
-- judges picture and caption
-- @treturn Tensor (n)
-- @treturn {Tensor,...} feature maps (n,h,w,c), one a level, the largest first
-- @treturn Tensor (n,c) what the score is made of: the product of this and what the caption asks for
function Critic:features(x, cond)
  check_pictures(self, x)
  call.condition("Critic", 2, cond, x:size(1), self.sizes)
  local phi, maps = look(self, x, cond)
  return score(self, phi, cond), maps, phi
end

--- Scores of the same pictures with several captions each. Where captions are projected and nothing more, the pictures
-- are looked at once for all of them, so that a second caption costs next to nothing.
-- @tparam Tensor x (n,size,size,channels)
-- @tparam {table,...} conds conditions as for features
-- @treturn {Tensor,...} (n) for each
function Critic:scores(x, conds)
  check_pictures(self, x)
  check.type("scores", 2, "conds", conds, "table")
  local list, phi = {}, nil
  for i = 1, rawlen(conds) do
    local cond = check.type("scores", 2, "conds", rawget(conds, i), "table")
    call.condition("scores", 2, cond, x:size(1), self.sizes)
    if not phi or self.body.words then phi = look(self, x, cond) end
    list[i] = score(self, phi, cond)
  end
  return list
end

--- @tparam Tensor x (n,size,size,channels)
-- @tparam[opt] table cond as for features
-- @treturn Tensor (n)
function Critic:forward(x, cond)
  return (self:features(x, cond))
end

return { Critic = Critic }
