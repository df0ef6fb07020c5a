-- Broadcasting against the same operands written out in full: short rows, long rows, either side, several pieces.
local close = require "spec.support.close"
local core = require "laterna.core"

describe("broadcasting", function()
  local pairs_of_shapes = {
    { { 300, 7 }, { 7 } }, { { 5, 1100, 3 }, { 5, 1, 3 } }, { { 4, 50, 300 }, { 4, 1, 300 } },
    { { 1000, 20 }, { 1000, 1 } },
    { { 3, 40, 40, 32 }, { 3, 1, 1, 32 } }, { { 3, 40, 40, 32 }, { 1, 40, 1, 1 } }, { { 2, 1, 5 }, { 1, 600, 1 } },
    { { 65, 600 }, { 1 } }, { { 2, 3, 257 }, { 3, 257 } }, { { 0, 5 }, { 5 } },
  }
  local function each(visit)
    core.manual_seed(21)
    for _, shapes in ipairs(pairs_of_shapes) do
      local a, b = core.randn(shapes[1]):abs() + 0.5, core.randn(shapes[2]):abs() + 0.5
      local full = (a * b).shape
      visit(a, b, full)
      visit(b, a, full)
    end
  end

  it("gives what full operands give, to the bit", function()
    each(function(a, b, full)
      local wide, tall = a:expand(full), b:expand(full)
      for _, name in ipairs { "add", "sub", "mul", "div", "maximum", "lt" } do
        assert.equal(core[name](wide, tall):to_string(), core[name](a, b):to_string(), name)
      end
      assert.equal(core.addcmul(wide, wide, tall):to_string(), core.addcmul(a, a, b):to_string())
      assert.equal(core.addcmul(tall, wide, wide):to_string(), core.addcmul(b, a, a):to_string())
    end)
  end)

  it("sums gradients back over what was stretched #slow", function()
    each(function(a, b, full)
      a:requires_grad_()
      b:requires_grad_()
      local dy = core.randn(full)
      local wide, tall = a:detach():expand(full), b:detach():expand(full)
      local function back(t, like)
        for i = 1, t:dim() do
          local own = i - (t:dim() - like:dim())
          if own < 1 or like:size(own) == 1 then t = t:sum(i, { keepdim = true }) end
        end
        return t:view(like.shape)
      end
      local want = { back(dy * tall, a), back(dy * wide, b), back(dy, a) }
      local got = core.grad(a * b, { a, b }, { grad_output = dy })
      close(got[1], want[1], 1e-4)
      close(got[2], want[2], 1e-4)
      local x = core.randn(a.shape):requires_grad_()
      got = core.grad(core.addcmul(x, a, b), { x, a, b }, { grad_output = dy })
      close(got[1], want[3], 1e-4)
      close(got[2], want[1], 1e-4)
      close(got[3], want[2], 1e-4)
    end)
  end)

  it("gives the same gradient bits on one thread and on two", function()
    local before = core.threads()
    local function bits()
      core.manual_seed(22)
      local x, gate = core.randn(9, 500, 40):requires_grad_(), core.randn(9, 1, 40):requires_grad_()
      local g = core.grad(core.addcmul(x, gate, x * gate), { x, gate }, { grad_output = core.randn(9, 500, 40) })
      return g[1]:to_string() .. g[2]:to_string()
    end
    core.threads(1)
    local one = bits()
    core.threads(2)
    local two = bits()
    core.threads(before)
    assert(one == two, "the bits differ")
  end)

  it("refuses what does not fit", function()
    local fails = require "spec.support.fails"
    fails("shapes do not broadcast", core.addcmul, core.ones(2, 3), core.ones(2), core.ones(3))
    fails("bad argument #3 to 'addcmul' (b: ", core.addcmul, core.ones(2), core.ones(2), "x")
  end)
end)
