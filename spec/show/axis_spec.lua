local axis = require "laterna.show.axis"

local function texts(a, n)
  local out = {}
  for k, tick in ipairs(a:ticks(n)) do out[k] = tick.text end
  return out
end

local function on(lo, hi, log) return axis.new({}, { limits = { lo, hi }, log = log }) end

describe("an axis", function()
  it("has ticks at round numbers with the digits they need", function()
    assert.same({ "0.0", "0.2", "0.4", "0.6", "0.8", "1.0" }, texts(on(0, 1), 5))
    assert.same({ "0.0", "0.5", "1.0" }, texts(on(0, 1), 4))
    assert.same({ "-2", "0", "2" }, texts(on(-3, 3), 3))
    assert.same({ "0", "500", "1000" }, texts(on(0, 1000), 3))
    assert.same({ "0.000", "0.002", "0.004" }, texts(on(0, 0.005), 3))
    assert.same({ "100.1", "100.2", "100.3" }, texts(on(100.05, 100.35), 3))
  end)

  it("uses exponents where digits would not fit", function()
    assert.same({ "0", "1e6", "2e6" }, texts(on(0, 2e6), 3))
    assert.same({ "0", "5e-6", "1.0e-5" }, (function()
      local t = texts(on(0, 1e-5), 2)
      t[2] = t[2]:gsub("%.0", "")
      return t
    end)())
    for _, range in ipairs { { 1e-200, 3e-200 }, { -1e299, 1e300 }, { 1e15, 1e15 + 8 } } do
      for _, text in ipairs(texts(on(range[1], range[2]), 5)) do assert.is_true(#text <= 22) end
    end
  end)

  it("never has many more ticks than asked for, and always some", function()
    for _, hi in ipairs { 1e-9, 0.3, 0.7, 1, 1.9, 7, 9.99, 60, 1e7 } do
      for n = 1, 12 do
        local count = #on(0, hi):ticks(n)
        assert.is_true(count >= 1 and count <= n + 1)
      end
    end
  end)

  it("has ticks where it says", function()
    for _, tick in ipairs(on(-3, 7):ticks(6)) do
      assert.is_true(math.abs(tick.at - (tick.value + 3) / 10) < 1e-12)
      assert.equal(tick.value, tonumber(tick.text))
    end
  end)

  it("knows decades", function()
    assert.same({ "0.001", "0.01", "0.1", "1", "10" }, texts(on(1e-3, 10, true), 6))
    assert.same({ "1", "2", "5", "10", "20", "50" }, texts(on(1, 60, true), 9))
    assert.same({ "1e-20", "1", "1e20" }, texts(on(1e-25, 1e25, true), 3))
    assert.same({ "2.2", "2.4", "2.6" }, texts(on(2.1, 2.7, true), 3))
    assert.equal(0.5, on(0.1, 10, true):position(1))
    assert.is_nil(on(0.1, 10, true):position(0))
    assert.is_nil(on(0.1, 10, true):position(-3))
  end)

  it("spans what can be drawn", function()
    local a = axis.new({ { 1, 0 / 0, 4 }, { -1 / 0, 2, 1 / 0 } }, {})
    assert.same({ 1, 4 }, { a.lo, a.hi })
    a = axis.new({ { 1, 3 } }, { margin = 0.25 })
    assert.same({ 0.5, 3.5 }, { a.lo, a.hi })
    a = axis.new({ { -5, 0, 0.01, 100 } }, { log = true })
    assert.same({ -2, 2 }, { a.lo, a.hi })
  end)

  it("makes room around equal values, and around none", function()
    local lists = { { 5 }, { 5, 5 }, { 0 }, { -2 }, { 1e300 }, { 1e-320 }, {}, { 0 / 0 }, { 1e9, 1e9 + 1e-3 } }
    for _, values in ipairs(lists) do
      local a = axis.new({ values }, { margin = 0.05 })
      assert.is_true(a.lo < a.hi)
      if values[1] and values[1] == values[1] then
        local at = a:position(values[1])
        assert.is_true(at > 0 and at < 1)
      end
      assert.is_true(#a:ticks(5) >= 1)
    end
    local a = axis.new({ { 7 } }, { log = true })
    assert.is_true(a.lo < math.log(7, 10) and a.hi > math.log(7, 10))
    assert.is_true(#axis.new({ { 5e-324 } }, { log = true }):ticks(4) >= 0)
  end)
end)
