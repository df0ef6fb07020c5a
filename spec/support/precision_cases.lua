-- Products of rounded inputs against loops over inputs that were rounded beforehand: the cases that every instruction
-- set has to pass. Each is a name, a function that returns the difference, relative to the largest result, and the
-- limit of it: float32 sums in another order, or by Winograd, where nothing else is said. Rounding to bfloat16 makes
-- some hundred times that.
local core = require "laterna.core"
local naive = require "spec.support.naive"

local precision = {}

--- bfloat16 of a number, to nearest, ties to even.
function precision.round(x)
  local bits = string.unpack("<I4", string.pack("<f", x))
  if x ~= x then return x end
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000
  return (string.unpack("<f", string.pack("<I4", bits & 0xffffffff)))
end

function precision.rounded(t)
  local list = naive.flat(t)
  for i, x in ipairs(list) do list[i] = precision.round(x) end
  return list
end

local rounded = precision.rounded
local generator
local function randn(...) return core.randn({ ... }, { generator = generator }) end

local cases = {}
local function case(name, run, limit)
  cases[#cases + 1] = { name = name, limit = limit or 5e-6, run = function()
    generator = core.generator(11) -- the same numbers on every instruction set, in any order of cases
    return run()
  end }
end

-- Runs f with the inputs of all products rounded, whatever happens.
function precision.in_rounded(f, ...)
  local before = core.precision()
  core.precision "rounded"
  local results = table.pack(pcall(f, ...))
  core.precision(before)
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

local function turned(a, rows, columns) -- rows x columns as columns x rows
  local t = {}
  for i = 0, rows - 1 do
    for j = 0, columns - 1 do t[j * rows + i + 1] = a[i * columns + j + 1] end
  end
  return t
end

-- m k n: odd ones, whole tiles, several chunks of k, several blocks of rows, long sums into small results
local sizes = { { 1, 1, 1 }, { 3, 2, 5 }, { 7, 5, 20 }, { 100, 33, 64 }, { 13, 64, 100 }, { 7, 1601, 17 },
  { 230, 40, 9 }, { 31, 97, 257 }, { 6, 300, 1100 }, { 24, 4500, 20 } }
for _, size in ipairs(sizes) do
  local m, k, n = table.unpack(size)
  case(("linear and its gradients %d %d %d"):format(m, k, n), function()
    local x, w = randn(m, k):requires_grad_(true), randn(n, k):requires_grad_(true)
    local b, dy = randn(n):requires_grad_(true), randn(m, n)
    precision.in_rounded(function() core.linear(x, w, b):backward(dy) end)
    local y = precision.in_rounded(core.linear, x, w, b)
    local rx, rw, rdy = rounded(x), rounded(w), rounded(dy)
    local ey, bias = naive.matmul(rx, turned(rw, n, k), m, k, n), naive.flat(b)
    for i = 1, #ey do ey[i] = ey[i] + bias[(i - 1) % n + 1] end
    return math.max(naive.difference(y, ey), naive.difference(x.grad, naive.matmul(rdy, rw, m, n, k)),
      naive.difference(w.grad, naive.matmul(turned(rdy, m, n), rx, n, m, k)),
      naive.difference(b.grad, naive.flat(dy:sum(1))))
  end)
end

for _, size in ipairs { { 3, 5, 7, 9 }, { 20, 12, 33, 40 } } do
  local batch, m, k, n = table.unpack(size)
  case(("batched matmul and its gradients %d x %d %d %d"):format(batch, m, k, n), function()
    local a, b = randn(batch, m, k):requires_grad_(true), randn(batch, k, n):requires_grad_(true)
    local dy = randn(batch, m, n)
    precision.in_rounded(function() core.matmul(a, b):backward(dy) end)
    local y = precision.in_rounded(core.matmul, a, b)
    local most = 0
    for i = 1, batch do
      local ra, rb, rdy = rounded(a:detach()[i]), rounded(b:detach()[i]), rounded(dy[i])
      most = math.max(most, naive.difference(y[i], naive.matmul(ra, rb, m, k, n)),
        naive.difference(a.grad[i], naive.matmul(rdy, turned(rb, k, n), m, n, k)),
        naive.difference(b.grad[i], naive.matmul(turned(ra, m, k), rdy, k, m, n)))
    end
    return most
  end)
end

