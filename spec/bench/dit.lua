-- The diffusion transformer of torch_steps.py: adaLN-Zero blocks (Peebles and Xie 2022, arXiv 2212.09748).
local core = require "laterna.core"
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local plain = { affine = false, eps = 1e-6 }

local Block = nn.class("Block", function(self, d, heads)
  self.n1, self.n2 = nn.LayerNorm(d, plain), nn.LayerNorm(d, plain)
  self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
  self.f1, self.f2, self.ada = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.Linear(d, 6 * d)
  self.heads = heads
end)

function Block:forward(x, c)
  local s1, g1, a1, s2, g2, a2 = self.ada(c:silu()):chunk(6, -1)
  local h = self.n1(x, { shift = s1, scale = g1 })
  x = lt.addcmul(x, a1:unsqueeze(2), self.proj(core.attention_qkv(self.qkv(h), self.heads)))
  h = self.n2(x, { shift = s2, scale = g2 })
  return lt.addcmul(x, a2:unsqueeze(2), self.f2(self.f1(h):gelu { approximate = "tanh" }))
end

local DiT = nn.class("DiT", function(self, d, depth, heads, tokens, patch)
  self.d, self.temb1, self.temb2 = d, nn.Linear(256, d), nn.Linear(d, d)
  self.inp, self.pos = nn.Linear(patch, d), lt.zeros(1, tokens, d)
  self.blocks = {}
  for i = 1, depth do self.blocks[i] = Block(d, heads) end
  self.norm, self.ada, self.out = nn.LayerNorm(d, plain), nn.Linear(d, 2 * d), nn.Linear(d, patch)
end)

function DiT:forward(x, t)
  local c = self.temb2(self.temb1(step.sinusoid(t, 256)):silu())
  x = self.inp(x) + self.pos
  for _, block in ipairs(self.blocks) do x = block(x, c) end
  local s, g = self.ada(c:silu()):chunk(2, -1)
  return self.out(self.norm(x, { shift = s, scale = g }))
end

return function(batch, d, depth, heads, tokens, patch)
  return function() return step.denoiser(DiT(d, depth, heads, tokens, patch), { batch, tokens, patch }) end
end
