-- Convolution and its transpose against loops and against PyTorch.
local agrees = require "spec.support.agrees"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.picture_ops_torch"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"
local wave = require "spec.support.wave"

local generator = core.generator(21)
local function randn(shape) return core.randn(shape, { generator = generator }) end

-- n h w cin cout kh kw stride padding dilation groups; each reaches another path of the kernels
local shapes = {
  pointwise = { 2, 3, 5, 33, 20, 1, 1, { 1, 1 }, { 0, 0 }, { 1, 1 }, 1 },
  three = { 1, 7, 6, 16, 70, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 },
  whole_vectors = { 1, 4, 5, 64, 32, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 },
  one_channel_in = { 3, 9, 8, 1, 32, 4, 4, { 2, 2 }, { 1, 1 }, { 1, 1 }, 1 },
  one_channel_out = { 2, 10, 9, 32, 1, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 },
  three_channels = { 2, 7, 6, 3, 3, 5, 3, { 1, 2 }, { 2, 1 }, { 1, 1 }, 1 },
  halved = { 1, 8, 6, 24, 40, 4, 4, { 2, 2 }, { 1, 1 }, { 1, 1 }, 1 },
  uneven = { 1, 11, 5, 9, 10, 2, 3, { 3, 2 }, { 0, 2 }, { 1, 1 }, 1 },
  skipping = { 1, 7, 7, 8, 12, 2, 2, { 3, 3 }, { 0, 0 }, { 1, 1 }, 1 }, -- pixels that no tap reads
  dilated = { 1, 9, 10, 10, 6, 3, 3, { 1, 1 }, { 2, 3 }, { 2, 3 }, 1 },
  grouped = { 2, 5, 5, 12, 18, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 3 },
  depthwise = { 1, 6, 7, 20, 20, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 20 },
  one_pixel = { 1, 1, 1, 40, 3, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 },
  mostly_padding = { 1, 2, 1, 8, 8, 3, 3, { 1, 1 }, { 3, 4 }, { 1, 1 }, 1 },
}