-- n h w cin cout kh kw stride padding dilation groups
local one, none = { 1, 1 }, { 0, 0 }
local shapes = {
  pointwise = { 2, 3, 5, 33, 20, 1, 1, one, none, one, 1 },
  three = { 1, 7, 6, 16, 70, 3, 3, one, one, one, 1 },
  wide = { 2, 8, 7, 64, 40, 3, 3, one, one, one, 1 },
  one_channel_in = { 3, 9, 8, 1, 32, 4, 4, { 2, 2 }, one, one, 1 },
  one_channel_out = { 2, 10, 9, 32, 1, 3, 3, one, one, one, 1 },
  three_channels = { 2, 7, 6, 3, 3, 5, 3, { 1, 2 }, { 2, 1 }, one, 1 },
  halved = { 1, 8, 6, 24, 40, 4, 4, { 2, 2 }, one, one, 1 },
  uneven = { 1, 11, 5, 9, 10, 2, 3, { 3, 2 }, { 0, 2 }, one, 1 },
  dilated = { 1, 9, 10, 10, 6, 3, 3, one, { 2, 3 }, { 2, 3 }, 1 },
  grouped = { 2, 5, 5, 9, 15, 3, 3, one, one, one, 3 },
  wide_groups = { 2, 8, 7, 32, 64, 3, 3, one, one, one, 2 },
  depthwise = { 1, 6, 7, 20, 20, 3, 3, one, one, one, 20 },
  many_pixels = { 3, 20, 21, 18, 34, 3, 3, { 2, 2 }, one, one, 1 },
}
for name, a in pairs(shapes) do
  case("convolution, its gradients and its adjoint: " .. name, function()
    local s = { n = a[1], h = a[2], w = a[3], cin = a[4], cout = a[5], kh = a[6], kw = a[7], stride = a[8],
      padding = a[9], dilation = a[10], groups = a[11] }
    local options = { stride = s.stride, padding = s.padding, dilation = s.dilation, groups = s.groups }
    local x = randn(s.n, s.h, s.w, s.cin):requires_grad_(true)
    local w = randn(s.cout, s.kh, s.kw, s.cin // s.groups):requires_grad_(true)
    local b = randn(s.cout):requires_grad_(true)
    local dy = randn(table.unpack(core.conv2d(x, w, b, options).shape))
    local y = precision.in_rounded(function()
      core.conv2d(x, w, b, options):backward(dy)
      return core.conv2d(x, w, b, options)
    end)
    local ey, edx, edw = naive.conv2d(s, rounded(x), rounded(w), naive.flat(b), rounded(dy))
    return math.max(naive.difference(y, ey), naive.difference(x.grad, edx), naive.difference(w.grad, edw),
      naive.difference(b.grad, naive.flat(dy:sum { 1, 2, 3 })))
  end)
end

-- Where a probability lies between two bfloat16 the last bit of an exponential decides, and moves a sum of many by a
-- part of 2^-9. Scores are far from zero here, so that rounding q and k alone changes results by a percent and more.
local function scores(s, q, k, visit) -- visit(b, head, i, j, score) of rounded q and k
  for b = 1, s.n do
    for head = 1, s.heads do
      for i = 1, s.lq do
        for j = 1, s.lk do
          local dot = 0
          for c = 1, s.d do
            dot = dot + q[(((b - 1) * s.lq + i - 1) * s.heads + head - 1) * s.d + c] *
              k[(((b - 1) * s.lk + j - 1) * s.heads + head - 1) * s.d + c]
          end
          visit(b, head, i, j, dot * s.scale)
        end
      end
    end
  end
end

-- out and the gradients dq, dk, dv of attention, with every input of its five products rounded.
local function naive_attention(s, q, k, v, dout)
  local out, dq, dk, dv, rows = {}, {}, {}, {}, {}
  for i = 1, #q do out[i], dq[i] = 0, 0 end
  for i = 1, #k do dk[i], dv[i] = 0, 0 end
  scores(s, q, k, function(b, head, i, _, score)
    local at = ((b - 1) * s.heads + head - 1) * s.lq + i
    rows[at] = rows[at] or {}
    table.insert(rows[at], score)
  end)
  for at, row in pairs(rows) do
    local i, head, b = (at - 1) % s.lq, (at - 1) // s.lq % s.heads, (at - 1) // (s.lq * s.heads)
    local most, sum, mean = math.max(table.unpack(row)), 0, 0
    for j = 1, s.lk do sum = sum + math.exp(row[j] - most) end
    local query = ((b * s.lq + i) * s.heads + head) * s.d
    local function key(j) return ((b * s.lk + j - 1) * s.heads + head) * s.d end
    for j = 1, s.lk do
      local p = precision.round(math.exp(row[j] - most))
      for c = 1, s.d do out[query + c] = out[query + c] + p / sum * v[key(j) + c] end
    end
    for c = 1, s.d do mean = mean + dout[query + c] * out[query + c] end
    for j = 1, s.lk do
      local p, dp = math.exp(row[j] - most) / sum, 0
      for c = 1, s.d do dp = dp + dout[query + c] * v[key(j) + c] end
      local ds = precision.round(p * (dp - mean) * s.scale)
      p = precision.round(p)
      for c = 1, s.d do
        dq[query + c] = dq[query + c] + ds * k[key(j) + c]
        dk[key(j) + c] = dk[key(j) + c] + ds * q[query + c]
        dv[key(j) + c] = dv[key(j) + c] + p * dout[query + c]
      end
    end
  end
  return out, dq, dk, dv
end

for _, a in ipairs {
  { 1, 2, 3, 1, 70 }, { 1, 1, 2, 3, 1 }, { 1, 2, 7, 5, 3 }, { 2, 2, 40, 33, 20 }, { 1, 1, 13, 70, 64 },
} do
  local s = { n = a[1], heads = a[2], lq = a[3], lk = a[4], d = a[5] }
  s.scale = s.d ^ -0.5
  case(("attention and its gradients %d x %d, %d by %d, %d"):format(table.unpack(a)), function()
    local q = (randn(s.n, s.lq, s.heads, s.d) * 4):requires_grad_(true)
    local k = (randn(s.n, s.lk, s.heads, s.d) * 4):requires_grad_(true)
    local v, dout = randn(s.n, s.lk, s.heads, s.d):requires_grad_(true), randn(s.n, s.lq, s.heads, s.d)
    local y = precision.in_rounded(function()
      core.attention(q, k, v):backward(dout)
      return core.attention(q, k, v)
    end)
    local out, dq, dk, dv = naive_attention(s, rounded(q), rounded(k), rounded(v), rounded(dout))
    return math.max(naive.difference(y, out), naive.difference(q.grad, dq), naive.difference(k.grad, dk),
      naive.difference(v.grad, dv))
  end, 4e-3)
end

precision.cases = cases
return precision
