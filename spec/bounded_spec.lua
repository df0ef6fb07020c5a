-- Bounds of learned numbers: what is far outside, by an encoder or a step of training, comes back; nothing overflows.
local bounded = require "laterna.bounded"
local core = require "laterna.core"
local finite = require "laterna.finite"
local flow_layers = require "laterna.flow.layers"
local lt = require "laterna"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

local FAR = { 95, -95, 1e3, -1e3, 1e8, -1e8, 1e15, -1e15 }

-- An encoder that writes mu beside logvar, whatever it looks at; what it writes is learned.
local Wild = nn.class("Wild", function(self, mu, logvar, d)
  local row = {}
  for k = 1, d do row[k], row[d + k] = mu, logvar end
  self.said = core.tensor { row, row }
end)
function Wild:forward() return self.said * 1 end

-- Loss, the encoder's gradient and those of all parameters are finite.
local function check_finite(name, loss, said, model)
  assert.is_true(finite.is_finite(loss), name .. ": loss " .. loss:item())
  loss:backward()
  assert.is_true(finite.is_finite(said.grad), name .. ": the encoder's gradient")
  assert.is_nil(finite.first_gradient(model), name)
end

local function each_output(f)
  for _, v in ipairs(FAR) do
    f(v, 0.1, ("mu %g"):format(v))
    f(0.1, v, ("logvar %g"):format(v))
    f(v, v, ("both %g"):format(v))
  end
end

local x = core.rand(2, 8, 8, 1) * 2 - 1
local function decoder() return nn.PictureDecoder(2, 1, { size = 8, width = 8 }) end

