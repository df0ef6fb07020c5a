-- Terms of losses, running statistics and moments against plain loops, at the sizes where blocks and pieces end.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local naive = require "spec.support.naive"

local sizes = { 1, 7, 511, 512, 513, 16384, 16390 }

local function randn(n, seed) return core.randn({ n }, { generator = core.generator(seed) }) end

local function map(a, b, f)
  local y = {}
  for i = 1, #a do y[i] = f(a[i], b[i]) end
  return y
end

local function sum(list)
  local s = 0
  for _, v in ipairs(list) do s = s + v end
  return s
end

describe("terms of losses", function()
  for _, n in ipairs(sizes) do
    it("are their formulas over " .. n, function()
      local a, b = randn(n, 1), randn(n, 2)
      local x, t = naive.flat(a), naive.flat(b)
      local huber = map(x, t, function(u, v)
        local d = math.abs(u - v)
        return d <= 0.7 and d * d / 2 or 0.7 * (d - 0.35)
      end)
      local kl = map(x, t, function(mu, v) return (mu * mu + math.exp(v) - v - 1) / 2 end)
      close(core.huber_loss(a, b, { delta = 0.7, reduction = "none" }), huber, 1e-6)
      close(core.huber_loss(a, b, { delta = 0.7, reduction = "sum" }), { sum(huber) }, 1e-6)
      close(core.kl_normal(a, b, { reduction = "none" }), kl, 2e-6)
      b:requires_grad_()
      core.kl_normal(a, b, { reduction = "sum" }):backward()
      close(b.grad, map(t, t, function(v) return (math.exp(v) - 1) / 2 end), 2e-6)
    end)
  end

  it("of classes are what their rows say", function()
    for _, s in ipairs { { 1, 1 }, { 5, 3 }, { 1700, 10 }, { 40, 700 } } do
      local rows, classes = table.unpack(s)
      local x = randn(rows * classes, 3):view(rows, classes):requires_grad_()
      local ids, list = {}, naive.flat(x)
      for r = 1, rows do ids[r] = r * 5 % classes + 1 end
      local each, gradient = {}, {}
      for r = 1, rows do
        local total = 0
        for k = 1, classes do total = total + math.exp(list[(r - 1) * classes + k]) end
        for k = 1, classes do
          local at = (r - 1) * classes + k
          gradient[at] = (math.exp(list[at]) / total - (k == ids[r] and 1 or 0)) * r
        end
        each[r] = math.log(total) - list[(r - 1) * classes + ids[r]]
      end
      local target, weight = core.tensor(ids, { dtype = "int32" }), {}
      for r = 1, rows do weight[r] = r end
      close(core.cross_entropy(x, target, { reduction = "sum" }), { sum(each) }, 2e-6)
      local y = core.cross_entropy(x, target, { reduction = "none" })
      close(y, each, 4e-6)
      y:backward(core.tensor(weight))
      close(x.grad, gradient, 2e-6 * rows)
    end
  end)
end)

describe("running statistics", function()
  it("follow the batch, however many channels there are", function()
    for _, c in ipairs { 1, 511, 512, 513, 1030 } do
      local x = randn(6 * c, 4):view(6, c) * 2 + 1
      local mean, var = randn(c, 5), randn(c, 6):square()
      local wanted, list = { mean = naive.flat(mean), var = naive.flat(var) }, naive.flat(x)
      for i = 1, c do
        local m, s = 0, 0
        for r = 0, 5 do m = m + list[r * c + i] / 6 end
        for r = 0, 5 do s = s + (list[r * c + i] - m) ^ 2 end
        wanted.mean[i] = 0.7 * wanted.mean[i] + 0.3 * m
        wanted.var[i] = 0.7 * wanted.var[i] + 0.3 * s / 5
      end
      core.batch_norm(x, nil, nil, mean, var, { training = true, momentum = 0.3 })
      close(mean, wanted.mean, 4e-6)
      close(var, wanted.var, 1e-5)
    end
  end)
end)

describe("moments", function()
  it("are refused where a single value is not finite, wherever it stands", function()
    local rows = core.randn({ 1100, 8 }, { generator = core.generator(7) })
    for _, bad in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      for _, at in ipairs { 0, 511, 512, 1099 } do
        local x = rows:clone()
        x[at + 1] = core.cat({ core.zeros(7), core.full({ 1 }, bad) }, 1)
        fails("a: its values are not all finite", core.frechet, x, rows)
        fails("b: its values are not all finite", core.frechet, rows, x)
      end
    end
    assert.is_true(core.frechet(rows * 3e37, rows) > 1e70) -- large is not infinite
  end)

  it("of many rows in one dimension give the distance of two means and deviations", function()
    for _, n in ipairs { 2, 255, 256, 257, 1000 } do
      local function moments(x)
        local m = sum(x) / #x
        local s = 0
        for _, v in ipairs(x) do s = s + (v - m) ^ 2 end
        return m, math.sqrt(s / (#x - 1))
      end
      local a, b = randn(n, 8), randn(n, 9) * 2 + 1
      local m1, s1 = moments(naive.flat(a))
      local m2, s2 = moments(naive.flat(b))
      assert.near((m1 - m2) ^ 2 + (s1 - s2) ^ 2, core.frechet(a:view(n, 1), b:view(n, 1)), 1e-9)
    end
  end)
end)