local function case(a)
  local s = { n = a[1], h = a[2], w = a[3], cin = a[4], cout = a[5], kh = a[6], kw = a[7], stride = a[8],
    padding = a[9], dilation = a[10], groups = a[11] }
  local x = randn { s.n, s.h, s.w, s.cin }:requires_grad_(true)
  local w = randn { s.cout, s.kh, s.kw, s.cin // s.groups }:requires_grad_(true)
  local b = randn { s.cout }:requires_grad_(true)
  local options = { stride = s.stride, padding = s.padding, dilation = s.dilation, groups = s.groups }
  return s, x, w, b, options
end

describe("conv2d", function()
  for name, a in pairs(shapes) do
    it("is the sum over taps and channels, and so are its gradients: " .. name, function()
      local s, x, w, b, options = case(a)
      local y = core.conv2d(x, w, b, options)
      local dy = randn(y.shape)
      y:backward(dy)
      local ey, edx, edw = naive.conv2d(s, naive.flat(x), naive.flat(w), naive.flat(b), naive.flat(dy))
      assert.same({ s.n, s.oh, s.ow, s.cout }, y.shape)
      assert.is_true(naive.difference(y, ey) < 1e-5)
      assert.is_true(naive.difference(x.grad, edx) < 1e-5)
      assert.is_true(naive.difference(w.grad, edw) < 1e-5)
      assert.is_true(naive.difference(b.grad, naive.flat(dy:sum { 1, 2, 3 })) < 1e-5)
    end)

    it("has an adjoint, conv_transpose2d: " .. name, function()
      local s, x, w, _, options = case(a)
      local y = core.conv2d(x, w, nil, options)
      local dy, bias = randn(y.shape):requires_grad_(true), randn { s.cin }
      local dx = core.grad(y, { x }, { grad_output = dy:detach() })[1]
      local function left(i, out, stride, kernel) -- what the size of y does not tell of the size of x
        return x.shape[i + 1] - ((out - 1) * stride - 2 * s.padding[i] + s.dilation[i] * (kernel - 1) + 1)
      end
      options.output_padding = { left(1, y.shape[2], s.stride[1], s.kh), left(2, y.shape[3], s.stride[2], s.kw) }
      local t = core.conv_transpose2d(dy, w, bias, options)
      assert.same(x.shape, t.shape)
      assert.is_true(naive.difference(t, naive.flat(dx + bias)) < 1e-5)
      -- its gradients are the convolution and the weight gradient
      local g = randn(x.shape)
      local found = core.grad(t, { dy, w }, { grad_output = g })
      local ey, _, ew = naive.conv2d(s, naive.flat(g), naive.flat(w), naive.flat(core.zeros(s.cout)), naive.flat(dy))
      assert.is_true(naive.difference(found[1], ey) < 1e-5)
      assert.is_true(naive.difference(found[2], ew) < 1e-5)
    end)
  end

  it("gives PyTorch's numbers", function()
    agrees(golden.strided, function(x, w, b)
      return core.conv2d(x, w, b, { stride = { 2, 1 }, padding = { 1, 2 }, dilation = { 1, 2 } })
    end, { wave({ 2, 5, 4, 3 }, 0), wave({ 4, 3, 2, 3 }, 100), wave({ 4 }, 200) })
    agrees(golden.grouped, function(x, w, b) return core.conv2d(x, w, b, { groups = 2 }) end,
      { wave({ 1, 3, 4, 4 }, 0), wave({ 6, 2, 2, 2 }, 100), wave({ 6 }, 200) })
    agrees(golden.transposed, function(x, w, b)
      return core.conv_transpose2d(x, w, b, { stride = 2, padding = 1, output_padding = 1 })
    end, { wave({ 1, 3, 2, 3 }, 0), wave({ 3, 3, 3, 2 }, 100), wave({ 2 }, 200) })
  end)

  it("has gradients of first and second order", function()
    local second = { second = true }
    gradcheck.check(function(x, w, b)
      return core.conv2d(x, w, b, { stride = { 2, 1 }, padding = { 1, 2 }, dilation = { 1, 2 } })
    end, { randn { 2, 4, 3, 2 }, randn { 3, 3, 2, 2 }, randn { 3 } }, second)
    gradcheck.check(function(x, w) return core.conv2d(x, w, nil, { groups = 2 }) end,
      { randn { 1, 3, 2, 4 }, randn { 2, 2, 1, 2 } }, second)
    gradcheck.check(core.conv2d, { randn { 1, 1, 1, 1 }, randn { 1, 1, 1, 1 }, randn { 1 } }, second)
    gradcheck.check(function(x, w, b)
      return core.conv_transpose2d(x, w, b, { stride = 2, padding = 1, output_padding = { 0, 1 }, groups = 2 })
    end, { randn { 1, 2, 3, 2 }, randn { 2, 3, 2, 2 }, randn { 4 } }, second)
  end)

  it("gives the same bits on one thread and on two", function()
    local before = core.threads()
    for _, a in ipairs { { 4, 13, 12, 32, 70, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 },
      { 5, 20, 21, 1, 20, 4, 4, { 2, 2 }, { 1, 1 }, { 1, 1 }, 1 },
      { 3, 20, 21, 20, 2, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1 } } do
      local _, x, w, b, options = case(a)
      local dy = randn(core.conv2d(x, w, b, options).shape)
      local results = {}
      for threads = 1, 2 do
        core.threads(threads)
        local y = core.conv2d(x, w, b, options)
        local g = core.grad(y, { x, w, b }, { grad_output = dy })
        results[threads] = y:to_string() .. g[1]:to_string() .. g[2]:to_string() .. g[3]:to_string()
      end
      core.threads(before)
      assert.is_true(results[1] == results[2])
    end
  end)

  it("shows NaN to every output that reads it, and to no other", function()
    local x = core.zeros(1, 5, 5, 16)
    x[1][3][3] = 0 / 0
    local y = core.conv2d(x, core.ones(20, 3, 3, 16), nil, { padding = 1 })
    for i = 1, 5 do
      for j = 1, 5 do
        local v = y[1][i][j][20]:item()
        assert.equal(math.abs(i - 3) <= 1 and math.abs(j - 3) <= 1, v ~= v)
      end
    end
  end)

  it("takes an empty batch", function()
    local x, w = core.zeros(0, 4, 4, 2):requires_grad_(true), core.ones(3, 3, 3, 2):requires_grad_(true)
    local y = core.conv2d(x, w)
    assert.same({ 0, 2, 2, 3 }, y.shape)
    y:backward(core.zeros(0, 2, 2, 3))
    assert.equal(0, w.grad:abs():max():item())
    assert.same({ 0, 9, 9, 3 }, core.conv_transpose2d(core.zeros(0, 4, 4, 2), core.ones(2, 3, 3, 3),
      nil, { stride = 2 }).shape)
  end)

  it("refuses what does not fit", function()
    local x, w = core.ones(1, 4, 4, 3), core.ones(5, 3, 3, 3)
    fails("bad argument #2 to 'conv2d' (weight: expected (out,kh,kw,3), got (64,3,3,1))", core.conv2d, x,
      core.ones(64, 3, 3, 1))
    fails("bad argument #1 to 'conv2d' (x: expected (n,h,w,c)", core.conv2d, core.ones(4, 4, 3), w)
    fails("bad argument #3 to 'conv2d' (bias: expected (5), got (4))", core.conv2d, x, w, core.ones(4))
    fails("a kernel of (5,5,5,3) does not fit pictures (1,4,4,3)", core.conv2d, x, core.ones(5, 5, 5, 3))
    fails("groups: 2 does not divide 3 channels", core.conv2d, x, w, nil, { groups = 2 })
    fails("out a multiple of the 3 groups", core.conv2d, x, core.ones(5, 3, 3, 1), nil, { groups = 3 })
    fails('unknown option "strides", did you mean "stride"?', core.conv2d, x, w, nil, { strides = 2 })
    fails("bad argument #4 to 'conv2d' (stride", core.conv2d, x, w, nil, { stride = 0 })
    fails("bad argument #4 to 'conv2d' (padding", core.conv2d, x, w, nil, { padding = -1 })
    fails("bad argument #2 to 'conv_transpose2d' (weight: expected (3,kh,kw,out), got (5,3,3,3))",
      core.conv_transpose2d, x, w)
    fails("output_padding: expected less than stride or dilation", core.conv_transpose2d, x, core.ones(3, 3, 3, 2), nil,
      { output_padding = 1 })
    fails("would come out with a side of", core.conv_transpose2d, x, core.ones(3, 1, 1, 2), nil, { padding = 2 })
  end)
end)
