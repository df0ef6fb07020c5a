-- One picture and one noise, said in every way: each must lead back to the picture.
local prediction = require "laterna.prediction"
local fails = require "spec.support.fails"

describe("prediction", function()
  local pairs_of = { { 0.8, 0.6 }, { 1, 80 }, { 0.3, 0.7 }, { 1, 0 }, { 1e-3, 1 } }

  it("leads back to the picture, whatever is predicted", function()
    local x0, eps = 0.37, -1.21
    for _, pair in ipairs(pairs_of) do
      local alpha, sigma = pair[1], pair[2]
      local x = alpha * x0 + sigma * eps
      for _, kind in ipairs(prediction.kinds) do
        for _, sigma_data in ipairs { 1, 0.5 } do
          if not (kind == "edm" and sigma == 0) then -- c_out is 0: any F will do
            local p, q = prediction.target(kind, alpha, sigma, sigma_data)
            local a, b = prediction.coefficients(kind, alpha, sigma, sigma_data)
            assert.near(x0, a * x + b * (p * x0 + q * eps), 1e-9, kind)
          end
        end
      end
    end
  end)

  it("has the constants of the papers", function()
    local p, q = prediction.target("v", 0.8, 0.6)
    assert.same({ -0.6, 0.8 }, { p, q })
    -- EDM, table 1: c_skip = s_d^2 / (s^2 + s_d^2), c_out = s s_d / sqrt(s^2 + s_d^2)
    local a, b = prediction.coefficients("edm", 1, 2, 0.5)
    assert.near(0.25 / 4.25, a, 1e-12)
    assert.near(1 / 4.25 ^ 0.5, b, 1e-12)
  end)

  it("stays finite at alpha 0, except for eps", function()
    for _, kind in ipairs { "x0", "v", "velocity", "edm" } do
      local a, b = prediction.coefficients(kind, 0, 1)
      assert.is_true(a == a and math.abs(a) < 10 and math.abs(b) < 10, kind)
    end
    fails("eps says nothing about the picture", prediction.coefficients, "eps", 0, 1)
    fails("expected \"eps\"", prediction.target, "noise", 1, 1)
  end)
end)
