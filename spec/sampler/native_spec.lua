-- What samplers ask of C, against the same written out in Lua.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"

describe("combine", function()
  it("is the sum of numbers times tensors, of any size", function()
    core.manual_seed(1)
    for _, size in ipairs { 1, 7, 1024, 40003 } do
      for k = 1, 8 do
        local tensors, numbers, rows = {}, {}, {}
        for i = 1, k do
          tensors[i], numbers[i] = core.randn(size), (-1) ^ i * (i + 0.3)
          rows[i] = tensors[i]:totable()
        end
        local wanted = {}
        for j = 1, size do
          wanted[j] = 0
          for i = 1, k do wanted[j] = wanted[j] + numbers[i] * rows[i][j] end
        end
        close(core.combine(tensors, numbers), wanted, 5e-6)
      end
    end
    assert.same({ 0, 2, 3 }, core.combine({ core.zeros(0, 2, 3) }, { 2 }).shape)
    close(core.combine({ core.tensor(3), core.tensor(4) }, { 2, -1 }), { 2 })
  end)

  it("takes one tensor twice, and shows what is not a number", function()
    local x = core.tensor { 1, 2 }
    close(core.combine({ x, x, x }, { 1, 1, -3 }), { -1, -2 })
    local y = core.combine({ x, core.tensor { 0 / 0, 1 } }, { 1, 0 }):totable()
    assert(y[1] ~= y[1] and y[2] == 2)
  end)

  it("has gradients of gradients", function()
    core.manual_seed(2)
    assert.is_true(gradcheck.check(function(a, b, c)
      return core.combine({ a, b, c, a }, { 2, -0.5, 3, 0.25 }):square()
    end, { core.randn(3, 2), core.randn(3, 2), core.randn(3, 2) }, { second = true }))
    local x = core.ones(2):requires_grad_()
    core.combine({ x, core.ones(2) }, { 3, 4 }):sum():backward()
    assert.same({ 3, 3 }, x.grad:totable())
  end)

  it("says what is wrong", function()
    local x = core.ones(2)
    fails("bad argument #1 to 'combine' (tensors: expected 1 to 8, got 0)", core.combine, {}, {})
    fails("expected 1 to 8, got 9", core.combine, { x, x, x, x, x, x, x, x, x }, { 1, 1, 1, 1, 1, 1, 1, 1, 1 })
    fails("tensors: item 2: expected float32 (2), got float32 (3)", core.combine, { x, core.ones(3) }, { 1, 1 })
    fails("item 1: expected float32", core.combine, { x:byte() }, { 1 })
    fails("bad argument #2 to 'combine' (numbers: expected 2, one a tensor, got 1)", core.combine, { x, x }, { 1 })
    fails("numbers: item 2: expected number, got string", core.combine, { x, x }, { 1, "2" })
  end)
end)

describe("randn_each", function()
  it("gives each item its generator's numbers", function()
    for _, sizes in ipairs { { 3 }, { 16 }, { 5, 7, 3 } } do
      local generators, wanted = {}, {}
      for i = 1, 5 do
        generators[i] = core.generator(i)
        wanted[i] = core.randn(sizes, { generator = core.generator(i) })
      end
      local got = core.randn_each(generators, sizes)
      assert.equal(core.stack(wanted):to_string(), got:to_string())
      assert.same({ 5, table.unpack(sizes) }, got.shape)
      -- and goes on from there
      assert.is_not.equal(got:to_string(), core.randn_each(generators, table.unpack(sizes)):to_string())
    end
    assert.same({ 0, 2 }, core.randn_each({}, 2).shape)
  end)

  it("does not depend on threads", function()
    local before = core.threads()
    local function bits(threads)
      core.threads(threads)
      local generators = {}
      for i = 1, 9 do generators[i] = core.generator(i) end
      return core.randn_each(generators, 33):to_string()
    end
    local one, two = bits(1), bits(2)
    core.threads(before)
    assert(one == two)
  end)

  it("says what is wrong", function()
    local g = core.generator(1)
    fails("generators: item 2 is item 1 again", core.randn_each, { g, g }, { 2 })
    fails("generators: item 1: expected generator, got number", core.randn_each, { 1 }, { 2 })
    fails("bad argument #2 to 'randn_each' (sizes: expected table or numbers", core.randn_each, { g }, "x")
    fails("sizes: at most 7", core.randn_each, { g }, 1, 1, 1, 1, 1, 1, 1, 1)
    assert.has_error(function() core.randn_each({ g }, -1) end)
  end)
end)

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
