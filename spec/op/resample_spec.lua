-- Resampling against the definition and against PyTorch.
local agrees = require "spec.support.agrees"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.picture_ops_torch"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"
local wave = require "spec.support.wave"

local generator = core.generator(41)
local function randn(...) return core.randn({ ... }, { generator = generator }) end

describe("resampling", function()
  it("repeats pixels", function()
    local x = randn(2, 3, 2, 5)
    local y = core.upsample_nearest(x, 3)
    assert.same({ 2, 9, 6, 5 }, y.shape)
    for i = 1, 9 do
      for j = 1, 6 do
        assert.same(x[2][(i + 2) // 3][(j + 2) // 3]:totable(), y[2][i][j]:totable())
      end
    end
    assert.same(x:totable(), core.upsample_nearest(x, 1):totable())
  end)

  it("interpolates as two matrices, one for each axis", function()
    for _, a in ipairs { { 3, 4, 5, 7 }, { 5, 6, 2, 3 }, { 1, 1, 3, 2 }, { 4, 5, 4, 5 }, { 7, 2, 1, 1 } } do
      local x = randn(2, a[1], a[2], 3)
      local down, across = naive.bilinear_matrix(a[1], a[3]), naive.bilinear_matrix(a[2], a[4])
      local rows = core.matmul(down, x:view(2, a[1], a[2] * 3)):view(2 * a[3], a[2], 3)
      local expected = core.matmul(across, rows):view(2, a[3], a[4], 3)
      assert.is_true(naive.difference(core.resize_bilinear(x, { a[3], a[4] }), naive.flat(expected)) < 1e-5)
    end
  end)

  it("gives PyTorch's numbers", function()
    agrees(golden.nearest, function(x) return core.upsample_nearest(x, 2) end, { wave({ 1, 2, 3, 2 }, 0) })
    agrees(golden.larger, function(x) return core.resize_bilinear(x, { 5, 7 }) end, { wave({ 1, 3, 4, 2 }, 0) })
    agrees(golden.smaller, function(x) return core.resize_bilinear(x, { 2, 3 }) end, { wave({ 1, 5, 4, 2 }, 0) })
  end)

  it("has gradients of first and second order", function()
    gradcheck.check(function(x) return core.upsample_nearest(x, 2) end, { randn(1, 2, 3, 2) }, { second = true })
    gradcheck.check(function(x) return core.resize_bilinear(x * x, { 4, 2 }) end, { randn(1, 2, 3, 2) },
      { second = true })
    gradcheck.check(function(x) return core.resize_bilinear(x, 3) end, { randn(1, 1, 1, 1) }, { second = true })
  end)

  it("shows an infinity and NaN to the results that read them, and to no other", function()
    for _, v in ipairs { 1 / 0, -1 / 0, 0 / 0 } do
      -- The same size, and every second result on a pixel of its own: weights of 0 and 1.
      for _, size in ipairs { { 5, 6 }, { 5, 18 }, { 15, 6 } } do
        local x = core.ones(1, 5, 6, 2)
        x[1][3][4][1] = v
        local y = core.resize_bilinear(x, size)[1]:totable()
        local down, across = naive.bilinear_matrix(5, size[1]):totable(), naive.bilinear_matrix(6, size[2]):totable()
        for i = 1, size[1] do
          for j = 1, size[2] do
            local reads, found = down[i][3] * across[j][4] > 0, y[i][j][1]
            if reads then
              assert.is_true(found == v or v ~= v and found ~= found)
            else
              assert(math.abs(found - 1) < 1e-6, ("%g beside %g"):format(found, v))
            end
            assert.is_true(math.abs(y[i][j][2] - 1) < 1e-6)
          end
        end
        -- The adjoint: an infinite dy reaches the pixels that it came from.
        local p, dy = core.ones(1, 5, 6, 2):requires_grad_(true), core.ones(1, size[1], size[2], 2)
        dy[1][2][3][1] = v
        local dx = core.grad(core.resize_bilinear(p, size), { p }, { grad_output = dy })[1][1]:totable()
        for i = 1, 5 do
          for j = 1, 6 do
            assert.equal(down[2][i] * across[3][j] > 0, dx[i][j][1] == v or dx[i][j][1] ~= dx[i][j][1])
            assert.is_true(v ~= v or dx[i][j][1] == dx[i][j][1])
          end
        end
      end
    end
  end)

  it("takes an empty batch", function()
    assert.same({ 0, 4, 4, 3 }, core.upsample_nearest(core.zeros(0, 2, 2, 3), 2).shape)
    assert.same({ 0, 3, 3, 3 }, core.resize_bilinear(core.zeros(0, 2, 2, 3), 3).shape)
  end)

  it("refuses what does not fit", function()
    local x = core.ones(1, 2, 2, 3)
    fails("bad argument #1 to 'upsample_nearest' (x: expected (n,h,w,c)", core.upsample_nearest, core.ones(2, 2), 2)
    fails("bad argument #2 to 'upsample_nearest' (scale", core.upsample_nearest, x, 0)
    fails("bad argument #2 to 'upsample_nearest' (scale", core.upsample_nearest, x, 1.5)
    fails("bad argument #2 to 'resize_bilinear' (size", core.resize_bilinear, x, { 2 })
    fails("bad argument #2 to 'resize_bilinear' (size", core.resize_bilinear, x, { 0, 2 })
  end)
end)
