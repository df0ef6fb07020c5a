--- The diffusion transformer (Peebles and Xie 2022, arXiv 2212.09748): a picture in patches, blocks whose norms are
-- scaled, shifted and gated by time and caption, all gates closed at the start (adaLN-Zero). A depthwise convolution
-- between the two layers of every MLP, where asked, tells each patch of its neighbours.
--
--     local net = nn.DiT { channels = 3, size = 32, patch = 4, text = 64 }
--     local y = net(x, t, { pooled = pooled, tokens = tokens, mask = mask })    -- (n,32,32,3)
-- @module laterna.nn.dit
local attention = require "laterna.nn.attention"
local call = require "laterna.nn.call"
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local Conv2d = require("laterna.nn.conv").Conv2d
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local Linear = require("laterna.nn.linear").Linear
local LayerNorm = require("laterna.nn.norm").LayerNorm
local pair = require "laterna.nn.pair"
local position = require "laterna.nn.position"
local TimeEmbedding = require("laterna.nn.time").TimeEmbedding

local PLAIN = { affine = false, eps = 1e-6 }
local WAVES = 256 -- of the time, as in the paper's code
local TANH = { approximate = "tanh" }

-- A linear layer that starts as the paper's code has it: Xavier, or zero; no bias.
local function linear(from, to, zero)
  local layer = Linear(from, to)
  if zero then init.zeros_(layer.weight) else init.xavier_uniform_(layer.weight) end
  init.zeros_(layer.bias)
  return layer
end

