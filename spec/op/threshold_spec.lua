-- Dynamic thresholding, against its definition written out in Lua.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"

-- Sorted, then between two neighbours.
local function naive(row, quantile, max)
  local sorted = {}
  for i, v in ipairs(row) do sorted[i] = math.abs(v) end
  table.sort(sorted)
  local at = quantile * (#sorted - 1)
  local k = math.floor(at)
  local s = sorted[k + 1] + (at - k) * ((sorted[k + 2] or sorted[k + 1]) - sorted[k + 1])
  s = math.min(max, math.max(1, s))
  local out = {}
  for i, v in ipairs(row) do out[i] = math.max(-s, math.min(s, v)) / s end
  return out
end

describe("threshold", function()
  it("is the definition", function()
    core.manual_seed(3)
    for _, size in ipairs { 1, 2, 5, 300 } do
      local x = core.cat { core.randn(3, size) * 2, core.randn(1, size) * 0.1, core.ones(1, size) * 3,
        core.randn(1, size):round() * 2 }
      for _, quantile in ipairs { 0, 0.3, 0.5, 0.9, 0.995, 1 } do
        for _, max in ipairs { 1, 1.5, math.huge } do
          local got, rows = core.threshold(x, quantile, max), x:totable()
          for i, row in ipairs(rows) do close(got[i], naive(row, quantile, max), 1e-6) end
        end
      end
    end
  end)

  it("leaves pictures within [-1,1] alone, and keeps what is not a number to its picture", function()
    local x = core.tensor { { 0.5, -1, 0.25 }, { 0 / 0, 4, 1 }, { 2, 2, -2 } }
    local y = x:threshold():totable()
    assert.same({ 0.5, -1, 0.25 }, y[1])
    for _, v in ipairs(y[2]) do assert(v ~= v) end
    assert.same({ 1, 1, -1 }, y[3])
  end)

  it("has a gradient that takes the limit as given", function()
    local x = core.tensor { { 0.5, -1, 4, 2 } }:requires_grad_()
    core.threshold(x, 2 / 3):sum():backward() -- s = 2
    close(x.grad, { 0.5, 0.5, 0, 0.5 })
    local none = core.zeros(0, 3):requires_grad_()
    core.threshold(none):sum():backward()
  end)

  it("says what is wrong", function()
    fails("bad argument #2 to 'threshold' (quantile: ", core.threshold, core.ones(2), 1.1)
    fails("quantile: ", core.threshold, core.ones(2), 0 / 0)
    fails("bad argument #3 to 'threshold' (max: ", core.threshold, core.ones(2), 0.5, 0.9)
    fails("got a scalar", core.threshold, core.tensor(1))
  end)
end)
