local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"

local function ids(t) return core.tensor(t, { dtype = "int32" }) end

describe("embedding", function()
  it("takes rows by number, for ids of any shape", function()
    local weight = core.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }
    local y = core.embedding(weight, ids { { 3, 1 }, { 2, 2 } })
    assert.same({ { { 5, 6 }, { 1, 2 } }, { { 3, 4 }, { 3, 4 } } }, y:totable())
    assert.same({ 3, 4 }, core.embedding(weight, ids(2)):totable())
    assert.same({ 0, 2 }, core.embedding(weight, core.zeros(0, { dtype = "int32" })).shape)
  end)

  it("adds the gradients of a row that is used twice", function()
    local weight = core.zeros(3, 2):requires_grad_()
    core.embedding(weight, ids { 2, 3, 2 }):backward(core.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } })
    assert.same({ { 0, 0 }, { 6, 8 }, { 3, 4 } }, weight.grad:totable())
  end)

  it("passes gradcheck, twice", function()
    core.manual_seed(1)
    local at = ids { { 1, 4, 4 }, { 2, 1, 4 } }
    local function f(w) return core.embedding(w, at):square() end
    assert(gradcheck.check(f, { core.randn(4, 3) }, { second = true }))
  end)

  it("refuses ids that name no row", function()
    local weight = core.ones(3, 2)
    fails("bad argument #2 to 'embedding' (ids: 4 at place 2 is outside 1..3)", core.embedding, weight, ids { 1, 4 })
    fails("outside 1..3", core.embedding, weight, ids { 0 })
    fails("outside 1..3", core.embedding, weight, ids { -2147483648 })
    fails("bad argument #2 to 'embedding' (ids: ", core.embedding, weight, core.ones(2))
    fails("bad argument #1 to 'embedding' (weight: ", core.embedding, core.ones(3), ids { 1 })
  end)
end)
