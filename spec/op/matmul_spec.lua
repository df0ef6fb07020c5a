-- Matrix products against loops, PyTorch's rules for shapes, gradients.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"

local generator = core.generator(11)
local function randn(...)
  return core.randn(type(...) == "table" and ... or { ... }, { generator = generator })
end

describe("matmul", function()
  it("is the sum of products, at sizes around the tiles' edges", function()
    for _, size in ipairs { { 1, 1, 1 }, { 6, 64, 64 }, { 7, 3, 65 }, { 13, 17, 31 }, { 97, 5, 16 }, { 25, 130, 33 },
      { 3, 600, 20 }, { 12, 32, 48 } } do
      local m, k, n = table.unpack(size)
      local a, b = randn(m, k), randn(k, n)
      local expected = naive.matmul(naive.flat(a), naive.flat(b), m, k, n)
      assert.is_true(naive.difference(core.matmul(a, b), expected) < 1e-5, ("%dx%dx%d"):format(m, k, n))
    end
  end)

  it("agrees with itself transposed, where the operands are read another way #slow", function()
    for _, size in ipairs { { 5, 9, 70 }, { 40, 5000, 24 }, { 33, 18, 7 }, { 2000, 31, 70 }, { 801, 110, 1030 },
      { 1100, 20, 40 }, { 70, 8, 16 } } do
      local m, k, n = table.unpack(size)
      local a, b, dy = randn(m, k):requires_grad_(true), randn(k, n):requires_grad_(true), randn(m, n)
      core.matmul(a, b):backward(dy)
      local da = core.matmul(dy, b:detach():transpose(1, 2))
      local db = core.matmul(a:detach():transpose(1, 2), dy)
      assert.is_true(naive.difference(a.grad, naive.flat(da)) < 1e-5)
      assert.is_true(naive.difference(b.grad, naive.flat(db)) < 1e-5)
    end
  end)

  it("gives PyTorch's shapes", function()
    local function shape(a, b) return core.matmul(core.ones(a), core.ones(b)).shape end
    assert.same({}, shape({ 3 }, { 3 }))
    assert.same({ 2 }, shape({ 2, 3 }, { 3 }))
    assert.same({ 4 }, shape({ 3 }, { 3, 4 }))
    assert.same({ 5, 4 }, shape({ 3 }, { 5, 3, 4 }))
    assert.same({ 5, 2 }, shape({ 5, 2, 3 }, { 3 }))
    assert.same({ 5, 2, 4 }, shape({ 5, 2, 3 }, { 3, 4 }))
    assert.same({ 5, 2, 4 }, shape({ 2, 3 }, { 5, 3, 4 }))
    assert.same({ 6, 5, 2, 4 }, shape({ 6, 1, 2, 3 }, { 5, 3, 4 }))
    assert.same({ 0, 2, 4 }, shape({ 0, 2, 3 }, { 3, 4 }))
    assert.same({ 2, 0 }, shape({ 2, 3 }, { 3, 0 }))
  end)

  it("multiplies every pair of a broadcast batch", function()
    local a, b = randn(4, 1, 3, 5), randn(2, 5, 6)
    local y = core.matmul(a, b)
    for i = 1, 4 do
      for j = 1, 2 do
        assert.same(core.matmul(a[i][1], b[j]):totable(), y[i][j]:totable())
      end
    end
  end)

  it("sums over nothing to zeros, and lets NaN and infinity through", function()
    assert.same({ { 0, 0 }, { 0, 0 } }, core.matmul(core.ones(2, 0), core.ones(0, 2)):totable())
    local a = core.tensor { { 0 / 0, 1 }, { 1 / 0, 1 } }
    local y = core.matmul(a, core.ones(2, 20))
    assert.is_true(y[1][20]:item() ~= y[1][20]:item())
    assert.equal(1 / 0, y[2][3]:item())
  end)

  it("has gradients of first and second order", function()
    for _, shapes in ipairs { { { 3, 4 }, { 4, 2 } }, { { 4 }, { 4 } }, { { 2, 4 }, { 4 } }, { { 4 }, { 2, 4, 3 } },
      { { 2, 3, 1 }, { 1, 2 } }, { { 2, 1, 2, 3 }, { 3, 3, 2 } } } do
      gradcheck.check(core.matmul, { randn(shapes[1]), randn(shapes[2]) }, { second = true })
    end
  end)

  it("gives the same bits on one thread and on two", function()
    local before = core.threads()
    for _, size in ipairs { { 300, 700, 130 }, { 64, 6000, 70 }, { 3000, 20, 70 } } do
      local m, k, n = table.unpack(size)
      local a, b, dy = randn(m, k):requires_grad_(true), randn(k, n):requires_grad_(true), randn(m, n)
      local results = {}
      for threads = 1, 2 do
        core.threads(threads)
        local y = core.matmul(a, b)
        local da, db = table.unpack(core.grad(y, { a, b }, { grad_output = dy }))
        results[threads] = y:to_string() .. da:to_string() .. db:to_string()
      end
      core.threads(before)
      assert.is_true(results[1] == results[2])
    end
  end)

  it("refuses what does not fit", function()
    fails("bad argument #2 to 'matmul' (b: expected (3,4) to multiply (2,3), got (2,4))", core.matmul,
      core.ones(2, 3), core.ones(2, 4))
    fails("bad argument #2 to 'matmul' (b: leading axes of (3,3,4) do not broadcast", core.matmul,
      core.ones(2, 2, 3), core.ones(3, 3, 4))
    fails("bad argument #1 to 'matmul' (a: expected a vector", core.matmul, core.tensor(1), core.ones(1))
    fails("bad argument #2 to 'matmul' (b", core.matmul, core.ones(2, 3), core.ones({ 3, 4 }, { dtype = "int32" }))
  end)
end)
