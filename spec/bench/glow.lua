-- The flow of torch_steps.py (Kingma and Dhariwal 2018, arXiv 1807.03039): three levels of steps, each an actnorm, an
-- invertible 1x1 convolution and an affine coupling; half of the channels split off after each level.
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local Step = nn.class("Step", function(self, c, hidden)
  self.bias, self.logs = lt.zeros(c), lt.zeros(c)
  self.w = (lt.qr(lt.randn(c, c)))
  self.c1 = nn.Conv2d(c // 2, hidden, 3, { padding = 1 })
  self.c2 = nn.Conv2d(hidden, hidden, 1)
  self.c3 = nn.Conv2d(hidden, c, 3, { padding = 1 })
  nn.init.zeros_(self.c3.weight)
  nn.init.zeros_(self.c3.bias)
end)

function Step:forward(x, logdet)
  local h, w, c = x:size(2), x:size(3), x:size(4)
  x = (x + self.bias) * self.logs:exp()
  x = lt.conv2d(x, self.w:view(c, 1, 1, c))
  logdet = logdet + (self.logs:sum() + lt.logdet(self.w)) * (h * w)
  local a, b = x:chunk(2, 4)
  local s, t = self.c3(self.c2(self.c1(a):relu()):relu()):chunk(2, 4)
  s = (s + 2):sigmoid()
  return lt.cat({ a, (b + t) * s }, 4), logdet + s:log():sum { 2, 3, 4 }
end

-- (n,h,w,c) -> (n,h/2,w/2,4c)
local function squeeze(x)
  local n, h, w, c = x:size(1), x:size(2), x:size(3), x:size(4)
  return x:view(n, h // 2, 2, w // 2, 2, c):permute(1, 2, 4, 6, 3, 5):view(n, h // 2, w // 2, 4 * c)
end

local function normal(z) return ((z * z + math.log(2 * math.pi)) * -0.5):sum { 2, 3, 4 } end

local Glow = nn.class("Glow", function(self, steps, hidden)
  local c = 1
  self.levels = {}
  for i = 1, 3 do
    c = 4 * c
    self.levels[i] = {}
    for k = 1, steps do self.levels[i][k] = Step(c, hidden) end
    c = c // 2
  end
end)

function Glow:loss(x)
  local logdet, logp = lt.zeros(x:size(1)), nil
  for i, level in ipairs(self.levels) do
    x = squeeze(x)
    for _, s in ipairs(level) do x, logdet = s(x, logdet) end
    local z = x
    if i < 3 then x, z = x:chunk(2, 4) end
    logp = logp and logp + normal(z) or normal(z)
  end
  return (logp + logdet):mean() * (-1 / (32 * 32 * math.log(2)))
end

return function(batch)
  return function()
    local model, x = Glow(8, 128), lt.rand(batch, 32, 32, 1)
    return step.trainer(model, function() return model:loss(x) end)
  end
end
