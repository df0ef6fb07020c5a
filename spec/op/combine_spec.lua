-- Sums of numbers times tensors, against the same written out in Lua.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"

describe("combine", function()
  it("is the sum of numbers times tensors, of any size #slow", function()
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
