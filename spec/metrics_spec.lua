-- Metrics of samples against their closed forms.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local metrics = require "laterna.metrics"

-- 2 d points whose mean and covariance (n - 1) are exactly mu and l l': +-c e_i, turned by l and shifted.
local function gaussian(mu, l)
  local d, rows = #mu, {}
  local c = math.sqrt((2 * d - 1) / 2)
  for i = 1, d do
    for _, sign in ipairs{ c, -c } do
      local row = {}
      for j = 1, d do row[j] = mu[j] + sign * l[j][i] end
      rows[#rows + 1] = row
    end
  end
  return core.tensor(rows)
end

local function diagonal(values)
  local l = {}
  for i, v in ipairs(values) do
    l[i] = {}
    for j = 1, #values do l[i][j] = i == j and v or 0 end
  end
  return l
end

describe("the Frechet distance", function()
  it("is the closed form for axes that do not mix: sums of (m1-m2)^2 and (s1-s2)^2", function()
    local a = gaussian({ 1, -2, 0 }, diagonal{ 1, 2, 0.5 })
    local b = gaussian({ 0, 1, 0.5 }, diagonal{ 3, 0.25, 0 })
    assert.near(1 + 9 + 0.25 + 4 + 1.75 ^ 2 + 0.25, metrics.frechet(a, b), 1e-5)
  end)

  it("is the closed form for two correlated planes: tr P^(1/2) = (tr P + 2 |P|^(1/2))^(1/2)", function()
    local l1, l2 = { { 2, 0 }, { 1.5, 0.5 } }, { { 1, 0 }, { -0.75, 1.25 } }
    local function square(l)
      return { l[1][1] ^ 2, l[1][1] * l[2][1], l[2][1] ^ 2 + l[2][2] ^ 2 } -- xx, xy, yy
    end
    local s1, s2 = square(l1), square(l2)
    local trace = s1[1] * s2[1] + 2 * s1[2] * s2[2] + s1[3] * s2[3]
    local det = (s1[1] * s1[3] - s1[2] ^ 2) * (s2[1] * s2[3] - s2[2] ^ 2)
    local wanted = 4 + s1[1] + s1[3] + s2[1] + s2[3] - 2 * math.sqrt(trace + 2 * math.sqrt(det))
    local a, b = gaussian({ 0, 0 }, l1), gaussian({ 0, 2 }, l2)
    assert.near(wanted, metrics.frechet(a, b), 1e-5)
    assert.near(wanted, metrics.frechet(b, a), 1e-5)
  end)

  it("does not change when both sets are turned", function()
    local a = core.randn(400, 5, { generator = core.generator(1) }) * core.tensor{ 3, 1, 0.1, 2, 0 }
    local b = core.randn(300, 5, { generator = core.generator(2) }) + 0.5
    local q = core.qr(core.randn(5, 5, { generator = core.generator(3) }))
    assert.near(metrics.frechet(a, b), metrics.frechet(core.matmul(a, q), core.matmul(b, q)), 1e-4)
  end)

  it("is zero for a set and itself, also where features repeat, are constant, or lie far from zero", function()
    local x = core.randn(50, 4, { generator = core.generator(4) })
    local wide = core.cat({ x, x, core.zeros(50, 3), x * 100, core.ones(50, 60) }, 2)
    assert.near(0, metrics.frechet(wide, wide:flip(1)), 1e-3) -- of a trace near 40000
    assert.near(0, metrics.frechet(x, x), 1e-6)
    local far = gaussian({ 4096, -4096 }, diagonal{ 1, 2 })
    assert.near(0, metrics.frechet(far, far), 1e-6)
    assert.near(1, metrics.frechet(far, gaussian({ 4096, -4096 }, diagonal{ 2, 2 })), 2e-3)
  end)

  it("takes more rows than columns and the other way round", function()
    local x, shift = core.randn(3, 20, { generator = core.generator(5) }), core.zeros(1, 20)
    shift[1][7] = 2
    assert.near(4, metrics.frechet(x, x + shift), 1e-4)
    local many = core.randn(1000, 2, { generator = core.generator(6) })
    assert.near(8, metrics.frechet(many, many + 2), 1e-4)
  end)

  it("refuses what has no covariance", function()
    local x = core.ones(3, 2)
    fails("bad argument #1 to 'frechet' (a: expected (n,d) with n of at least 2", metrics.frechet, core.ones(1, 2), x)
    fails("bad argument #2 to 'frechet' (b: expected rows of 2 numbers as in a, got (3,3))", metrics.frechet, x,
      core.ones(3, 3))
    fails("b: its values are not all finite", metrics.frechet, x, core.tensor{ { 1, 2 }, { 0 / 0, 1 } })
    fails("bad argument #2 to 'frechet' (b: expected tensor", metrics.frechet, x, { { 1, 2 } })
    fails("(3,2,1)", metrics.frechet, core.ones(3, 2, 1), x)
  end)
end)

describe("accuracy", function()
  it("is the part of the places that agree, in lists and tensors", function()
    assert.equal(0.75, metrics.accuracy({ "bag", "coat", "bag", "shirt" }, { "bag", "coat", "coat", "shirt" }))
    assert.equal(0.5, metrics.accuracy(core.tensor({ 1, 2 }, { dtype = "int32" }), { 1, 3 }))
  end)

  it("refuses lists that do not go together", function()
    fails("bad argument #2 to 'accuracy' (wanted: expected 2 names as in named, got 1)", metrics.accuracy, { 1, 2 },
      { 1 })
    fails("named: expected at least one name", metrics.accuracy, {}, {})
    fails("wanted: expected a list or a tensor (n), got 2 axes", metrics.accuracy, { 1 }, core.ones(1, 1))
  end)
end)

describe("variety", function()
  it("is the mean distance of two of the rows", function()
    assert.near((5 + 10 + 5) / 3, metrics.variety(core.tensor{ { 0, 0 }, { 3, 4 }, { 6, 8 } }), 1e-6)
    assert.near(2, metrics.variety(core.tensor{ { { 0 }, { 0 } }, { { 0 }, { 2 } } }), 1e-6)
    assert.equal(0, metrics.variety(core.ones(5, 3)))
  end)

  it("refuses a single row, bytes, and infinity", function()
    fails("n of at least 2, got (1,3)", metrics.variety, core.ones(1, 3))
    fails("expected float32, got uint8", metrics.variety, core.ones(2, 3):byte())
    fails("not all finite", metrics.variety, core.tensor{ { 1 }, { 1 / 0 } })
  end)
end)

describe("the total variation distance", function()
  it("is half the sum of the differences, whatever the counts sum to", function()
    assert.near(0.25, metrics.total_variation({ 2, 2 }, { 3, 1 }), 1e-12)
    assert.near(0.5, metrics.total_variation({ red = 1, blue = 1 }, { blue = 50, green = 50 }), 1e-12)
    assert.near(0, metrics.total_variation({ 1, 2, 3 }, { 10, 20, 30 }), 1e-12)
    assert.near(1, metrics.total_variation({ a = 1 }, { b = 7 }), 1e-12)
  end)

  it("refuses what is no count", function()
    fails("bad argument #1 to 'total_variation' (a[1]: expected number from 0", metrics.total_variation, { -1 }, { 1 })
    fails('b["x"]: expected number', metrics.total_variation, { 1 }, { x = 0 / 0 })
    fails("b: expected counts that are not all zero", metrics.total_variation, { 1 }, { 0 })
  end)
end)

describe("the modes that samples reach", function()
  local centres = core.tensor { { 0, 0 }, { 10, 0 }, { 0, 10 } }

  it("are those with samples within the radius", function()
    local points = core.tensor { { 0, 0.5 }, { 0.6, 0.8 }, { 9, 0 }, { 5, 0.1 }, { 0, 8.9 }, { 0 / 0, 0 } }
    local covered, share, counts = metrics.modes(points, centres, 1.0001)
    assert.equal(2, covered)
    assert.equal(0.5, share)
    assert.same({ 2, 1, 0 }, counts)
    assert.equal(1, (metrics.modes(points, centres, 1.0001, { least = 2 })))
  end)

  it("of a round Gaussian hold 1 - exp(-9/2) of the samples within 3 deviations", function()
    local _, share = metrics.modes(core.randn(20000, 2, { generator = core.generator(1) }) * 0.1, centres, 0.3)
    assert.near(1 - math.exp(-4.5), share, 0.003)
  end)

  it("are counted of points of one size", function()
    fails("centres: expected (k,3) as points, got (3,2)", metrics.modes, core.zeros(2, 3), centres, 1)
    fails("points: expected (n,d), got (3)", metrics.modes, core.zeros(3), centres, 1)
  end)
end)

describe("the rank correlation", function()
  it("is that of the ranks, whatever the numbers are", function()
    assert.near(1, metrics.spearman({ 1, 2, 3 }, { -5, 0, 1e9 }), 1e-12)
    assert.near(-1, metrics.spearman(core.tensor { 1, 2, 3 }, { 3, 2, 1 }), 1e-12)
    -- ten pairs whose ranks differ by squares that sum to 194: 1 - 6 * 194 / (10 * 99)
    local a, b = { 106, 100, 86, 101, 99, 103, 97, 113, 112, 110 }, { 7, 27, 2, 50, 28, 29, 20, 12, 6, 17 }
    assert.near(1 - 6 * 194 / 990, metrics.spearman(a, b), 1e-12)
  end)

  it("lets equal numbers share their ranks", function()
    assert.near(4.5 / math.sqrt(4.5 * 5), metrics.spearman({ 1, 2, 2, 3 }, { 1, 2, 3, 4 }), 1e-12)
    assert.equal(0, metrics.spearman({ 1, 1, 1 }, { 1, 2, 3 }))
  end)

  it("refuses lists of other lengths, and what is no number", function()
    fails("b: expected 3 numbers as in a, got 2", metrics.spearman, { 1, 2, 3 }, { 1, 2 })
    fails("a: expected at least two numbers, got 1", metrics.spearman, { 1 }, { 1 })
    fails("a[2]: expected number", metrics.spearman, { 1, "x" }, { 1, 2 })
  end)
end)