describe("a bound that has no slope", function()
  before_each(function() core.manual_seed(4) end)

  it("is not tanh's: near it tanh, and from far outside there is a way back", function()
    local t = core.linspace(-12, 12, 481)
    assert.is_true((bounded.tanh(t) - t:tanh()):abs():max():item() < 2e-6)
    assert.is_true((bounded.smooth(t, 3) - (t / 3):tanh() * 3):abs():max():item() < 6e-6)
    for _, far in ipairs { 30, 100, 1e15 } do
      local s = core.tensor({ far, -far }, { requires_grad = true })
      bounded.smooth(s, 2):sum():backward()
      assert.is_true(s.grad[1]:item() > 1e-6)
      assert.equal(0, s.grad[2]:item())
    end
  end)

  it("leaves the loss of a vae finite, whatever its encoder writes", function()
    each_output(function(mu, logvar, name)
      for _, likelihood in ipairs { "Gaussian", "Logistic", "Bernoulli" } do
        local vae = lt.vae { encoder = Wild(mu, logvar, 2), decoder = decoder(), detail = 2,
          likelihood = lt.likelihood[likelihood]() }
        local loss, log = vae:loss(x)
        assert.is_true(log.kl - log.kl == 0, name)
        check_finite(name .. ", " .. likelihood, loss, vae.encoder.said, vae)
      end
    end)
  end)

  it("counts a log-variance as held in [-30, 20]", function()
    local vae = lt.vae { encoder = Wild(0, 95, 2), decoder = decoder(), detail = 2 }
    local _, log = vae:loss(x)
    assert.near(4.8516e8, log.kl, 1e5)
    local _, logvar = vae:encode(x)
    assert.equal(20, logvar:max():item())
  end)

  it("leaves every regulariser of an autoencoder finite #slow", function()
    local R = lt.autoencoder.regulariser
    local kinds = {
      kl = function() return {} end, rate = function() return { rate = 5 } end,
      free = function() return { free = 0.1 } end, flow = function() return { prior = lt.prior.Flow(2) } end,
      diffusion = function() return { prior = lt.prior.Diffusion(2) } end,
      mmd = function() return { regulariser = R.mmd(), prior = lt.prior.Flow(2) } end,
      rbf = function() return { regulariser = R.mmd { kernel = "rbf" } } end,
    }
    each_output(function(mu, logvar, name)
      for kind, options in pairs(kinds) do
        local o = options()
        o.extractor, o.generator, o.detail = Wild(mu, logvar, 2), lt.vae { decoder = decoder(), detail = 2 }, 2
        local ae = lt.autoencoder(o)
        local loss, log = ae:loss(x)
        assert.is_true(log.kl - log.kl == 0, name)
        check_finite(name .. ", " .. kind, loss, ae.extractor.said, ae)
        assert.is_true(finite.is_finite(ae:gap(x)), name .. ", gap of " .. kind)
      end
    end)
  end)

  it("brings an encoder back whose log-variance has run away", function()
    for _, start in ipairs { 95, -95 } do
      local encoder = Wild(0, start, 2)
      local opt = optim.Adam(encoder:parameters(), { lr = 0.5 })
      for _ = 1, 400 do opt:update((require "laterna.detail".kl(encoder():chunk(2, -1)))) end
      assert.is_true(encoder.said:narrow(2, 3, 2):abs():max():item() < 20, "from " .. start)
    end
  end)

  it("lets a quantised detail out of its outermost level", function()
    local fsq = lt.autoencoder.regulariser.fsq { levels = { 5 } }
    for _, far in ipairs { 50, 1e15 } do
      local out = core.tensor({ { far, -far } }, { requires_grad = true })
      fsq:read(out).z:sum():backward()
      assert.is_true(out.grad[1][1]:item() > 0)
      assert.equal(0, out.grad[1][2]:item())
    end
  end)

  -- Steps of plain descent on what a module says of data, from a parameter far outside.
  local function comes_back(parameter, start, inside, loss)
    core.no_grad(parameter.fill_, parameter, start)
    local opt = optim.Adam({ parameter }, { lr = 0.2, betas = { 0.9, 0.9 } }) -- forgets huge gradients soon
    for _ = 1, 300 do opt:update(loss()) end
    local v = parameter[1]:item()
    assert.is_true(v > inside[1] and v < inside[2], ("from %g to %g"):format(start, v))
  end

  it("lets the scale of a likelihood back in", function()
    local out = core.zeros(4, 4, 4, 1)
    local pictures = core.randn(4, 4, 4, 1) * 0.3
    for _, start in ipairs { 30, -30 } do
      local gaussian, logistic = lt.likelihood.Gaussian(), lt.likelihood.Logistic()
      comes_back(gaussian.logvar, start, { -4, 0 }, function() return gaussian(out, pictures):mean() end)
      comes_back(logistic.logscale, start, { -4, 0 }, function() return logistic(out, pictures):mean() end)
    end
  end)

  it("lets the log-scales of flow layers back in", function()
    local noise = core.randn(64, 2)
    local function nll(layer)
      local z, logdet = layer(noise)
      return (z:square():sum(2) * 0.5 - logdet):mean()
    end
    for _, start in ipairs { 16, -16 } do
      local act, conv = flow_layers.ActNorm(2), flow_layers.Conv1x1(2)
      act(noise)
      for _, layer in ipairs { act, conv } do
        core.no_grad(layer.logs.fill_, layer.logs, start)
        nll(layer):backward()
        local g = layer.logs.grad[1]:item()
        assert.is_true(g * start > 0, tostring(layer) .. " from " .. start)
      end
    end
  end)

  it("lets a judge draw painted values back into the picture", function()
    for _, name in ipairs { "Gaussian", "Logistic" } do
      local out = core.tensor({ 1.5, -1.5 }, { requires_grad = true })
      lt.likelihood[name]():mean(out):sum():backward()
      assert.same({ 1, 0 }, out.grad:totable())
    end
  end)

  it("lets samples of a flow back in that ran past its limits", function()
    local logit = lt.flow.layers.Logit()
    local y = core.tensor({ { 9, -9 } }, { requires_grad = true })
    logit:inverse(y):sum():backward()
    assert.is_true(y.grad[1][1]:item() > 0)
    assert.equal(0, y.grad[1][2]:item())
  end)
end)
