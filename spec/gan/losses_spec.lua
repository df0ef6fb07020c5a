-- Losses of the game against values computed by hand.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local losses = require "laterna.gan.losses"

local real, fake = core.tensor { 2, -1 }, core.tensor { 0.5, -3 }
local function softplus(v) return math.log(1 + math.exp(v)) end

-- Means over two scores.
local WANTED = {
  non_saturating = {
    (softplus(-2) + softplus(1)) / 2 + (softplus(0.5) + softplus(-3)) / 2,
    (softplus(-0.5) + softplus(3)) / 2,
  },
  hinge = { (0 + 2) / 2 + (1.5 + 0) / 2, (-0.5 + 3) / 2 },
  least_squares = { ((1 + 4) / 2 + (0.25 + 9) / 2) / 2, (0.25 + 16) / 2 / 2 },
  wasserstein = { (0.5 - 3) / 2 - (2 - 1) / 2, -(0.5 - 3) / 2 },
  -- Real and fake are paired in their order: differences 1.5 and 2.
  relativistic = { (softplus(-1.5) + softplus(-2)) / 2, (softplus(1.5) + softplus(2)) / 2 },
}

describe("the losses of a gan", function()
  it("are what their formulas say", function()
    local known = 0
    for name, loss in pairs(losses) do
      known = known + 1
      assert.near(WANTED[name][1], loss.critic(real, fake):item(), 1e-6, name)
      assert.near(WANTED[name][2], loss.generator(loss.paired and real or nil, fake):item(), 1e-6, name)
    end
    assert.equal(5, known)
  end)

  -- d softplus(-r)/dr = -s(-r); hinge and Wasserstein have slopes of 0 and 1; all over n = 2.
  it("have the slopes of their formulas", function()
    local function s(v) return 1 / (1 + math.exp(-v)) end
    local wanted = {
      non_saturating = { -s(-2) / 2, -s(1) / 2, s(0.5) / 2, s(-3) / 2 },
      hinge = { 0, -0.5, 0.5, 0 },
      least_squares = { 1 / 2, -2 / 2, 0.5 / 2, -3 / 2 },
      wasserstein = { -0.5, -0.5, 0.5, 0.5 },
      relativistic = { -s(-1.5) / 2, -s(-2) / 2, s(-1.5) / 2, s(-2) / 2 },
    }
    for name, loss in pairs(losses) do
      local r, f = real:clone():requires_grad_(true), fake:clone():requires_grad_(true)
      local g = core.grad(loss.critic(r, f), { r, f })
      for i = 1, 4 do
        assert.near(wanted[name][i], g[i < 3 and 1 or 2][(i - 1) % 2 + 1]:item(), 1e-6, name)
      end
    end
  end)

  it("stay finite where a critic is sure", function()
    local far = core.tensor { 1e4, -1e4 }
    for _, name in ipairs { "non_saturating", "relativistic" } do
      local v = losses[name].critic(far, far:flip(1)):item()
      assert.is_true(v == v and v < 1e5, name)
    end
  end)

  it("choose the right one among several captions", function()
    local right, wrong = core.tensor { 2, -1 }, core.tensor { { 0.5, -3 }, { 1, -2 } }
    local function paid(a, ...)
      local sum = 1
      for _, b in ipairs { ... } do sum = sum + math.exp(b - a) end
      return math.log(sum)
    end
    local ranking = losses.relativistic.ranking
    assert.near((paid(2, 0.5, -3) + paid(-1, 1, -2)) / 2, ranking(right, wrong):item(), 1e-6)
    local one = wrong:narrow(2, 1, 1)
    assert.near(losses.relativistic.critic(right, one:squeeze(2)):item(), ranking(right, one):item(), 1e-6)
    fails("negative: expected (n,k) and positive (n), got (2) and (2)", ranking, right, right)
  end)

  it("refuse what is no score, and pairs that are none", function()
    fails("bad argument #1 to 'critic' (real: expected tensor, got nil)", losses.hinge.critic)
    fails("bad argument #2 to 'generator' (fake: expected tensor, got 1)", losses.hinge.generator, nil, 1)
    fails("fake: expected (2) as real, for they are paired; got (3)", losses.relativistic.critic, real, core.zeros(3))
  end)
end)
