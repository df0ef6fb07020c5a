-- Whole training steps, with the mathematics of torch_steps.py beside this file: each entry builds a model and returns
-- a function that makes one step, and the number of parameters.
local lt = require "laterna"
local nn = lt.nn

local function count(parameters)
  local n = 0
  for _, p in ipairs(parameters) do n = n + p:numel() end
  return n
end

local function trainer(model, loss)
  local optimizer = lt.optim.AdamW(model:parameters(), { lr = 1e-3 })
  return function()
    optimizer:zero_grad()
    loss():backward()
    optimizer:step()
  end, count(model:parameters())
end

-- bce summed + KL to N(0, I), a picture
local function vae_loss(self, x)
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

local function vae(class, ...)
  local sizes = { ... }
  return function()
    local model, x = class(), lt.rand(sizes)
    return trainer(model, function() return vae_loss(model, x) end)
  end
end

return {
  { name = "vae_mlp_b128", make = vae(MlpVae, 128, 784) },
  { name = "vae_conv_b128", make = vae(ConvVae, 128, 28, 28, 1) },
}
