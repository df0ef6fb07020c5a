-- The VAE: its bound against an exact answer, and its face.
local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local Vae = require "laterna.vae"

-- Linear maps behind the shapes that a VAE speaks: pictures (n,1,1,d) and vectors (n,k).
local LinearEncoder = nn.class("LinearEncoder", function(self, d, k) self.fc = nn.Linear(d, 2 * k) end)
function LinearEncoder:forward(x) return self.fc(x:flatten(2)) end
local LinearDecoder = nn.class("LinearDecoder", function(self, k, d) self.fc = nn.Linear(k, d) end)
function LinearDecoder:forward(z) return self.fc(z):view(z:size(1), 1, 1, -1) end

local function linear_vae(d, k)
  return Vae { encoder = LinearEncoder(d, k), decoder = LinearDecoder(k, d), detail = k }
end

-- Log-likelihood a sample of probabilistic PCA at its maximum (Tipping & Bishop 1999, eq. 8), from the eigenvalues of
-- the covariance: the k largest stand, the rest are replaced by their mean.
local function ppca(x, k)
  local n, d = x:size(1), x:size(2)
  local centred = x - x:mean(1, { keepdim = true })
  local values = core.eigh(core.matmul(centred:transpose(), centred) * (1 / n)):totable()
  local rest, logs = 0, 0
  for i = 1, d - k do rest = rest + values[i] / (d - k) end
  for i = d - k + 1, d do logs = logs + math.log(values[i]) end
  return -0.5 * (d * math.log(2 * math.pi) + logs + (d - k) * math.log(rest) + d)
end

describe("the vae", function()
  it("whose maps are linear reaches the likelihood of probabilistic PCA #training", function()
    core.manual_seed(1)
    local d, k, n = 5, 2, 1000
    local x = core.matmul(core.randn(n, k), core.randn(k, d)) * 0.8 + core.randn(n, d) * 0.3
    local best = ppca(x, k)
    local model, pictures = linear_vae(d, k), x:view(n, 1, 1, d)
    local optimizer = optim.Adam(model:parameters(), { lr = function(step) return step < 900 and 0.02 or 0.002 end })
    for _ = 1, 1300 do
      local loss = model:loss(pictures)
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    local sum = 0
    for _ = 1, 50 do sum = sum - core.no_grad(model.loss, model, pictures):item() / 50 end
    assert.near(best, sum, 0.03)
    assert.is_true(sum < best + 0.02) -- a bound stays below, but for the noise of its draws
  end)

  it("paints as many pictures as it is asked for, the same ones from the same generator", function()
    core.manual_seed(2)
    local model = linear_vae(4, 2)
    assert.same({ 3, 1, 1, 4 }, model:sample({ n = 3 }).shape)
    assert.same({ 1, 1, 1, 4 }, model:sample().shape)
    local a = model:sample({ n = 2 }, { generator = core.generator(4) })
    local b = model:sample({ n = 2 }, { generator = core.generator(4) })
    assert.same(a:totable(), b:totable())
    local z = core.randn(2, 2)
    assert.same(model:sample({ detail = z }):totable(), model:sample({ detail = z }):totable())
    assert.is_false(a.requires_grad)
    assert.is_true(model.training)
  end)

  it("encodes pictures as mean and log-variance", function()
    local model = linear_vae(4, 2)
    local mu, logvar = model:encode(core.randn(3, 1, 1, 4))
    assert.same({ 3, 2 }, mu.shape)
    assert.same({ 3, 2 }, logvar.shape)
  end)

  it("given the detail from elsewhere has no KL term, and needs no encoder", function()
    local model = Vae { decoder = LinearDecoder(2, 4), detail = 2 }
    local _, log = model:loss(core.rand(3, 1, 1, 4), { detail = core.randn(3, 2) })
    assert.is_number(log.nll)
    assert.is_nil(log.kl)
    assert.has_error(function() model:loss(core.rand(3, 1, 1, 4)) end,
      "bad argument #1 to 'loss' (self: this vae has no encoder; give cond.detail)")
  end)

  it("refuses what it does not know", function()
    assert.has_error(function() Vae {} end)
    assert.has_error(function() Vae { decoder = LinearDecoder(2, 4), detail = 0 } end)
    assert.has_error(function() Vae { decoder = LinearDecoder(2, 4), detail = 2, betta = 1 } end)
    local model = linear_vae(4, 2)
    assert.has_error(function() model:loss(core.randn(3, 4)) end)
    assert.has_error(function() model:sample { n = 0 } end)
    assert.has_error(function() model:sample { n = 2, detail = core.randn(3, 2) } end)
    assert.has_error(function() model:sample({ n = 1 }, { temperatur = 1 }) end)
  end)
end)
