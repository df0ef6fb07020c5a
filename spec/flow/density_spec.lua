-- Flows reach the least loss there is on densities that are known: the entropy of a Gaussian and of mixtures.
local core = require "laterna.core"
local flow = require "laterna.flow"
local optim = require "laterna.optim"

-- Trains on draws, and gives the mean of log p - log p_model over the same 4000 fresh draws: the divergence in nats.
local function divergence(net, draw, log_prob, steps, lr)
  local model = flow { net = net, size = { 2 } }
  local optimizer = optim.Adam(model:parameters(), { lr = optim.schedule.cosine(lr, steps) })
  for _ = 1, steps do
    local loss = model:loss(draw(256))
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
  end
  local x = draw(4000)
  return (log_prob(x) - model:log_prob(x)):mean():item(), model
end

local function normal(x, sigma)
  return (x:square() * (-0.5 / sigma ^ 2)):sum(2) - 2 * math.log(sigma) - math.log(2 * math.pi)
end

describe("a flow learns to its entropy #training", function()
  before_each(function() core.manual_seed(8) end)

  it("a Gaussian with correlation", function()
    local mix = core.tensor { { 1.2, 0 }, { 0.9, 0.3 } } -- x = mix eps + (2, -1)
    local function draw(n) return core.linear(core.randn(n, 2), mix, core.tensor { 2, -1 }) end
    local function log_prob(x)
      return normal(core.linear(x - core.tensor { 2, -1 }, mix:inverse()), 1) - math.log(1.2 * 0.3)
    end
    for _, name in ipairs { "Glow", "RealNVP" } do
      local d = divergence(flow[name] { size = { 2 }, steps = 2, hidden = 16 }, draw, log_prob, 200, 5e-3)
      assert.is_true(d < 0.02 and d > -0.01, name .. " " .. d)
    end
  end)

  it("a mixture of four", function()
    local centres = core.tensor { { 2, 0 }, { -2, 0 }, { 0, 2 }, { 0, -2 } }
    local function draw(n) return centres:index(core.randint(1, 4, { n })) + core.randn(n, 2) * 0.7 end
    local function log_prob(x)
      local parts = {}
      for k = 1, 4 do parts[k] = normal(x - centres[k], 0.7):exp() end
      return (core.stack(parts, 2):mean(2)):log()
    end
    local net = flow.SplineFlow { size = { 2 }, steps = 3, hidden = 48, bins = 8, bound = 5 }
    local d, model = divergence(net, draw, log_prob, 450, 8e-3)
    assert.is_true(d < 0.02 and d > -0.01, "spline " .. d)
    local x = model:sample({ n = 2000 }, { seed = 1 })
    assert.near(draw(20000):square():mean():item(), x:square():mean():item(), 0.15)
  end)
end)
