-- Winograd's convolution, which "auto" takes for 3x3 kernels and for 4x4 kernels with stride 2, against loops and
-- against the direct one.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"

local generator = core.generator(33)
local function randn(...) return core.randn({ ... }, { generator = generator }) end

-- n h w cin cout padding groups kernel stride; sides that are no multiple of 4, channels that are no multiple of a
-- vector
local shapes = {
  even = { 1, 8, 8, 32, 32, { 1, 1 } },
  odd = { 2, 9, 7, 33, 35, { 1, 1 } },
  no_padding = { 1, 9, 13, 40, 32, { 0, 0 } },
  wide_padding = { 1, 6, 7, 32, 68, { 2, 2 } },
  uneven_padding = { 1, 11, 5, 36, 100, { 0, 2 } },
  small_pictures = { 5, 3, 3, 32, 48, { 1, 1 } },
  groups = { 2, 9, 7, 32, 64, { 1, 1 }, 2 },
  groups_to_fewer = { 1, 11, 5, 144, 48, { 0, 2 }, 3 },
  groups_wider_than_a_panel = { 1, 6, 6, 160, 160, { 1, 1 }, 2 },
  strided = { 32, 8, 6, 32, 32, { 1, 1 }, 1, 4, 2 },
  strided_odd = { 8, 13, 15, 33, 35, { 1, 1 }, 1, 4, 2 },
  strided_no_padding = { 16, 16, 9, 36, 32, { 0, 0 }, 1, 4, 2 },
  strided_uneven_padding = { 8, 12, 13, 32, 36, { 3, 2 }, 1, 4, 2 },
}

