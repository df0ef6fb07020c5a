-- Elementary functions against the same in Lua's doubles, over the whole range of float, in units in the last place.
local math, ipairs = math, ipairs -- busted looks up global names in a slow way, and there are many here
local core = require "laterna.core"

-- Distance from one float to the next at y; below the smallest normal number it stays the same.
local function spacing(y)
  local exponent = math.floor(math.log(math.abs(y), 2))
  return 2.0 ^ (math.max(exponent, -126) - 23)
end

local LARGEST = 3.4028234663852886e38

local function float(x) return (string.unpack("f", string.pack("f", x))) end

-- Every binary exponent, both signs, a few mantissas; then small steps where most arguments are.
local function arguments(from, to)
  local list = {}
  local function add(x)
    x = float(x)
    if x >= from and x <= to then list[#list + 1] = x end
  end
  for e = -149, 127 do
    for _, m in ipairs { 1, 1.1, 1.2345, 1.414, 1.4143, 1.7, 1.9999 } do
      add(m * 2.0 ^ e)
      add(-m * 2.0 ^ e)
    end
  end
  for i = -4000, 4000 do add(i * 0.0263 + 0.0011) end
  return list
end

local function log1p(u) return math.abs(u) < 1e-5 and u - u * u / 2 + u ^ 3 / 3 or math.log(1 + u) end
local function erfc_far(x) -- continued fraction, x > 2
  local f = 0
  for n = 60, 1, -1 do f = n / 2 / (x + f) end
  return math.exp(-x * x) / math.sqrt(math.pi) / (x + f)
end
local function erf(x)
  local a = math.abs(x)
  if a > 2 then return (x > 0 and 1 or -1) * (1 - erfc_far(a)) end
  local term, sum = x, x
  for n = 1, 60 do
    term = -term * x * x / n
    sum = sum + term / (2 * n + 1)
  end
  return sum * 2 / math.sqrt(math.pi)
end
local function cdf(x)
  if x < -3 then return erfc_far(-x / math.sqrt(2)) / 2 end
  return (1 + erf(x / math.sqrt(2))) / 2
end
local function tanh(x)
  if math.abs(x) < 1e-3 then return x - x ^ 3 / 3 + 2 * x ^ 5 / 15 end
  if math.abs(x) > 20 then return x > 0 and 1 or -1 end
  return 1 - 2 / (math.exp(2 * x) + 1)
end
local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

local functions = {
  { "exp", math.exp, 1.5 },
  { "log", math.log, 1.5, 0 },
  { "log1p", log1p, 2, -1 },
  { "sqrt", math.sqrt, 0.51, 0 },
  { "rsqrt", function(x) return 1 / math.sqrt(x) end, 1.5, 0 },
  { "reciprocal", function(x) return 1 / x end, 0.51 },
  { "sin", math.sin, 2.5, -1e5, 1e5 },
  { "cos", math.cos, 2.5, -1e5, 1e5 },
  { "tanh", tanh, 2 },
  { "sigmoid", sigmoid, 2.7 },
  { "softplus", function(x) return x > 0 and x + log1p(math.exp(-x)) or log1p(math.exp(x)) end, 2.5 },
  { "silu", function(x) return x * sigmoid(x) end, 4, -86 },
  { "erf", erf, 3 },
  { "gelu", function(x) return x * cdf(x) end, 16, -12 },
  { "square", function(x) return x * x end, 0.51 },
  { "abs", math.abs, 0 },
  { "floor", math.floor, 0 },
}

describe("elementary functions", function()
  for _, row in ipairs(functions) do
    local name, reference, limit, from, to = table.unpack(row)
    it(name .. " is right to the last places", function()
      local xs = arguments(from or -LARGEST, to or LARGEST)
      local got = core[name](core.tensor(xs)):totable()
      local worst, at = 0, 0
      for i, x in ipairs(xs) do
        local want = reference(x)
        local y = got[i]
        if x == 0 or want ~= want then
          want = y
        elseif math.abs(want) > LARGEST then
          assert(y == (want > 0 and math.huge or -math.huge) or y == (want > 0 and LARGEST or -LARGEST),
            ("%s(%.9g) = %.9g"):format(name, x, y))
          want = y
        end
        if want ~= y then
          local e = math.abs(want - y) / spacing(want)
          if e > worst or e ~= e then worst, at = e, i end
        end
      end
      assert(worst <= limit, ("%s(%.9g) = %.9g is off by %.2f places"):format(name, xs[at] or 0, got[at] or 0, worst))
    end)
  end

  local function gelu_tanh(x) return core.gelu(x, { approximate = "tanh" }) end
  local K = 2 * math.sqrt(2 / math.pi)
  local function inner(x) return K * (x + 0.044715 * x ^ 3) end

  it("gelu by tanh is right to 1e-6 of itself", function()
    local xs = arguments(-9, LARGEST)
    local got = gelu_tanh(core.tensor(xs)):totable()
    for i, x in ipairs(xs) do
      local want = x * sigmoid(inner(x)) -- far below zero the rounding of x^3 shows, times its size
      local room = 1e-6 * math.abs(want) * math.max(1, math.abs(inner(x))) + 2.0 ^ -149
      assert(math.abs(got[i] - want) <= room, ("gelu_tanh(%.9g) = %.9g, not %.9g"):format(x, got[i], want))
    end
  end)

  -- f, its derivative; both must be good to a few units in the last place of 1.
  local sloped = {
    silu = { core.silu, function(x)
      local s = sigmoid(x)
      return s + x * s * (1 - s)
    end },
    gelu = { core.gelu, function(x) return cdf(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) end },
    gelu_tanh = { gelu_tanh, function(x)
      local s = sigmoid(inner(x))
      return s + x * s * (1 - s) * K * (1 + 3 * 0.044715 * x * x)
    end },
  }
  for name, row in pairs(sloped) do
    it(name .. " has the right slope, at the ends too", function()
      local xs = arguments(-1e4, 1e4)
      local x = core.tensor(xs):requires_grad_()
      row[1](x):sum():backward()
      local got = x.grad:totable()
      for i, v in ipairs(xs) do
        local want = math.abs(v) > 80 and (v > 0 and 1 or 0) or row[2](v)
        assert(math.abs(got[i] - want) <= 6e-7, ("slope of %s at %.9g is %.9g, not %.9g"):format(name, v, got[i], want))
      end
      local ends = core.tensor { math.huge, -math.huge, 0 / 0, LARGEST, -LARGEST }:requires_grad_()
      row[1](ends):sum():backward()
      local g = ends.grad:totable()
      assert(g[1] == 1 and math.abs(g[2]) < 1e-30 and g[3] ~= g[3] and g[4] == 1 and math.abs(g[5]) < 1e-30)
      local y = row[1](ends):totable()
      assert(y[1] == math.huge and y[2] == 0 and y[3] ~= y[3] and y[5] == 0)
    end)
  end

  local inf, nan = math.huge, 0 / 0
  local edges = { -- at 0, -0, infinity, -infinity
    exp = { 1, 1, inf, 0 }, log = { -inf, -inf, inf, nan },
    log1p = { 0, 0, inf, nan }, sqrt = { 0, 0, inf, nan }, rsqrt = { inf, -inf, 0, nan },
    reciprocal = { inf, -inf, 0, 0 }, sin = { 0, 0, nan, nan }, cos = { 1, 1, nan, nan }, tanh = { 0, 0, 1, -1 },
    sigmoid = { 0.5, 0.5, 1, 0 }, relu = { 0, 0, inf, 0 }, silu = { 0, 0, inf, 0 }, gelu = { 0, 0, inf, 0 },
    erf = { 0, 0, 1, -1 }, abs = { 0, 0, inf, inf }, sign = { 0, 0, 1, -1 }, floor = { 0, 0, inf, -inf },
    round = { 0, 0, inf, -inf }, square = { 0, 0, inf, inf }, neg = { 0, 0, -inf, inf },
    leaky_relu = { 0, 0, inf, -inf },
  }
  it("are right at zero and infinity, and pass NaN on", function()
    for name, wanted in pairs(edges) do
      -- long enough that vectors and the rest after them are both used
      for _, n in ipairs { 1, 40 } do
        for i, x in ipairs { 0.0, -0.0, inf, -inf } do
          local y = core[name](core.full({ n }, x)):totable()
          for k = 1, n do
            local ok = y[k] == wanted[i] or (y[k] ~= y[k] and wanted[i] ~= wanted[i])
            assert(ok, ("%s(%s) = %s"):format(name, x, y[k]))
          end
        end
        local y = core[name](core.full({ n }, nan)):totable()
        for k = 1, n do assert(y[k] ~= y[k], name .. "(NaN) is a number") end
      end
    end
    local y = core.softplus(core.tensor { -inf, inf, nan }):totable()
    assert.same({ 0, inf }, { y[1], y[2] })
    assert(y[3] ~= y[3])
  end)

  it("log1p ends at -1", function()
    assert.equal(-inf, core.tensor({ -1 }):log1p():item())
    local y = core.tensor({ -1.0000001 }):log1p():item()
    assert(y ~= y)
  end)

  it("round halves to even", function()
    assert.same({ -2, -2, 0, 0, 2, 2 }, core.round(core.tensor { -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 }):totable())
  end)

  it("raise to powers as C's pow does", function()
    for _, p in ipairs { -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 2.7 } do
      local xs = { -8, -1, -0.25, 0.0, 0.3, 1, 17.5, inf, nan }
      local y = (core.tensor(xs) ^ p):totable()
      for i, x in ipairs(xs) do
        local want = float(x) ^ p
        if want ~= want then
          assert(y[i] ~= y[i], ("%s ^ %s = %s"):format(x, p, y[i]))
        else
          assert(y[i] == want or math.abs(y[i] - want) <= 1e-6 * math.abs(want), ("%s ^ %s = %s"):format(x, p, y[i]))
        end
      end
    end
  end)

  it("do not depend on where an element lies", function()
    local x = core.randn(67, { generator = core.generator(2) })
    for name in pairs(edges) do
      local whole = core[name](x):totable()
      for i = 1, 67 do
        local alone = core[name](x[i]:clone()):item()
        assert(alone == whole[i] or alone ~= alone, name)
      end
    end
  end)
end)
