-- The detail's price and its draws.
local core = require "laterna.core"
local detail = require "laterna.detail"

describe("detail", function()
  it("costs its KL divergence from N(0, I)", function()
    local mu, logvar = core.tensor { { 1, 0 }, { -1, 2 } }, core.tensor { { 0, 0 }, { math.log(0.5), 1 } }
    local price, kl = detail.kl(mu, logvar)
    local function one(m, v) return 0.5 * (m * m + math.exp(v) - 1 - v) end
    local expected = (one(1, 0) + one(0, 0) + one(-1, math.log(0.5)) + one(2, 1)) / 2
    assert.near(expected, kl:item(), 1e-5)
    assert.near(expected, price:item(), 1e-5)
  end)

  it("costs at least the free nats, with no gradient below them", function()
    local mu = core.tensor({ { 0.1, 3 }, { -0.1, 3 } }, { requires_grad = true })
    local price, kl = detail.kl(mu, core.zeros(2, 2), 0.25)
    assert.near(0.25 + 4.5, price:item(), 1e-5)
    assert.near(0.005 + 4.5, kl:item(), 1e-5)
    price:backward()
    assert.same({ 0, 1.5 }, mu.grad[1]:totable())
  end)

  it("draws with the mean and spread it was told", function()
    local z = detail.reparameterise(core.full({ 20000, 1 }, 2), core.full({ 20000, 1 }, math.log(0.09)),
      core.generator(1))
    assert.near(2, z:mean():item(), 0.01)
    assert.near(0.3, z:std():item(), 0.01)
  end)

  it("walks between two and keeps the length", function()
    local a, b = core.tensor { 3, 0 }, core.tensor { 0, 3 }
    local path = detail.between(a, b, 3):totable()
    assert.same({ 3, 0 }, path[1])
    for k, v in ipairs { 3 / math.sqrt(2), 3 / math.sqrt(2) } do assert.near(v, path[2][k], 1e-5) end
    assert.near(3, path[3][2], 1e-6)
  end)
end)
