-- Rational-quadratic splines against the formula, written out in doubles for one number.
local child = require "spec.support.child"
local core = require "laterna.core"
local gradcheck = require "spec.support.gradcheck"

local LEAST = 0.01

-- Knots and derivatives from the numbers that were said.
local function knots(said, k, bound)
  local function parts(from)
    local sum, out = 0, { -bound }
    for j = 1, k do sum = sum + math.exp(said[from + j]) end
    for j = 1, k do out[j + 1] = out[j] + 2 * bound * (LEAST + (1 - k * LEAST) * math.exp(said[from + j]) / sum) end
    return out
  end
  local slopes = { 1 }
  for j = 1, k - 1 do
    slopes[j + 1] = math.log(1 + math.exp(said[2 * k + j] + math.log(math.exp(1 - LEAST) - 1))) + LEAST
  end
  slopes[k + 1] = 1
  return parts(0), parts(k), slopes
end

-- y and log y' of x (eq. 4 and 5).
local function naive(x, said, k, bound)
  if math.abs(x) > bound then return x, 0 end
  local xs, ys, ds = knots(said, k, bound)
  local b = 1
  while b < k and x >= xs[b + 1] do b = b + 1 end
  local w, h = xs[b + 1] - xs[b], ys[b + 1] - ys[b]
  local s, p = h / w, (x - xs[b]) / w
  local q = p * (1 - p)
  local below = s + (ds[b] + ds[b + 1] - 2 * s) * q
  local slope = s * s * (ds[b + 1] * p * p + 2 * s * q + ds[b] * (1 - p) ^ 2) / below ^ 2
  return ys[b] + h * (s * p * p + ds[b] * q) / below, math.log(slope)
end

describe("spline", function()
  before_each(function() core.manual_seed(6) end)

  it("is what the formula says, with any number of bins, inside and outside", function()
    for _, k in ipairs { 1, 2, 5, 8, 17 } do
      for _, bound in ipairs { 4, 0.5 } do
        local x, said = core.randn(53) * bound * 0.6, core.randn(53, 3 * k - 1)
        local both = core.spline(x, said, { bound = bound })
        assert.same({ 2, 53 }, both.shape)
        for i = 1, 53 do
          local row = said.shape[2] > 0 and said[i]:totable() or {}
          local y, logs = naive(x[i]:item(), row, k, bound)
          assert.near(y, both[1][i]:item(), 2e-5)
          assert.near(logs, both[2][i]:item(), 1e-4)
        end
      end
    end
  end)

  it("runs back", function()
    local x, said = core.randn(3, 7, 2) * 2.5, core.randn(3, 7, 2, 23) * 1.5
    local both = core.spline(x, said)
    local back = core.spline(both[1], said, { inverse = true })
    assert.is_true((back[1] - x):abs():max():item() < 1e-4)
    assert.is_true((back[2] + both[2]):abs():max():item() < 2e-3)
  end)

  it("is the identity for zeros, and outside; NaN stays what it is", function()
    local x = core.tensor { -9, -4, -1, 0, 3.9, 4, 70 }
    local both = core.spline(x, core.zeros(7, 14))
    assert.is_true((both[1] - x):abs():max():item() < 1e-5)
    assert.is_true(both[2]:abs():max():item() < 1e-5)
    local odd = core.spline(core.tensor { 0 / 0, 1 / 0, -1 / 0 }, core.randn(3, 14))
    assert.is_true(odd[1][1]:item() ~= odd[1][1]:item())
    assert.equal(math.huge, odd[1][2]:item())
    assert.same({ 0, 0, 0 }, odd[2]:totable())
  end)

  it("has the gradients that differences say, both ways", function()
    local function inner(x) return x:tanh() * 2 end -- away from the ends
    for _, inverse in ipairs { false, true } do
      for _, k in ipairs { 2, 5 } do
        gradcheck.check(function(x, said) return core.spline(inner(x), said, { inverse = inverse }) end,
          { core.randn(4), core.randn(4, 3 * k - 1) * 0.5 }, { tolerance = 3e-3, h = 5e-3 })
      end
    end
    local x = core.tensor({ 9 }, { requires_grad = true })
    local said = core.randn(1, 14, { requires_grad = true })
    core.spline(x, said):sum():backward()
    assert.equal(1, x.grad:item())
    assert.equal(0, said.grad:abs():max():item())
  end)

  it("does the same whatever the instruction set and the number of threads #isas", function()
    local work = [[
      local core = require "laterna.core"
      local g = core.generator(3)
      local x = (core.randn({ 3001 }, { generator = g }) * 2):requires_grad_(true)
      local said = core.randn({ 3001, 23 }, { generator = g }):requires_grad_(true)
      local y = core.spline(x, said)
      y:square():sum():backward()
      print(y[1]:norm():item(), y[2]:norm():item(), x.grad:norm():item(), said.grad:norm():item())
    ]]
    local reference
    for _, isa in ipairs(core.info().isas) do
      local ok, output = child.run(work, { env = "LATERNA_ISA=" .. isa })
      assert.is_true(ok, output)
      local values = {}
      for v in output:gmatch "%S+" do values[#values + 1] = tonumber(v) end
      assert.equal(4, #values, output)
      reference = reference or values
      for i, v in ipairs(values) do assert.is_true(math.abs(v / reference[i] - 1) < 1e-3, isa .. ": " .. output) end
    end
    local x, said, was = core.randn(3001), core.randn(3001, 23), core.threads()
    local two = core.spline(x, said):to_string()
    core.threads(1)
    assert.equal(two, core.spline(x, said):to_string())
    core.threads(was)
  end)

  it("says what does not fit, and refuses second derivatives", function()
    local function message(f, ...)
      local ok, err = pcall(f, ...)
      assert.is_false(ok)
      return err
    end
    assert.matches("said: expected an axis of 3k%-1 numbers more than x %(3%), got %(3,4%)",
      message(core.spline, core.ones(3), core.ones(3, 4)))
    assert.matches("said: expected", message(core.spline, core.ones(3), core.ones(2, 5)))
    assert.matches("99 bins are too many", message(core.spline, core.ones(3), core.ones(3, 3 * 99 - 1)))
    local x = core.ones(3, { requires_grad = true })
    assert.matches("the second derivative of 'spline'", message(core.grad, core.spline(x, core.ones(3, 5)):sum(), { x },
      { create_graph = true }))
    assert.same({ 2, 0 }, core.spline(core.zeros(0), core.zeros(0, 5)).shape)
  end)
end)
