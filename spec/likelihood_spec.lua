-- Likelihoods of pictures: against their formulas, written out number by number.
local core = require "laterna.core"
local gradcheck = require "spec.support.gradcheck"
local likelihood = require "laterna.likelihood"

local function pictures(...) return core.rand(...) * 2 - 1 end

describe("likelihood", function()
  before_each(function() core.manual_seed(5) end)

  it("Bernoulli is the binary cross entropy of logits", function()
    local out, x = core.randn(2, 1, 3, 1), pictures(2, 1, 3, 1)
    local got = likelihood.Bernoulli()(out, x):totable()
    local o, p = out:view(2, 3):totable(), (x * 0.5 + 0.5):view(2, 3):totable()
    for i = 1, 2 do
      local sum = 0
      for k = 1, 3 do
        local q = 1 / (1 + math.exp(-o[i][k]))
        sum = sum - p[i][k] * math.log(q) - (1 - p[i][k]) * math.log(1 - q)
      end
      assert.near(sum, got[i], 1e-5)
    end
  end)

  it("Gaussian is the normal density, with its learned variance", function()
    local l = likelihood.Gaussian()
    local out, x = core.randn(2, 1, 3, 1), pictures(2, 1, 3, 1)
    core.no_grad(function() l.logvar:fill_(math.log(0.25)) end)
    local got, d = l(out, x):totable(), (out - x):view(2, 3):totable()
    for i = 1, 2 do
      local sum = 0
      for k = 1, 3 do sum = sum + d[i][k] ^ 2 / 0.5 + 0.5 * math.log(2 * math.pi * 0.25) end
      assert.near(sum, got[i], 1e-5)
    end
  end)

  it("the discretised logistic is a distribution over 256 grey levels", function()
    local l = likelihood.Logistic()
    local levels = core.linspace(-1, 1, 256):view(256, 1, 1, 1)
    for _, scale in ipairs { -3, -1, 0 } do
      core.no_grad(function() l.logscale:fill_(scale) end)
      for _, mean in ipairs { -0.9, 0.1, 1.3 } do
        local p = (-l(core.full({ 256, 1, 1, 1 }, mean), levels)):exp()
        assert.near(1, p:sum():item(), 2e-3)
      end
    end
  end)

  it("has gradients, far from the picture too", function()
    local x = pictures(2, 2, 2, 1)
    for _, name in ipairs { "Bernoulli", "Gaussian", "Logistic" } do
      local l = likelihood[name]()
      assert.is_true(gradcheck.check(function(out) return l(out, x) end, { core.randn(2, 2, 2, 1) * 0.3 },
        { tolerance = 1e-2, h = 5e-3 }))
    end
    local l = likelihood.Logistic()
    local far = core.full({ 1, 1, 1, 1 }, 5, { requires_grad = true })
    l(far, core.zeros(1, 1, 1, 1)):sum():backward()
    assert.is_true(far.grad:item() > 1) -- it knows which way to go
  end)
end)
