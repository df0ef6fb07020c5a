-- NaN, infinities and large numbers in a convolution that goes by Winograd's transforms, which would spread them over
-- tiles: what becomes of a picture depends on it alone, and where there are extremes it is what the direct way says.
local core = require "laterna.core"
local naive = require "spec.support.naive"

local generator
local function randn(...) return core.randn({ ... }, { generator = generator }) end

local EXTREMES <const> = { nan = 0 / 0, inf = 1 / 0, minus_inf = -1 / 0, thousand = 1e3, ten_thousand = -1e4,
  huge = 1e30, largest = 0x1.fffffep127 }

local BF16 <const> = { avx512bf16 = true, amx = true }

-- n h w cin cout groups padding kernel stride; 256 channels share blocks of tiles between threads
local SHAPES <const> = {
  plain = { 5, 9, 7, 32, 36, 1, 1 },
  groups = { 4, 9, 8, 64, 64, 2, 1 },
  shared = { 2, 6, 7, 256, 260, 1, 1 },
  bare = { 3, 10, 10, 32, 32, 1, 0 },
  wide_padding = { 3, 8, 7, 32, 32, 1, 3 },
  strided = { 8, 13, 14, 32, 36, 1, 1, 4, 2 },
}

local function in_mode(convolution, precision, f, ...)
  core.convolution(convolution)
  core.precision(precision)
  local results = table.pack(pcall(f, ...))
  core.convolution "auto"
  core.precision "float32"
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

local function bits(t) return t:detach():to_string() end

-- y and dx of a convolution, pictures beside each other; dweight
local function passes(s, x, w, dy, shift, add)
  local options = { padding = s[7], groups = s[6], stride = s[9] or 1, shift = shift, add = add }
  local p, q = x:clone():requires_grad_(true), w:clone():requires_grad_(true)
  local y = core.conv2d(p, q, nil, options)
  return y, table.unpack(core.grad(y, { p, q }, { grad_output = dy }))
end

