-- The GAN of torch_steps.py: a critic and a generator, in turns.
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local first, half = { bias = false }, { stride = 2, padding = 1, bias = false }
local relu, leaky = { activation = "relu" }, { activation = "leaky_relu", slope = 0.2 }

local Generator = nn.class("Generator", function(self, g)
  self.c1, self.n1 = nn.ConvTranspose2d(100, 4 * g, 4, first), nn.BatchNorm2d(4 * g, relu)
  self.c2, self.n2 = nn.ConvTranspose2d(4 * g, 2 * g, 4, half), nn.BatchNorm2d(2 * g, relu)
  self.c3, self.n3 = nn.ConvTranspose2d(2 * g, g, 4, half), nn.BatchNorm2d(g, relu)
  self.c4 = nn.ConvTranspose2d(g, 1, 4, half)
end)

function Generator:forward(z)
  return self.c4(self.n3(self.c3(self.n2(self.c2(self.n1(self.c1(z))))))):tanh()
end

local Critic = nn.class("Critic", function(self, g)
  self.c1 = nn.Conv2d(1, g, 4, half)
  self.c2, self.n2 = nn.Conv2d(g, 2 * g, 4, half), nn.BatchNorm2d(2 * g, leaky)
  self.c3, self.n3 = nn.Conv2d(2 * g, 4 * g, 4, half), nn.BatchNorm2d(4 * g, leaky)
  self.c4 = nn.Conv2d(4 * g, 1, 4, first)
end)

function Critic:forward(x)
  return self.c4(self.n3(self.c3(self.n2(self.c2(self.c1(x):leaky_relu(0.2)))))):flatten()
end

return function(batch)
  return function()
    local g, d, x = Generator(64), Critic(64), lt.rand(batch, 32, 32, 1) * 2 - 1
    local adam = { lr = 2e-4, betas = { 0.5, 0.999 } }
    local og, od = lt.optim.Adam(g:parameters(), adam), lt.optim.Adam(d:parameters(), adam)
    return function()
      local fake = g(lt.randn(batch, 1, 1, 100))
      local critic_loss = d(x):neg():softplus():mean() + d(fake:detach()):softplus():mean()
      od:zero_grad()
      critic_loss:backward()
      od:step()
      local loss = d(fake):neg():softplus():mean()
      og:zero_grad()
      loss:backward()
      og:step()
      return loss
    end, step.count(g, d)
  end
end