local function case(a)
  local k, stride = a[8] or 3, a[9] or 1
  local s = { n = a[1], h = a[2], w = a[3], cin = a[4], cout = a[5], kh = k, kw = k, stride = { stride, stride },
    padding = a[6], dilation = { 1, 1 }, groups = a[7] or 1 }
  local x, w, b = randn(s.n, s.h, s.w, s.cin), randn(s.cout, k, k, s.cin // s.groups), randn(s.cout)
  local dy = randn(s.n, (s.h + 2 * s.padding[1] - k) // stride + 1, (s.w + 2 * s.padding[2] - k) // stride + 1, s.cout)
  return s, x:requires_grad_(true), w:requires_grad_(true), b:requires_grad_(true), dy
end

-- y, dx, dweight
local function passes(mode, s, x, w, b, dy)
  core.convolution(mode)
  local y = core.conv2d(x, w, b, { padding = s.padding, groups = s.groups, stride = s.stride })
  return { y, table.unpack(core.grad(y, { x, w }, { grad_output = dy })) }
end

-- rms of t - array over the rms of the array
local function error_of(t, array)
  local sum, scale = 0, 0
  for i, v in ipairs(naive.flat(t)) do
    sum, scale = sum + (v - array[i]) ^ 2, scale + array[i] ^ 2
  end
  return math.sqrt(sum / scale)
end

describe("Winograd's convolution #slow", function()
  after_each(function() core.convolution "auto" end)

  for name, a in pairs(shapes) do
    it("is the sum over taps and channels, and so are its gradients: " .. name, function()
      local s, x, w, b, dy = case(a)
      local expected = { naive.conv2d(s, naive.flat(x), naive.flat(w), naive.flat(b), naive.flat(dy)) }
      local auto, direct = passes("auto", s, x, w, b, dy), passes("direct", s, x, w, b, dy)
      for i = 1, 3 do
        assert.is_true(naive.difference(auto[i], expected[i]) < 1e-5)
        -- Sums over few pixels are so exact that the transforms' own rounding shows.
        local bound = 3 * error_of(direct[i], expected[i])
        assert.is_true(error_of(auto[i], expected[i]) < (i < 3 and bound or math.max(bound, 6e-7)))
        assert.is_true(auto[i]:to_string() ~= direct[i]:to_string()) -- it was taken at all
      end
    end)
  end

  it("stays near sums of small integers, which the direct way computes exactly", function()
    local function integers(...) return core.randint(-8, 8, { ... }, { generator = generator }):float() end
    local s = { padding = { 1, 1 } }
    local x, w = integers(8, 28, 28, 40):requires_grad_(true), integers(36, 3, 3, 40):requires_grad_(true)
    local dy, b = integers(8, 28, 28, 36), core.zeros(36)
    local auto, direct = passes("auto", s, x, w, b, dy), passes("direct", s, x, w, b, dy)
    for i, bound in ipairs { 1.5e-6, 1.5e-6, 4e-6 } do
      local exact = naive.flat(direct[i])
      for k = 1, #exact, 101 do assert.equal(exact[k], math.floor(exact[k])) end
      assert.is_true(error_of(auto[i], exact) < bound)
    end
  end)

  it("takes more channels than a block of tiles has room for", function()
    for _, a in ipairs { { 2, 14, 10, 260, 250, { 1, 1 } }, { 2, 14, 10, 256, 288, { 1, 1 }, 2 },
      { 32, 8, 8, 260, 270, { 1, 1 }, 1, 4, 2 } } do
      local s, x, w, b, dy = case(a)
      local auto, direct = passes("auto", s, x, w, b, dy), passes("direct", s, x, w, b, dy)
      for i = 1, 3 do assert.is_true(error_of(auto[i], naive.flat(direct[i])) < 5e-6) end
    end
  end)

  it("is left where it would not pay or does not hold", function()
    for _, a in ipairs { { 31, 32, 3, {} }, { 32, 31, 3, {} }, { 32, 32, 3, { stride = 2 } },
      { 32, 32, 3, { dilation = 2 } }, { 64, 60, 3, { groups = 2 } },
      { 32, 32, 3, { groups = 4 } }, { 32, 32, 2, {} }, { 64, 64, 4, {} }, { 64, 64, 4, { stride = { 2, 1 } } },
      { 64, 64, 4, { stride = 2, groups = 2 } }, { 64, 64, 2, { stride = 2 } },
      { 64, 64, { 2, 8 }, { stride = 2 } } } do
      local cin, cout, kernel, options = table.unpack(a)
      local kh, kw = kernel, kernel
      if type(kernel) == "table" then kh, kw = table.unpack(kernel) end
      local x, w = randn(20, 9, 9, cin), randn(cout, kh, kw, cin // (options.groups or 1))
      local bits = {}
      for i, mode in ipairs { "auto", "direct" } do
        core.convolution(mode)
        bits[i] = core.conv2d(x, w, nil, options):to_string()
      end
      assert.is_true(bits[1] == bits[2])
    end
  end)

  it("has gradients of first and second order #slow", function()
    local from, weights = randn(2, 32), randn(3, 32 * 9 * 32) * 0.05
    gradcheck.check(function(x, w, b)
      local picture = core.matmul(x:view(30, 2), from):view(1, 5, 6, 32)
      local kernel = core.matmul(w:view(1, 3), weights):view(32, 3, 3, 32)
      return core.conv2d(picture, kernel, b, { padding = 1 })[{ {}, {}, {}, { 1, 4 } }]
    end, { randn(1, 5, 6, 2), randn(3), randn(32) }, { second = true })
  end)

  it("with stride 2 has gradients of first and second order #slow", function()
    local from, weights, scale = randn(2, 8 * 32), randn(3, 32 * 16 * 32) * 0.05, randn(32, 8, 8, 32)
    gradcheck.check(function(x, w)
      local picture = core.matmul(x, from):view(1, 8, 8, 32):expand(32, 8, 8, 32) * scale
      local kernel = core.matmul(w:view(1, 3), weights):view(32, 4, 4, 32)
      return core.conv2d(picture, kernel, nil, { padding = 1, stride = 2 })[{ { 1, 2 }, {}, {}, { 1, 2 } }]
    end, { randn(8, 2) * 0.3, randn(3) }, { second = true })
  end)

  it("gives the same bits on any number of threads", function()
    local before = core.threads()
    for _, a in ipairs { { 9, 21, 18, 64, 70, { 1, 1 } }, { 3, 9, 8, 260, 256, { 1, 1 } },
      { 9, 21, 18, 64, 64, { 1, 1 }, 4 }, { 33, 14, 15, 48, 70, { 1, 1 }, 1, 4, 2 },
      { 40, 8, 8, 260, 256, { 1, 1 }, 1, 4, 2 }, { 1, 16, 15, 64, 64, { 1, 1 } } } do
      local s, x, w, b, dy = case(a)
      local results = {}
      for threads = 1, 3 do
        core.threads(threads)
        for i, t in ipairs(passes("auto", s, x, w, b, dy)) do results[i] = (results[i] or "") .. t:to_string() end
      end
      core.threads(before)
      for i = 1, 3 do
        local length = #results[i] // 3
        assert.is_true(results[i] == results[i]:sub(1, length):rep(3))
      end
    end
  end)

  it("shows NaN to every output that reads it, and to no other", function()
    local x = core.zeros(2, 16, 16, 32)
    x[1][7][6][3] = 0 / 0
    local y = core.conv2d(x, core.ones(32, 3, 3, 32), nil, { padding = 1 })
    for i = 1, 16 do
      for j = 1, 16 do
        local v, reads = y[1][i][j][20]:item(), math.abs(i - 7) <= 1 and math.abs(j - 6) <= 1
        assert.is_true(reads and v ~= v or not reads and v == 0)
      end
    end
    assert.equal(0, y[2]:abs():max():item())
  end)

  it("is asked for by name", function()
    assert.equal("auto", core.convolution())
    assert.equal("direct", core.convolution "direct")
    assert.equal("direct", core.convolution())
    assert.equal("auto", core.convolution "auto")
    fails("bad argument #1 to 'convolution' (name: expected \"auto\" or \"direct\", got \"winograd\")",
      core.convolution, "winograd")
    fails("bad argument #1 to 'convolution'", core.convolution, 3)
  end)
end)