local function case(s)
  generator = core.generator(44)
  local n, h, w, cin, cout, groups, padding = table.unpack(s)
  local k, stride = s[8] or 3, s[9] or 1
  local oh, ow = (h + 2 * padding - k) // stride + 1, (w + 2 * padding - k) // stride + 1
  return randn(n, h, w, cin), randn(cout, k, k, cin // groups), randn(n, oh, ow, cout), randn(n, cout),
    randn(n, oh, ow, cout)
end

-- The same kinds of numbers at the same places: NaN, infinities with their signs, finite ones within the limit.
local function alike(a, b, limit)
  local largest, x, y = 1, naive.flat(a), naive.flat(b)
  for _, v in ipairs(y) do if v == v and math.abs(v) < 1 / 0 then largest = math.max(largest, math.abs(v)) end end
  for i, v in ipairs(y) do
    local u = x[i]
    local same = u == v or (u ~= u and v ~= v) or math.abs(u - v) <= limit * largest
    if not same then return false, ("number %d: %g in place of %g"):format(i, u, v) end
  end
  return true
end

describe("extremes in a convolution", function()
  for shape, s in pairs(SHAPES) do
    for _, precision in ipairs { "float32", "rounded" } do
      it(("leave other pictures as they are, and theirs is the direct one: %s, %s #slow"):format(shape, precision),
        function()
          local x, w, dy, shift, add = case(s)
          local clean = { in_mode("auto", precision, passes, s, x, w, dy, shift, add) }
          local direct_clean = { in_mode("direct", precision, passes, s, x, w, dy, shift, add) }
          -- Winograd's way was taken at all; with stride 2, products of bfloat16 are quicker where there are any
          local products = precision == "bf16" and s[9] and BF16[core.info().isa]
          assert.equal(products or false, bits(clean[1]) == bits(direct_clean[1]))
          for name, v in pairs(EXTREMES) do
            local bad_x, bad_dy = x:clone(), dy:clone()
            bad_x[2][4][5][7] = v
            bad_dy[2][5][4][9] = v
            if s[1] > 4 then bad_x[5][1][1][1] = v bad_dy[5][1][1][1] = v end
            local auto = { in_mode("auto", precision, passes, s, bad_x, w, bad_dy, shift, add) }
            local direct = { in_mode("direct", precision, passes, s, bad_x, w, bad_dy, shift, add) }
            for i = 1, 2 do
              for n = 1, s[1] do
                local extreme = n == 2 or n == 5
                local expected = bits((extreme and direct or clean)[i][n])
                assert(bits(auto[i][n]) == expected, ("%s: picture %d"):format(name, n))
              end
            end
            for _, at in ipairs { 1, s[5] - 15 } do -- filters in the first and the last block
              assert(alike(auto[3]:narrow(1, at, 16), direct[3]:narrow(1, at, 16), 1e-5))
            end
          end
        end)
    end
  end

  it("reach the weight gradient from x and from dy, wherever in a batch #slow", function()
    local s = { 7, 9, 7, 32, 36, 1, 1 }
    local x, w, dy = case(s)
    for _, places in ipairs { { 1 }, { 7 }, { 3, 4 }, { 1, 2, 3, 4, 5, 6, 7 } } do
      for _, v in pairs(EXTREMES) do
        for which = 1, 3 do
          local bad_x, bad_dy = x:clone(), dy:clone()
          for _, n in ipairs(places) do
            if which ~= 2 then bad_x[n][4][3][5] = v end
            if which ~= 1 then bad_dy[n][2][6][7] = v end
          end
          local auto = select(3, in_mode("auto", "float32", passes, s, bad_x, w, bad_dy))
          local direct = select(3, in_mode("direct", "float32", passes, s, bad_x, w, bad_dy))
          assert(alike(auto, direct, 1e-5))
        end
      end
    end
  end)

  it("in the weights send everything the direct way", function()
    local s = SHAPES.plain
    local x, w, dy = case(s)
    for _, precision in ipairs { "float32", "rounded" } do
      for name, v in pairs(EXTREMES) do
        local bad = w:clone()
        bad[3][2][1][4] = v
        local auto = { in_mode("auto", precision, passes, s, x, bad, dy) }
        local direct = { in_mode("direct", precision, passes, s, x, bad, dy) }
        for i = 1, 2 do assert(bits(auto[i]) == bits(direct[i]), name) end
      end
    end
  end)

  it("in a transposed convolution, and in second derivatives, are the direct way's", function()
    local s = SHAPES.plain
    local x, w, dy = case(s)
    local function second(p, q, g)
      p, q, g = p:clone():requires_grad_(true), q:clone():requires_grad_(true), g:clone():requires_grad_(true)
      local t = core.conv_transpose2d(g, q, nil, { padding = 1 })
      local dq = core.grad(core.conv2d(p, q, nil, { padding = 1 }), { q }, { grad_output = g, create_graph = true })[1]
      return t, table.unpack(core.grad(dq, { p, g }, { grad_output = q }))
    end
    for name, v in pairs(EXTREMES) do
      local bad_x, bad_dy = x:clone(), dy:clone()
      bad_x[4][9][7][32], bad_dy[4][9][1][36] = v, v
      local auto = { in_mode("auto", "float32", second, bad_x, w, bad_dy) }
      local direct = { in_mode("direct", "float32", second, bad_x, w, bad_dy) }
      local clean = { in_mode("auto", "float32", second, x, w, dy) }
      for i = 1, 3 do
        for n = 1, s[1] do
          local expected = bits((n == 4 and direct or clean)[i][n])
          assert(bits(auto[i][n]) == expected, ("%s: %d of picture %d"):format(name, i, n))
        end
      end
    end
  end)

  it("begin at 512, wherever in the picture", function()
    local _, w = case { 1, 8, 8, 32, 32, 1, 1 }
    local x = core.zeros(1, 8, 8, 32)
    local function is_direct(v, i, j, k)
      local p = x:clone()
      p[1][i][j][k] = v
      p[1][9 - i][9 - j][33 - k] = 1
      return bits(in_mode("auto", "float32", core.conv2d, p, w, nil, { padding = 1 })) ==
        bits(in_mode("direct", "float32", core.conv2d, p, w, nil, { padding = 1 }))
    end
    for i = 1, 8 do
      for j = 1, 8 do
        local k = (i * 8 + j) % 32 + 1
        assert.is_true(is_direct(512, i, j, k) and is_direct(-512, i, j, k))
      end
    end
    for i = 2, 7 do assert.is_false(is_direct(511.9, i, 5, 3)) end
  end)

  it("are counted at every place that is read, on any number of threads #slow", function()
    local before = core.threads()
    local s = { 9, 13, 10, 40, 32, 1, 1 }
    local x, w, dy = case(s)
    for _, n in ipairs { 1, 5, 9 } do x[n][13][10][40] = 1 / 0 dy[n][1][10][3] = 1e7 end
    local results = {}
    for threads = 1, 3 do
      core.threads(threads)
      for i, t in ipairs { in_mode("auto", "float32", passes, s, x, w, dy) } do
        assert.equal(results[i] or bits(t), bits(t))
        results[i] = bits(t)
      end
    end
    core.threads(before)
  end)

  it("that are none move outputs beside them by 2e-5 of themselves at most, with weights of 1", function()
    for _, a in ipairs { { 1, 16, 3, 1, 2e-5 }, { 8, 16, 4, 2, 1e-5 } } do
      local n, size, k, stride, limit = table.unpack(a)
      local x, w, options = core.ones(n, size, size, 64), core.ones(64, k, k, 64), { padding = 1, stride = stride }
      x[1][7][6][1] = 511
      local y = in_mode("auto", "float32", core.conv2d, x, w, nil, options)
      local expected = in_mode("direct", "float32", core.conv2d, x, w, nil, options)
      local off = (y - expected):abs():max(4)[1]:totable()
      local function reads(o, at) return at >= (o - 1) * stride and at < (o - 1) * stride + k end
      assert.is_true(bits(y) ~= bits(expected))
      for i, line in ipairs(off) do
        for j, v in ipairs(line) do
          assert.is_true(reads(i, 7) and reads(j, 6) or (type(v) == "table" and v[1] or v) < 511 * limit)
        end
      end
    end
  end)
end)
