-- Naive twins of the kernels: plain loops over flat arrays in Lua's doubles, written from the definition.
local core = require "laterna.core"

local naive = {}

-- The elements of a tensor in order, from 1.
function naive.flat(t) return t:detach():view(-1):totable() end

--- Largest difference between a tensor and an array, relative to the array's largest value (at least 1).
function naive.difference(t, array)
  local got, most, largest = naive.flat(t), 0, 1
  assert(#got == #array, "sizes differ")
  for i = 1, #array do
    local d = math.abs(got[i] - array[i])
    if d > most or d ~= d then most = d end -- NaN sticks: it compares as false
    largest = math.max(largest, math.abs(array[i]))
  end
  return most / largest
end

local function zeros(n)
  local t = {}
  for i = 1, n do t[i] = 0.0 end
  return t
end

--- Calls visit(x index, weight index, y index) for every product of a convolution; indices from 1.
-- s: n h w cin cout kh kw, stride padding dilation {down, across}, groups; oh and ow are filled in
function naive.conv_products(s, visit)
  local sy, sx = s.stride[1], s.stride[2]
  s.oh = (s.h + 2 * s.padding[1] - s.dilation[1] * (s.kh - 1) - 1) // sy + 1
  s.ow = (s.w + 2 * s.padding[2] - s.dilation[2] * (s.kw - 1) - 1) // sx + 1
  local inner, outer = s.cin // s.groups, s.cout // s.groups
  for n = 0, s.n - 1 do
    for oy = 0, s.oh - 1 do
      for ox = 0, s.ow - 1 do
        for ky = 0, s.kh - 1 do
          for kx = 0, s.kw - 1 do
            local iy = oy * sy - s.padding[1] + ky * s.dilation[1]
            local ix = ox * sx - s.padding[2] + kx * s.dilation[2]
            if iy >= 0 and iy < s.h and ix >= 0 and ix < s.w then
              local x, y = ((n * s.h + iy) * s.w + ix) * s.cin, ((n * s.oh + oy) * s.ow + ox) * s.cout
              for o = 0, s.cout - 1 do
                local from, w = x + o // outer * inner, ((o * s.kh + ky) * s.kw + kx) * inner
                for c = 1, inner do visit(from + c, w + c, y + o + 1) end
              end
            end
          end
        end
      end
    end
  end
end

--- y of a convolution with bias, and dx, dw from dy, all as arrays.
function naive.conv2d(s, x, w, bias, dy)
  local y, dx, dw = {}, zeros(s.n * s.h * s.w * s.cin), zeros(#w)
  naive.conv_products(s, function(i, j, k)
    y[k] = (y[k] or bias[(k - 1) % s.cout + 1]) + x[i] * w[j]
    dx[i] = dx[i] + dy[k] * w[j]
    dw[j] = dw[j] + dy[k] * x[i]
  end)
  for k = 1, s.n * s.oh * s.ow * s.cout do y[k] = y[k] or bias[(k - 1) % s.cout + 1] end
  return y, dx, dw
end

--- op(A) op(B) of matrices as arrays: m x k times k x n.
function naive.matmul(a, b, m, k, n)
  local y = {}
  for i = 0, m - 1 do
    for j = 1, n do
      local sum = 0
      for l = 0, k - 1 do sum = sum + a[i * k + l + 1] * b[l * n + j] end
      y[i * n + j] = sum
    end
  end
  return y
end

--- Attention over arrays; see(b, head, i, j), counted from 1, says whether a key may be seen.
function naive.attention(s, q, k, v, scale, see)
  local y = zeros(s.n * s.lq * s.heads * s.d)
  local function at(b, length, i, head) return (((b - 1) * length + i - 1) * s.heads + head - 1) * s.d end
  for b = 1, s.n do
    for head = 1, s.heads do
      for i = 1, s.lq do
        local e, sum, from = {}, 0, at(b, s.lq, i, head)
        for j = 1, s.lk do
          if see(b, head, i, j) then
            local dot, key = 0, at(b, s.lk, j, head)
            for c = 1, s.d do dot = dot + q[from + c] * k[key + c] end
            e[j] = math.exp(scale * dot)
            sum = sum + e[j]
          end
        end
        for j, p in pairs(e) do
          local value = at(b, s.lk, j, head)
          for c = 1, s.d do y[from + c] = y[from + c] + p / sum * v[value + c] end
        end
      end
    end
  end
  return y
end

--- The values of an array at the places of a window: place (i, j, ..) is offset + i * step[1] + j * step[2] + .., from
-- 1, the last axis fastest.
function naive.window(values, offset, sizes, step)
  local y = {}
  local function walk(axis, at)
    if axis > #sizes then
      y[#y + 1] = values[at]
      return
    end
    for i = 0, sizes[axis] - 1 do walk(axis + 1, at + i * step[axis]) end
  end
  walk(1, offset)
  return y
end

--- Gathering along the middle axis of long (outer,size,inner), and the sums that flow back: index and dy are
-- (outer,count,inner). An index for a whole slice (count) is the same with that index at all its places.
function naive.gather(s, long, index, dy)
  local y, back = {}, zeros(s.outer * s.size * s.inner)
  for o = 0, s.outer - 1 do
    for i = 0, s.count - 1 do
      for k = 1, s.inner do
        local at = (o * s.count + i) * s.inner + k
        local from = (o * s.size + index[at] - 1) * s.inner + k
        y[at] = long[from]
        back[from] = back[from] + dy[at]
      end
    end
  end
  return y, back
end

--- Bilinear resampling of one axis as a matrix (to x from): rows hold the weights of the inputs.
function naive.bilinear_matrix(from, to)
  local rows = {}
  for i = 1, to do
    local row = zeros(from)
    local at = math.max((i - 0.5) * from / to - 0.5, 0)
    local low = math.min(math.floor(at), from - 1)
    local high = math.min(low + 1, from - 1)
    row[low + 1] = row[low + 1] + 1 - (at - low)
    row[high + 1] = row[high + 1] + at - low
    rows[i] = row
  end
  return core.tensor(rows)
end

return naive
