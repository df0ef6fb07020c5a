-- The game of the two networks against the mathematics of games.
local core = require "laterna.core"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

-- A generator without noise: the same points in every call, learned or not.
local Points = nn.class("Points", function(self, points, fixed)
  self.points, self.buffers = points, { points = fixed or nil }
end)
function Points:forward(z, cond)
  assert(z == nil and cond.n == self.points:size(1))
  return self.points * 1
end

local function mlp(inputs, outputs)
  return nn.Sequential(nn.Linear(inputs, 32), core.silu, nn.Linear(32, 32), core.silu, nn.Linear(32, outputs))
end

-- Dirac-GAN (Mescheder et al. 2018, arXiv 1801.04406, section 2): the data are the point 0, the generator is the point
-- theta, the critic psi x. Near the solution steps of size h multiply the two by a matrix with eigenvalues 1 + h l,
-- l = -gamma/2 +- sqrt(gamma^2/4 - 1/4).
local function dirac(gamma, h, steps)
  local generator, net = Points(core.tensor { { 0.01 } }), nn.Linear(1, 1, { bias = false })
  net.weight:detach():fill_(0)
  local gan = Gan { generator = generator, critic = Gan.Critic { net = net }, detail = 0, loss = "non_saturating",
                    r1 = gamma }
  local og, oc = optim.SGD(gan:generator_parameters(), { lr = h }), optim.SGD(gan.critic:parameters(), { lr = h })
  local real, theta = core.zeros(1, 1), { [0] = 0.01 }
  for k = 1, steps do
    og:zero_grad()
    oc:zero_grad()
    gan:critic_loss(real):backward()
    gan:loss(nil, { n = 1 }):backward()
    oc:step()
    og:step()
    theta[k] = generator.points:item()
  end
  return theta
end

describe("the Dirac-GAN", function()
  it("turns and shrinks as its complex eigenvalues say", function()
    local h = 0.1
    local theta = dirac(0.6, h, 150) -- l = -0.3 +- 0.4 i
    local re, im = 1 - 0.3 * h, 0.4 * h
    local r, angle = math.sqrt(re ^ 2 + im ^ 2), math.atan(im, re)
    for k = 0, 150 do
      local wanted = 0.01 * r ^ k * (math.cos(k * angle) + 0.75 * math.sin(k * angle)) -- theta_1 = theta_0, psi_0 = 0
      assert.near(wanted, theta[k], 1e-6)
    end
  end)

  it("creeps back where they are real", function()
    local h = 0.1
    local theta = dirac(1.25, h, 150) -- l = -0.25 and -1
    for k = 0, 150 do
      assert.near(0.01 * (4 * (1 - 0.25 * h) ^ k - (1 - h) ^ k) / 3, theta[k], 1e-6)
    end
  end)

  it("without a penalty never arrives: steps of finite size lead outwards", function()
    local h, steps = 0.1, 150
    local theta, largest = dirac(0, h, steps), 0
    for k = 60, steps do largest = math.max(largest, math.abs(theta[k])) end
    assert.near(0.01 * (1 + h ^ 2 / 4) ^ (steps / 2 - 5), largest, 6e-4)
    assert.is_true(largest > 0.01)
  end)
end)

-- Points at the quantiles of a logistic distribution of mean m and scale s, and its log-density.
local function logistic(n, m, s)
  local list = {}
  for i = 1, n do
    local u = (i - 0.5) / n
    list[i] = { m + s * math.log(u / (1 - u)) }
  end
  return core.tensor(list), function(x)
    local t = (x - m) / s
    return -t - 2 * math.log(1 + math.exp(-t)) - math.log(s)
  end
end

describe("the critic", function()
  it("learns p / (p + q) of two known densities #training", function()
    core.manual_seed(1)
    local n, steps = 512, 500
    local x, p = logistic(n, 0, 1)
    local y, q = logistic(n, 1.5, 0.6)
    local gan = Gan { generator = Points(y, true), critic = Gan.Critic { net = mlp(1, 1) }, detail = 0,
                      loss = "non_saturating" }
    local optimizer = optim.Adam(gan.critic:parameters(), { lr = optim.schedule.cosine(0.01, steps) })
    for _ = 1, steps do
      local loss = gan:critic_loss(x)
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    for _, points in ipairs { x, y } do
      local found = core.no_grad(gan.critic, points):sigmoid()
      for i = 5, n - 4 do -- both densities end where their last points lie
        local at = points[i][1]:item()
        assert.near(1 / (1 + math.exp(q(at) - p(at))), found[i]:item(), 0.02, "at " .. at)
      end
    end
  end)
end)
