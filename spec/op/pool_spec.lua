-- Pooling against loops and against PyTorch.
local agrees = require "spec.support.agrees"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.picture_ops_torch"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"
local wave = require "spec.support.wave"

local generator = core.generator(31)
local function randn(...) return core.randn({ ... }, { generator = generator }) end

-- Each window's sum and largest value, from the definition.
local function windows(x, kernel, stride, padding)
  local n, h, w, c = table.unpack(x.shape)
  local v, means, largest = naive.flat(x), {}, {}
  local oh = (h + 2 * padding[1] - kernel[1]) // stride[1] + 1
  local ow = (w + 2 * padding[2] - kernel[2]) // stride[2] + 1
  for b = 0, n - 1 do
    for oy = 0, oh - 1 do
      for ox = 0, ow - 1 do
        for channel = 1, c do
          local sum, most = 0, -math.huge
          for y = oy * stride[1] - padding[1], oy * stride[1] - padding[1] + kernel[1] - 1 do
            for xx = ox * stride[2] - padding[2], ox * stride[2] - padding[2] + kernel[2] - 1 do
              if y >= 0 and y < h and xx >= 0 and xx < w then
                local value = v[((b * h + y) * w + xx) * c + channel]
                sum, most = sum + value, math.max(most, value)
              end
            end
          end
          means[#means + 1] = sum / (kernel[1] * kernel[2])
          largest[#largest + 1] = most
        end
      end
    end
  end
  return means, largest
end

describe("pooling", function()
  it("takes means and largest values of windows", function()
    for _, a in ipairs { { { 2, 6, 4, 3 }, { 2, 2 }, { 2, 2 }, { 0, 0 } },
      { { 1, 5, 7, 20 }, { 3, 2 }, { 2, 1 }, { 1, 1 } }, { { 1, 1, 1, 1 }, { 1, 1 }, { 1, 1 }, { 0, 0 } },
      { { 2, 4, 4, 1 }, { 2, 3 }, { 3, 3 }, { 1, 0 } } } do
      local x, options = randn(table.unpack(a[1])), { stride = a[3], padding = a[4] }
      local means, largest = windows(x, a[2], a[3], a[4])
      assert.is_true(naive.difference(core.avg_pool2d(x, a[2], options), means) < 1e-6)
      assert.is_true(naive.difference(core.max_pool2d(x, a[2], options), largest) == 0)
    end
  end)

  it("steps by the kernel unless told otherwise", function()
    assert.same({ 1, 2, 3, 2 }, core.avg_pool2d(core.ones(1, 4, 9, 2), { 2, 3 }).shape)
    assert.same({ 1, 2, 4, 2 }, core.max_pool2d(core.ones(1, 4, 9, 2), 2).shape)
  end)

  it("gives PyTorch's numbers", function()
    agrees(golden.average, function(x) return core.avg_pool2d(x, { 3, 2 }, { stride = 2, padding = 1 }) end,
      { wave({ 1, 5, 4, 2 }, 0) })
    agrees(golden.largest, function(x) return core.max_pool2d(x, 3, { stride = 2, padding = 1 }) end,
      { wave({ 1, 5, 4, 2 }, 0) })
  end)

  it("has gradients of first and second order", function()
    gradcheck.check(function(x) return core.avg_pool2d(x, 2, { stride = 1, padding = 1 }) end, { randn(2, 3, 4, 2) },
      { second = true })
    -- values far enough apart that a difference does not change which is largest
    local x = core.randperm(40):float():view(1, 5, 4, 2) * 0.1
    gradcheck.check(function(t) return core.max_pool2d(t, 3, { stride = 2, padding = 1 }) end, { x },
      { second = true })
    gradcheck.check(function(t) return core.max_pool2d(t * t, 2) end, { x + 1 }, { second = true, tolerance = 3e-3 })
  end)

  it("gives a tie to the first, and NaN to its window", function()
    local x = core.ones(1, 2, 2, 1):requires_grad_(true)
    core.max_pool2d(x, 2):backward(core.ones(1, 1, 1, 1))
    assert.same({ 1, 0, 0, 0 }, naive.flat(x.grad))
    local y = core.max_pool2d(core.tensor { 1, 0 / 0, 3, 4 }:view(1, 2, 2, 1), 2):item()
    assert.is_true(y ~= y)
    assert.equal(-1 / 0, core.max_pool2d(core.full({ 1, 2, 2, 1 }, -1 / 0), 2):item())
  end)

  it("takes an empty batch", function()
    assert.same({ 0, 2, 2, 3 }, core.avg_pool2d(core.zeros(0, 4, 4, 3), 2).shape)
    assert.same({ 0, 2, 2, 3 }, core.max_pool2d(core.zeros(0, 4, 4, 3), 2).shape)
  end)

  it("refuses what does not fit", function()
    local x = core.ones(1, 4, 4, 3)
    fails("bad argument #1 to 'avg_pool2d' (x: expected (n,h,w,c)", core.avg_pool2d, core.ones(4, 4), 2)
    fails("bad argument #2 to 'max_pool2d' (kernel: 5 does not fit pictures (1,4,4,3))", core.max_pool2d, x, 5)
    fails("bad argument #3 to 'max_pool2d' (padding: expected at most half of the kernel, 1, got 2)", core.max_pool2d,
      x, 2, { padding = 2 })
    fails("bad argument #2 to 'avg_pool2d' (kernel", core.avg_pool2d, x, 0)
    fails("bad argument #2 to 'avg_pool2d' (kernel", core.avg_pool2d, x, { 2, 2, 2 })
    fails('unknown option "dilation"', core.avg_pool2d, x, 2, { dilation = 2 })
  end)
end)
