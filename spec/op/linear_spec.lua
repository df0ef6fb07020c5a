-- linear is matmul with the weight transposed, plus the bias.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"

local function randn(...) return core.randn({ ... }, { generator = core.generator(5) }) end

describe("linear", function()
  it("agrees with matmul", function()
    for _, size in ipairs { { 1, 1, 1 }, { 5, 7, 20 }, { 100, 33, 64 }, { 7, 520, 65 } } do
      local rows, inner, out = table.unpack(size)
      local x, w, b = randn(rows, inner), randn(out, inner), randn(out)
      local expected = core.matmul(x, w:transpose(1, 2)) + b
      assert.is_true(naive.difference(core.linear(x, w, b), naive.flat(expected)) < 1e-5)
      expected = core.matmul(x, w:transpose(1, 2))
      assert.is_true(naive.difference(core.linear(x, w), naive.flat(expected)) < 1e-5)
    end
  end)

  it("works on the last axis", function()
    assert.same({ 2, 3, 5 }, core.linear(core.ones(2, 3, 4), core.ones(5, 4)).shape)
    assert.same({ 5 }, core.linear(core.ones(4), core.ones(5, 4)).shape)
    assert.same({ 0, 5 }, core.linear(core.ones(0, 4), core.ones(5, 4)).shape)
  end)

  it("has gradients of first and second order", function()
    gradcheck.check(core.linear, { randn(2, 3, 4), randn(5, 4), randn(5) }, { second = true })
    gradcheck.check(core.linear, { randn(4), randn(1, 4) }, { second = true })
  end)

  it("refuses what does not fit", function()
    fails("bad argument #2 to 'linear' (weight: expected (out,4), got (5,3))", core.linear, core.ones(2, 4),
      core.ones(5, 3))
    fails("bad argument #3 to 'linear' (bias: expected (5), got (4))", core.linear, core.ones(2, 4), core.ones(5, 4),
      core.ones(4))
    fails("bad argument #1 to 'linear' (x: expected (..,in), got a scalar)", core.linear, core.tensor(1),
      core.ones(1, 1))
  end)
end)
