-- The U-Net of torch_steps.py: two residual blocks a level, attention in the middle, nearest-neighbour upsampling.
local core = require "laterna.core"
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local same, silu = { padding = 1 }, { activation = "silu" }

local Res = nn.class("Res", function(self, cin, cout, temb)
  self.n1, self.c1, self.t = nn.GroupNorm(8, cin, silu), nn.Conv2d(cin, cout, 3, same), nn.Linear(temb, cout)
  self.n2, self.c2 = nn.GroupNorm(8, cout, silu), nn.Conv2d(cout, cout, 3, same)
  if cin ~= cout then self.skip = nn.Conv2d(cin, cout, 1) end
end)

function Res:forward(x, e)
  local h = self.c1(self.n1(x), { shift = self.t(e:silu()) })
  return self.c2(self.n2(h), { add = self.skip and self.skip(x) or x })
end

local Attn = nn.class("Attn", function(self, c)
  self.n, self.qkv, self.proj, self.heads = nn.GroupNorm(8, c), nn.Conv2d(c, 3 * c, 1), nn.Conv2d(c, c, 1), 4
end)

function Attn:forward(x)
  local b, h, w, c = x:size(1), x:size(2), x:size(3), x:size(4)
  local qkv = self.qkv(self.n(x)):view(b, h * w, 3 * c)
  return x + self.proj(core.attention_qkv(qkv, self.heads):view(b, h, w, c))
end

local UNet = nn.class("UNet", function(self, cin, d, multipliers)
  local t, widths = 4 * d, {}
  for i, k in ipairs(multipliers or { 1, 2, 4 }) do widths[i] = k * d end
  self.d, self.temb1, self.temb2 = d, nn.Linear(d, t), nn.Linear(t, t)
  self.inp = nn.Conv2d(cin, d, 3, same)
  local c = d
  self.down, self.up = {}, {}
  for i, k in ipairs(widths) do
    self.down[i] = { Res(c, k, t), Res(k, k, t) }
    self.down[i][3] = i < #widths and nn.Conv2d(k, k, 3, { stride = 2, padding = 1 }) or nil
    c = k
  end
  self.mid = { Res(c, c, t), Attn(c), Res(c, c, t) }
  for i = #widths, 1, -1 do
    local k = widths[i]
    table.insert(self.up, { Res(c + k, k, t), Res(2 * k, k, t), i > 1 and nn.Conv2d(k, k, 3, same) or nil })
    c = k
  end
  self.norm, self.out = nn.GroupNorm(8, c, silu), nn.Conv2d(c, cin, 3, same)
end)

function UNet:forward(x, t)
  local e = self.temb2(self.temb1(step.sinusoid(t, self.d)):silu())
  local skips = {}
  x = self.inp(x)
  for _, level in ipairs(self.down) do
    for i = 1, 2 do
      x = level[i](x, e)
      table.insert(skips, x)
    end
    x = level[3] and level[3](x) or x
  end
  x = self.mid[3](self.mid[2](self.mid[1](x, e)), e)
  for _, level in ipairs(self.up) do
    for i = 1, 2 do x = level[i](lt.cat({ x, table.remove(skips) }, 4), e) end
    x = level[3] and level[3](lt.upsample_nearest(x, 2)) or x
  end
  return self.out(self.norm(x))
end

local unet = { UNet = UNet }

function unet.training(d, batch)
  return function() return step.denoiser(UNet(1, d), { batch, 32, 32, 1 }) end
end

-- What a picture that is painted at the prompt waits for, again and again: one evaluation at one picture of 64 x 64.
function unet.latency()
  local model, x, t = UNet(3, 32, { 1, 2, 2 }), lt.randn(1, 64, 64, 3), lt.full({ 1 }, 500)
  return function() return lt.no_grad(model, x, t) end, step.count(model)
end

-- Fifty steps of DDIM (eta 0) with the linear betas of DDPM.
function unet.sampling(batch, steps)
  return function()
    local model, x0, abar = UNet(1, 32), lt.randn(batch, 32, 32, 1), { [0] = 1 }
    for t = 0, 999 do abar[t + 1] = abar[t] * (1 - (1e-4 + (0.02 - 1e-4) * t / 999)) end
    return function()
      return lt.no_grad(function()
        local x = x0
        for t = 999, 0, -1000 // steps do
          local a, b = abar[t + 1], abar[math.max(0, t + 1 - 1000 // steps)]
          local e = model(x, lt.full({ batch }, t))
          x = (x - e * (1 - a) ^ 0.5) * (b / a) ^ 0.5 + e * (1 - b) ^ 0.5
        end
        return x
      end)
    end, step.count(model)
  end
end

return unet