local Block = class("DiTBlock", function(self, o)
  local d = o.dim
  self.heads = o.heads
  self.norm1, self.norm2 = LayerNorm(d, PLAIN), LayerNorm(d, PLAIN)
  self.qkv, self.proj = linear(d, 3 * d), linear(d, d)
  self.fc1, self.fc2 = linear(d, o.mlp * d), linear(o.mlp * d, d)
  if o.mix > 1 then -- starts as nothing, so that the block starts as the paper's
    self.mix = Conv2d(o.mlp * d, o.mlp * d, o.mix, { padding = o.mix // 2, groups = o.mlp * d, bias = false })
    init.zeros_(self.mix.weight)
  end
  self.ada = linear(d, 6 * d, true)
  if o.caption == "cross" and o.text > 0 then
    self.context_norm = LayerNorm(d, { eps = 1e-6 })
    self.context = attention.MultiheadAttention(d, o.heads, { context_dim = o.text })
    init.zeros_(self.context.out_proj.weight)
  end
end)

Block.is_block = true

-- h (n,l,d) -> (n,l,d). Turned or not, q, k and v lie side by side: one kernel reads them where they are.
local function look(self, h, s)
  local qkv = self.qkv(h)                                             -- (n,l,3d)
  if s.angles then
    local n, l, d = h:size(1), h:size(2), h:size(3)
    qkv = position.rotate(qkv:view(n, l, 3 * self.heads, d // self.heads), s.angles):view(n, l, 3 * d)
  end
  return self.proj(core.attention_qkv(qkv, self.heads, { mask = s.mask }))
end

-- h (n,l,m) + what the neighbours of each patch have in the same channel; words have no neighbours.
local function mix(self, h, s)
  local n, m = h:size(1), h:size(3)
  local patches = s.words > 0 and h:narrow(2, s.words + 1, s.h * s.w) or h
  patches = patches:view(n, s.h, s.w, m)
  patches = self.mix(patches, { add = patches }):view(n, s.h * s.w, m)
  return s.words > 0 and core.cat({ h:narrow(2, 1, s.words), patches }, 2) or patches
end

-- x (n,l,d), c (n,d) already through silu; s: what the sequence is
function Block:forward(x, c, s)
  local shift1, scale1, gate1, shift2, scale2, gate2 = self.ada(c):chunk(6, -1) -- (n,d) each
  local h = self.norm1(x, { shift = shift1, scale = scale1 })         -- (n,l,d)
  x = core.addcmul(x, gate1:unsqueeze(2), look(self, h, s))
  if self.context and s.context then x = x + self.context(self.context_norm(x), s.context, s.context_mask) end
  h = self.fc1(self.norm2(x, { shift = shift2, scale = scale2 }))     -- (n,l,mlp d)
  if self.mix then h = mix(self, h, s) end                            -- (n,l,mlp d)
  return core.addcmul(x, gate2:unsqueeze(2), self.fc2(h:gelu(TANH)))
end

local function read(options)
  local o = check.options("DiT", 1, options, {
    channels = { "integer", 1, min = 1 }, out_channels = { "integer", min = 1 }, size = { pair.rule(1), 28 },
    patch = { "integer", 4, min = 1, max = 4096 }, dim = { "integer", 192, min = 4 },
    depth = { "integer", 6, min = 0, max = 256 }, heads = { "integer", 3, min = 1 },
    mlp = { "integer", 4, min = 1, max = 64 }, mix = { "integer", 1, min = 1, max = 15 },
    positions = { "string", "fixed", one_of = { "fixed", "rope" } }, text = { "integer", 0, min = 0 },
    caption = { "string", "tokens", one_of = { "tokens", "cross", "pooled" } }, detail = { "integer", 0, min = 0 },
  })
  if o.mix % 2 == 0 then check.fail("DiT", 1, "mix: expected an odd side, got %d", o.mix) end
  o.out_channels, o.size = o.out_channels or o.channels, pair.split(o.size)
  for _, side in ipairs(o.size) do
    if side % o.patch ~= 0 then
      check.fail("DiT", 1, "size: %d cannot be cut into patches of %d", side, o.patch)
    end
  end
  if o.dim % o.heads ~= 0 then check.fail("DiT", 1, "heads: expected a divisor of dim (%d), got %d", o.dim, o.heads) end
  local place = o.positions == "rope" and o.dim // o.heads or o.dim
  if place % 4 ~= 0 then
    check.fail("DiT", 1, "dim: %s positions need a multiple of 4%s, got %d", o.positions,
      o.positions == "rope" and " in a head" or "", place)
  end
  return o
end

--- A diffusion transformer. The picture is cut into patches, each a token. The time, the caption's pooled vector and
-- the detail tell every block how to scale, shift and gate; the caption's tokens stand before the patches in the
-- sequence, or are looked at by cross-attention, or are not used. The output starts at zero.
-- Pictures of another size than `size` are possible: their positions are spread over the same range.
-- @function DiT
-- @tparam[opt] table options
--
--  - channels=1 of the pictures; out_channels=channels
--  - size=28: side, or {h,w}; patch=4: side of a patch, divides them
--  - dim=192; depth=6 blocks; heads=3; mlp=4: width of the hidden layer, in dims
--  - mix=1: side of the depthwise convolution in the MLP, which starts as zero; 1: none (Xie et al. 2021, arXiv
--    2105.15203; with diffusion: Xie et al. 2024, arXiv 2410.10629). Where the training is short, 3 helps much
--  - positions="fixed" (sines and cosines that are added) or "rope" (rotary); neither is trained
--  - text=0: size of the caption's vectors; caption="tokens", "cross" or "pooled"
--  - detail=0: size of cond.detail
local DiT = class("DiT", function(self, options)
  local o = read(options)
  self.patch, self.dim, self.heads, self.positions, self.caption = o.patch, o.dim, o.heads, o.positions, o.caption
  self.sizes = { channels = o.channels, text = o.text, detail = o.detail }
  self.grid = { o.size[1] // o.patch, o.size[2] // o.patch }
  self.out_channels = o.out_channels
  self.time = TimeEmbedding(o.dim, { waves = WAVES, text = o.text, detail = o.detail })
  init.normal_(self.time.fc1.weight, 0, 0.02)
  init.normal_(self.time.fc2.weight, 0, 0.02)
  self.input = linear(o.patch * o.patch * o.channels, o.dim)
  if o.caption == "tokens" and o.text > 0 then self.words = linear(o.text, o.dim) end
  self.blocks = {}
  for i = 1, o.depth do self.blocks[i] = Block(o) end
  self.norm, self.ada = LayerNorm(o.dim, PLAIN), linear(o.dim, 2 * o.dim, true)
  self.output = linear(o.dim, o.patch * o.patch * o.out_channels, true)
end)

-- (n,h p,w p,c) -> (n,h w,p p c)
local function to_patches(x, p, h, w)
  local n, c = x:size(1), x:size(4)
  return x:view(n, h, p, w, p, c):permute(1, 2, 4, 3, 5, 6):view(n, h * w, p * p * c)
end

-- (n,h w,p p c) -> (n,h p,w p,c)
local function from_patches(x, p, h, w, c)
  local n = x:size(1)
  return x:view(n, h, w, p, p, c):permute(1, 2, 4, 3, 5, 6):view(n, h * p, w * p, c)
end

-- Angles for the heads of q, k and v at once: those of v turn nothing. That is cheaper than to cut v off and join it.
local function for_qkv(angles, heads)
  local l, _, d = table.unpack(angles.cos.shape)
  local function widened(t, rest) return core.cat({ t:expand(l, 2 * heads, d), rest }, 2) end
  return {
    cos = widened(angles.cos, core.ones(l, heads, d)), sin = widened(angles.sin, core.zeros(l, heads, d)),
    swap = angles.swap,
  }
end

-- The patches (n,l,d) as a sequence: with positions, and with the words before them.
local function sequence(self, x, h, w, cond)
  local steps = { self.grid[1] / h, self.grid[2] / w }
  if self.positions == "fixed" then x = x + position.fixed(h, w, self.dim, steps) end
  local s, tokens = { words = 0, h = h, w = w }, cond and cond.tokens
  if tokens and self.words then
    s.words = tokens:size(2)
    x = core.cat({ self.words(tokens), x }, 2)
    s.mask = cond.mask and core.cat({ cond.mask, core.ones(x:size(1), h * w) }, 2)
  elseif tokens then
    s.context, s.context_mask = tokens, cond.mask
  end
  if self.positions == "rope" then
    s.angles = for_qkv(position.rotary(h, w, self.dim // self.heads, steps, s.words), self.heads)
  end
  return x, s
end

--- @tparam Tensor x (n,h,w,channels), h and w multiples of the patch
-- @tparam Tensor t (n), from 0 (clean) to 1
-- @tparam[opt] table cond any of pooled (n,text), tokens (n,l,text), mask (n,l), detail (n,detail)
-- @treturn Tensor (n,h,w,out_channels)
function DiT:forward(x, t, cond)
  call.check("DiT", x, t, cond, self.sizes)
  local p = self.patch
  local h, w = x:size(2) // p, x:size(3) // p
  if h < 1 or w < 1 or x:size(2) % p ~= 0 or x:size(3) % p ~= 0 then
    check.fail("DiT", 1, "x: sides that can be cut into patches of %d, got (%s)", p, table.concat(x.shape, ","))
  end
  local c = self.time(t, cond):silu()                                 -- (n,d)
  local s
  x = self.input(to_patches(x, p, h, w))                              -- (n,l,d)
  x, s = sequence(self, x, h, w, cond)                                -- (n,words + l,d)
  for _, block in ipairs(self.blocks) do x = block(x, c, s) end
  if s.words > 0 then x = x:narrow(2, s.words + 1, h * w) end         -- (n,l,d)
  local shift, scale = self.ada(c):chunk(2, -1)                       -- (n,d) each
  x = self.output(self.norm(x, { shift = shift, scale = scale }))     -- (n,l,p p c)
  return from_patches(x, p, h, w, self.out_channels)
end

return { DiT = DiT }
