local core = require "laterna.core"
local fails = require "spec.support.fails"

describe("dropout", function()
  it("drops about p of the elements and rescales the others", function()
    local x = core.ones(100, 100)
    local y = core.dropout(x, 0.3, { generator = core.generator(1) })
    local kept = core.ne(y, core.tensor(0)):sum():item()
    assert(math.abs(kept / 10000 - 0.7) < 0.02, kept)
    assert(math.abs(y:max():item() - 1 / 0.7) < 1e-6)
    assert(math.abs(y:sum():item() - kept / 0.7) < 0.1)
  end)

  it("repeats with its generator", function()
    local x = core.ones(50)
    local function draw(seed) return core.dropout(x, 0.5, { generator = core.generator(seed) }):to_string() end
    assert.equal(draw(3), draw(3))
    assert.not_equal(draw(3), draw(4))
    core.manual_seed(3)
    assert.equal(draw(3), core.dropout(x, 0.5):to_string())
  end)

  it("passes gradients where it let x pass", function()
    local x = core.full({ 40 }, 2):requires_grad_()
    local y = x:dropout(0.5, { generator = core.generator(5) })
    y:sum():backward()
    assert.same((y:detach() * 0.5):totable(), x.grad:totable())
  end)

  it("keeps a bit for each element, any number of them, and has gradients of gradients", function()
    local autograd = require "laterna.autograd"
    for _, n in ipairs { 1, 7, 8, 9, 64, 1003, 70000 } do
      local x = core.randn(n):requires_grad_()
      local mask = core.dropout(core.ones(n), 0.4, { generator = core.generator(n) })
      local y = core.dropout(x, 0.4, { generator = core.generator(n) })
      assert.same((x:detach() * mask):totable(), y:totable())
      assert.equal((n + 7) // 8, autograd.saved(y).bytes)
      local g = core.grad(y:square():sum(), { x }, { create_graph = true })[1]
      assert.same((x:detach() * mask * 2 * mask):totable(), g:totable())
      assert.same((mask * 2 * mask):totable(), core.grad(g:sum(), { x })[1]:totable())
    end
    local u, y = core.rand(1000, { generator = core.generator(2) }):totable(),
      core.dropout(core.ones(1000), 0.25, { generator = core.generator(2) }):totable()
    for i = 1, 1000 do assert.equal(u[i] < 0.75, y[i] ~= 0) end
  end)

  it("keeps everything at 0 and nothing at 1", function()
    local x = core.tensor { 1, math.huge, 3 }
    assert.same(x:totable(), core.dropout(x, 0):totable())
    assert.same({ 0, 0 }, core.dropout(core.tensor { 1, -2 }, 1):totable())
  end)

  it("refuses what is no probability", function()
    for _, p in ipairs { -0.1, 1.1, 0 / 0, math.huge } do
      fails("bad argument #2 to 'dropout' (p: ", core.dropout, core.ones(2), p)
    end
    fails("bad argument #3 to 'dropout'", core.dropout, core.ones(2), 0.5, { generator = 3 })
    fails("bad argument #1 to 'dropout' (x: ", core.dropout, core.ones(2, { dtype = "int32" }), 0.5)
  end)
end)
