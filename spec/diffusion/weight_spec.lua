-- The weights against the papers' own formulas, which are written for other errors than that in x0.
local fails = require "spec.support.fails"
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"
local weight = require "laterna.diffusion.weight"

-- The weight of the squared error in what is predicted, from one of that in x0: (d x0 / d y)^2 of it.
local function as(kind, w, alpha, sigma, sigma_data)
  local _, b = prediction.coefficients(kind, alpha, sigma, sigma_data)
  return w((alpha / sigma) ^ 2, 0.5) * b * b
end

local points = {}
for _, f in ipairs { schedules.cosine(), schedules.linear() } do
  for i = 1, 9 do points[#points + 1] = { f(i / 10) } end
end

local function each(check)
  for _, point in ipairs(points) do
    local alpha, sigma = point[1], point[2]
    check(alpha, sigma, alpha * alpha / (sigma * sigma))
  end
end

describe("weight", function()
  it("snr is plain squared error in eps", function()
    each(function(alpha, sigma) assert.near(1, as("eps", weight.snr(), alpha, sigma), 1e-9) end)
  end)

  it("constant is plain squared error in x0", function()
    each(function(alpha, sigma) assert.near(1, as("x0", weight.constant(), alpha, sigma), 1e-12) end)
  end)

  it("min_snr is min(snr, gamma) / snr in eps, and / (snr + 1) in v", function()
    each(function(alpha, sigma, snr)
      assert.near(math.min(snr, 5) / snr, as("eps", weight.min_snr(), alpha, sigma), 1e-9)
      assert.near(math.min(snr, 3) / (snr + 1), as("v", weight.min_snr(3), alpha, sigma), 1e-9)
    end)
  end)

  it("p2 is 1 / (k + snr)^gamma in eps", function()
    each(function(alpha, sigma, snr)
      assert.near(1 / (1 + snr), as("eps", weight.p2(), alpha, sigma), 1e-9)
      assert.near(1 / (0.5 + snr) ^ 2, as("eps", weight.p2 { k = 0.5, gamma = 2 }, alpha, sigma), 1e-9)
    end)
  end)

  it("edm is (sigma^2 + sigma_data^2) / (sigma sigma_data)^2, and 1 for what its network says", function()
    for _, sigma in ipairs { 0.002, 0.3, 2, 80 } do
      local snr = 1 / (sigma * sigma)
      assert.near(1, weight.edm(0.5)(snr) / ((sigma ^ 2 + 0.25) / (sigma * 0.5) ^ 2), 1e-9)
      assert.near(1, as("edm", weight.edm(0.5), 1, sigma, 0.5), 1e-9)
    end
  end)

  it("has the papers' numbers, worked by hand", function()
    -- alpha = .8, sigma = .6: snr = 16/9, snr + 1 = 25/9. P2 in eps (k = gamma = 1): 9/25. Min-SNR (gamma = 1) in eps:
    -- 9/16, in v: 9/25; with the paper's gamma = 5 more than this snr: 1 in eps, 16/25 in v.
    assert.near(0.36, as("eps", weight.p2(), 0.8, 0.6), 1e-12)
    assert.near(0.5625, as("eps", weight.min_snr(1), 0.8, 0.6), 1e-12)
    assert.near(0.36, as("v", weight.min_snr(1), 0.8, 0.6), 1e-12)
    assert.near(1, as("eps", weight.min_snr(), 0.8, 0.6), 1e-12)
    assert.near(0.64, as("v", weight.min_snr(), 0.8, 0.6), 1e-12)
    -- alpha = sqrt(.9), sigma = sqrt(.1): snr = 9. Min-SNR 5/9 in eps, 5/10 in v.
    assert.near(5 / 9, as("eps", weight.min_snr(), 0.9 ^ 0.5, 0.1 ^ 0.5), 1e-12)
    assert.near(0.5, as("v", weight.min_snr(), 0.9 ^ 0.5, 0.1 ^ 0.5), 1e-12)
    -- EDM: lambda(2) = (4 + .25) / (2 * .5)^2 for the paper's sigma_data = .5, and (4 + 1) / 4 for 1, which is ours.
    assert.near(4.25, weight.edm(0.5)(1 / 4), 1e-12)
    assert.near(1.25, weight.edm()(1 / 4), 1e-12)
    -- With alpha^2 + sigma^2 = 1 an error e in v is one of sigma e in x0, and of alpha e in eps.
    assert.near(9 / 25, as("v", weight.constant(), 0.8, 0.6), 1e-12)
    assert.near(16 / 25, as("v", weight.snr(), 0.8, 0.6), 1e-12)
  end)

  it("refuses in words", function()
    fails("gamma", weight.min_snr, 0)
    fails('unknown option "g"', weight.p2, { g = 1 })
    fails("sigma_data", weight.edm, "x")
  end)
end)
