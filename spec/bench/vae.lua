-- The two VAEs of torch_steps.py.
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

-- bce summed + KL to N(0, I), a picture
local function loss(self, x)
  local n = x:size(1)
  local mu, logvar = self:encode(x)
  local z = mu + lt.randn(mu.shape) * (logvar * 0.5):exp()
  local bce = lt.bce_with_logits(self:decode(z), x, { reduction = "sum" })
  return (bce + lt.kl_normal(mu, logvar, { reduction = "sum" })) * (1 / n)
end

local MlpVae = nn.class("MlpVae", function(self)
  self.enc, self.mu, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
  self.dec, self.out = nn.Linear(20, 400), nn.Linear(400, 784)
end)

function MlpVae:encode(x)
  local h = self.enc(x):relu()
  return self.mu(h), self.logvar(h)
end

function MlpVae:decode(z) return self.out(self.dec(z):relu()) end

local ConvVae = nn.class("ConvVae", function(self)
  local half = { stride = 2, padding = 1 }
  self.e1, self.e2, self.e3 = nn.Conv2d(1, 32, 4, half), nn.Conv2d(32, 64, 4, half), nn.Linear(3136, 64)
  self.d1 = nn.Linear(32, 3136)
  self.d2, self.d3 = nn.ConvTranspose2d(64, 32, 4, half), nn.ConvTranspose2d(32, 1, 4, half)
end)

function ConvVae:encode(x)
  local h = self.e2(self.e1(x):silu()):silu()
  return self.e3(h:flatten(2)):chunk(2, 2)
end

function ConvVae:decode(z)
  local h = self.d1(z):silu():view(z:size(1), 7, 7, 64)
  return self.d3(self.d2(h):silu())
end

local function workload(class, ...)
  local sizes = { ... }
  return function()
    local model, x = class(), lt.rand(sizes)
    return step.trainer(model, function() return loss(model, x) end)
  end
end

return { mlp = workload(MlpVae, 128, 784), conv = workload(ConvVae, 128, 28, 28, 1) }
