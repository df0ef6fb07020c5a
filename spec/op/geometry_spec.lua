-- Small geometries of convolutions and pooling against loops: forward, both gradients, the transposed convolution.
-- Under sanitizers or valgrind this is the spec that reads every place which a geometry can make a kernel read. The
-- suite takes each geometry with one pair of channels in turn; make nightly, which sets LATERNA_ATTACK, with all.
local core = require "laterna.core"
local naive = require "spec.support.naive"

local generator
local function randn(shape) return core.randn(shape, { generator = generator }) end

-- cin cout groups: each reaches another way of the kernels
local CHANNELS <const> = { { 2, 3, 1 }, { 9, 1, 1 }, { 3, 3, 3 }, { 8, 17, 1 }, { 4, 6, 2 }, { 1, 1, 1 } }
local ALL <const> = os.getenv "LATERNA_ATTACK" ~= nil

-- Sides, kernels, strides, dilations and paddings; across they are those of another place in the same list, so that the
-- two directions differ.
local function geometries()
  local list = {}
  for h = 1, 5 do
    for k = 1, 5 do
      for stride = 1, 3 do
        for dilation = 1, 3 do
          for padding = 0, 3 do
            if h + 2 * padding >= dilation * (k - 1) + 1 then list[#list + 1] = { h, k, stride, dilation, padding } end
          end
        end
      end
    end
  end
  return list
end

local function text(s)
  return ("h,w {%d,%d} kernel {%d,%d} stride {%d,%d} padding {%d,%d} dilation {%d,%d}: %d to %d channels, %d groups")
    :format(s.h, s.w, s.kh, s.kw, s.stride[1], s.stride[2], s.padding[1], s.padding[2], s.dilation[1], s.dilation[2],
      s.cin, s.cout, s.groups)
end

local function near(found, expected, s, what)
  local difference = naive.difference(found, expected)
  local off = difference ~= difference or difference > 1e-5
  if off then error(("%s is off by %g: %s"):format(what, difference, text(s)), 2) end
end

local function check_convolution(a, b, channels)
  local s = { n = 2, h = a[1], w = b[1], kh = a[2], kw = b[2], stride = { a[3], b[3] }, dilation = { a[4], b[4] },
    padding = { a[5], b[5] }, cin = channels[1], cout = channels[2], groups = channels[3] }
  local options = { stride = s.stride, padding = s.padding, dilation = s.dilation, groups = s.groups }
  local x = randn { s.n, s.h, s.w, s.cin }:requires_grad_(true)
  local w, bias = randn { s.cout, s.kh, s.kw, s.cin // s.groups }:requires_grad_(true), randn { s.cout }
  local y = core.conv2d(x, w, bias, options)
  local dy = randn(y.shape)
  local dx, dw = table.unpack(core.grad(y, { x, w }, { grad_output = dy }))
  local ey, edx, edw = naive.conv2d(s, naive.flat(x), naive.flat(w), naive.flat(bias), naive.flat(dy))
  near(y, ey, s, "y")
  near(dx, edx, s, "dx")
  near(dw, edw, s, "dweight")
  local function left(i, out, side, kernel)
    return side - ((out - 1) * s.stride[i] - 2 * s.padding[i] + s.dilation[i] * (kernel - 1) + 1)
  end
  options.output_padding = { left(1, s.oh, s.h, s.kh), left(2, s.ow, s.w, s.kw) }
  near(core.conv_transpose2d(dy, w, nil, options), edx, s, "the transposed convolution")
end

-- The first and the last place of a window that lie inside of the picture.
local function inside(o, s, i, side, kernel)
  local first = o * s.stride[i] - s.padding[i]
  return math.max(0, first), math.min(side, first + kernel) - 1
end

-- Means of windows and largest values of them, and dx of both from dy.
local function pooled(s, x, dy)
  local mean, most, dmean, dmost = {}, {}, {}, {}
  for i = 1, #x do dmean[i], dmost[i] = 0, 0 end
  for n = 0, s.n - 1 do
    for oy = 0, s.oh - 1 do
      for ox = 0, s.ow - 1 do
        for c = 1, s.c do
          local k, sum, best = ((n * s.oh + oy) * s.ow + ox) * s.c + c, 0, nil
          local x0, x1 = inside(ox, s, 2, s.w, s.kw)
          local y0, y1 = inside(oy, s, 1, s.h, s.kh)
          for at = 0, (y1 - y0 + 1) * (x1 - x0 + 1) - 1 do
            local iy, ix = y0 + at // (x1 - x0 + 1), x0 + at % (x1 - x0 + 1)
            local i = ((n * s.h + iy) * s.w + ix) * s.c + c
            sum = sum + x[i]
            if not best or x[i] > x[best] then best = i end
            dmean[i] = dmean[i] + dy[k] / (s.kh * s.kw)
          end
          mean[k], most[k] = sum / (s.kh * s.kw), x[best]
          dmost[best] = dmost[best] + dy[k]
        end
      end
    end
  end
  return mean, most, dmean, dmost
end

local function check_pooling(a, b)
  local s = { n = 2, h = a[1], w = b[1], c = 3, kh = a[2], kw = b[2], stride = { a[3], b[3] }, dilation = { 1, 1 },
    padding = { math.min(a[5], a[2] // 2), math.min(b[5], b[2] // 2) }, cin = 3, cout = 3, groups = 3 }
  if s.h + 2 * s.padding[1] < s.kh or s.w + 2 * s.padding[2] < s.kw then return end
  local options = { stride = s.stride, padding = s.padding }
  local x = randn { s.n, s.h, s.w, s.c }:requires_grad_(true)
  local mean = core.avg_pool2d(x, { s.kh, s.kw }, options)
  local most = core.max_pool2d(x, { s.kh, s.kw }, options)
  s.oh, s.ow = mean.shape[2], mean.shape[3]
  local dy = randn(mean.shape)
  local expected = { pooled(s, naive.flat(x), naive.flat(dy)) }
  near(mean, expected[1], s, "the mean")
  near(most, expected[2], s, "the maximum")
  near(core.grad(mean, { x }, { grad_output = dy })[1], expected[3], s, "dx of the mean")
  near(core.grad(most, { x }, { grad_output = dy })[1], expected[4], s, "dx of the maximum")
end

describe("geometries", function()
  before_each(function() generator = core.generator(71) end)

  it("of convolutions #slow", function()
    local list = geometries()
    assert.is_true(#list > 500)
    for i, a in ipairs(list) do
      for c, channels in ipairs(CHANNELS) do
        if ALL or i % #CHANNELS == c - 1 then check_convolution(a, list[(i * 331 + c * 17) % #list + 1], channels) end
      end
      check_convolution(a, a, CHANNELS[6])
    end
  end)

  it("of convolutions with channels enough for Winograd's way: those that it must leave #slow", function()
    for _, a in ipairs(geometries()) do
      if a[1] <= 2 and a[2] == 3 then
        check_convolution(a, a, { 32, 32, 1 })
        check_convolution(a, { 5, 3, 1, 1, 1 }, { 32, 32, 1 })
      end
    end
  end)

  it("of pooling #slow", function()
    local list = geometries()
    for i, a in ipairs(list) do
      check_pooling(a, a)
      check_pooling(a, list[i * 331 % #list + 1])
    end
  end)

  it("with taps that all but one lie far outside", function()
    local far <const> = 1 << 26
    for _, channels in ipairs { 2, 32 } do
      local options = { padding = far, dilation = far }
      local x, w = randn { 4, 4, 4, channels }:requires_grad_(true), randn { channels, 3, 3, channels }
      local y = core.conv2d(x, w, nil, options)
      local middle = w:narrow(2, 2, 1):narrow(3, 2, 1):clone()
      assert.is_true(naive.difference(y, naive.flat(core.conv2d(x, middle))) < 1e-5)
      local dx = core.grad(y, { x }, { grad_output = y:detach() })[1]
      assert.is_true(naive.difference(dx, naive.flat(core.conv_transpose2d(y:detach(), middle))) < 1e-5)
    end
  end)

  it("with a stride larger than the picture have gradients", function()
    local x = core.ones(1, 1, 1, 2):requires_grad_(true)
    core.conv2d(x, core.ones(2, 3, 3, 2), nil, { stride = 2, padding = 1 }):sum():backward()
    assert.same({ { { { 2, 2 } } } }, x.grad:totable())
    for stride = 1, 3 do
      local wide = core.ones(4, 1, 2, 40):requires_grad_(true)
      core.conv2d(wide, core.ones(40, 3, 3, 40), nil, { stride = { 3, stride }, padding = 1 }):sum():backward()
      local windows = stride == 1 and 2 or 1
      assert.same({ 40 * windows, 40 * windows }, { wide.grad[1][1][1][1]:item(), wide.grad[4][1][2][40]:item() })
    end
  end)
end)
