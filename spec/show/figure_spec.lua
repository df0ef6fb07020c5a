local figure = require "laterna.show.figure"

local function curve(y, o, x)
  if not x then
    x = {}
    for k = 1, #y do x[k] = k end
  end
  return figure.curves("line", { { x = x, y = y } }, o or {})
end

describe("a figure", function()
  it("breaks curves at values that cannot be drawn, and says how many", function()
    local f = curve { 1, 2, 0 / 0, 3, 1 / 0, 2, 1 }
    local sizes = {}
    for k, run in ipairs(f.series[1].runs) do sizes[k] = #run end
    assert.same({ 2, 1, 2 }, sizes)
    assert.equal("(2 of 7 not finite)", f.legend[1].text)
    f = curve({ 1, -1, 0, 10, 0 / 0 }, { logy = true })
    assert.equal("(1 of 5 not finite, 2 of 5 not above 0)", f.legend[1].text)
    assert.same({}, curve({ 1, 2 }).legend)
  end)

  it("places points on the unit square", function()
    local run = curve({ 0, 1, 2 }, { ylim = { 0, 2 } }).series[1].runs[1]
    assert.same({ { 0, 0 }, { 0.5, 0.5 }, { 1, 1 } }, run)
  end)

  it("cuts curves at the limits", function()
    local runs = curve({ -1, 3, -1 }, { ylim = { 0, 2 } }).series[1].runs
    assert.equal(2, #runs)
    assert.same({ { 0.125, 0 }, { 0.375, 1 } }, runs[1])
    assert.same({ { 0.625, 1 }, { 0.875, 0 } }, runs[2])
    assert.same({}, curve({ 5, 5, 5 }, { ylim = { 0, 2 } }).series[1].runs)
    local around = curve({ 0, 1, 2, 3, 4 }, { xlim = { 2, 4 } })
    assert.equal(1, #around.series[1].runs)
    assert.is_true(around.y.lo > 0.5 and around.y.hi < 3.5) -- the limits of y follow what is seen
  end)

  it("thins long curves and keeps their extremes #slow", function()
    local y = {}
    for k = 1, 50000 do y[k] = math.sin(k / 3000) end
    y[31234], y[777] = 9, -9
    local f = curve(y)
    local n, lo, hi = 0, 1, 0
    for _, run in ipairs(f.series[1].runs) do
      n = n + #run
      for k, p in ipairs(run) do
        lo, hi = math.min(lo, p[2]), math.max(hi, p[2])
        assert.is_true(k == 1 or p[1] >= run[k - 1][1])
      end
    end
    assert.is_true(n <= 4004)
    assert.is_true(math.abs(f.y:position(9) - hi) < 1e-12 and math.abs(f.y:position(-9) - lo) < 1e-12)
  end)

  it("counts values into bins, the highest into the last", function()
    assert.same({ 2, 1, 3 }, figure.histogram({ 0, 0.5, 1.2, 2, 2.5, 3 }, { bins = 3 }).counts)
    assert.same({ 1, 2, 0, 1 }, figure.histogram({ 1, 2, 2, 4 }, {}).counts)
    assert.same({ 1, 1 }, figure.histogram({ -5, 0.1, 1.9, 7 }, { bins = 2, xlim = { 0, 2 } }).counts)
    local f = figure.histogram({ 1, 0 / 0, 1 / 0 }, {})
    assert.equal("(2 of 3 not finite)", f.legend[1].text)
    assert.same({ 1 }, f.counts)
    assert.equal(0, #figure.histogram({ 0 / 0 }, { bins = 3 }).legend - 1)
  end)

  it("loses no value, whatever the bins", function()
    local values = {}
    for k = 1, 1000 do values[k] = math.sin(k) * 10 ^ (k % 7) end
    for _, bins in ipairs { 1, 2, 7, 33, 1000 } do
      local sum = 0
      for _, c in ipairs(figure.histogram(values, { bins = bins }).counts) do sum = sum + c end
      assert.equal(1000, sum)
    end
  end)
end)
