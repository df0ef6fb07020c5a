local canvas = require "laterna.show.canvas"

local BLACK = { 0, 0, 0 }

local function ink(c)
  local sum = 0
  for k = 1, #c.data, 3 do sum = sum + (255 - c.data[k]) / 255 end
  return sum
end

describe("the canvas", function()
  it("starts white and gives its bytes row by row", function()
    local c = canvas.new(2, 2)
    c:rect(1, 0, 1, 1, { 1, 2, 3 })
    assert.equal("\255\255\255\1\2\3" .. ("\255"):rep(6), c:bytes())
  end)

  it("blends the edges of rectangles between pixels", function()
    local c = canvas.new(3, 1)
    c:rect(0.5, 0, 1, 1, BLACK)
    assert.same({ 128, 128, 255 }, { c.data[1], c.data[4], c.data[7] })
    c = canvas.new(6, 6)
    c:rect(1.25, 1.5, 3.5, 2.25, BLACK)
    assert.is_true(math.abs(ink(c) - 3.5 * 2.25) < 0.1)
  end)

  it("draws strokes of the width asked for, at any angle", function()
    for angle = 0, 75, 15 do
      local c = canvas.new(100, 100)
      local dx, dy = 30 * math.cos(math.rad(angle)), 30 * math.sin(math.rad(angle))
      c:stroke({ { 50 - dx, 50 - dy }, { 50 + dx, 50 + dy } }, 4, BLACK)
      local area = 60 * 4 + math.pi * 4 -- with round ends
      assert.is_true(math.abs(ink(c) - area) / area < 0.03, "at " .. angle)
    end
  end)

  it("draws a crossing of one stroke no darker than the stroke", function()
    local c = canvas.new(20, 20)
    c:stroke({ { 2, 10 }, { 18, 10 }, { 10, 2 }, { 10, 18 } }, 2, BLACK, 0.5)
    for k = 1, #c.data do assert.is_true(c.data[k] >= 127) end
  end)

  it("stays inside itself and its clip", function()
    local c = canvas.new(10, 10)
    c:stroke({ { -1e9, -1e9 }, { 1e9, 1e9 } }, 3, BLACK)
    c:rect(-5, -5, 100, 3, BLACK)
    c:disc(50, 50, 10, BLACK)
    c:text(-20, 500, "far away", { size = 20 })
    assert.equal(300, #c.data)
    assert.equal(300, #c:bytes())
    c = canvas.new(10, 10)
    c:clip_to(2, 2, 3, 3)
    c:rect(0, 0, 10, 10, BLACK)
    assert.equal(9, ink(c))
    c:clip_to()
    c:rect(0, 0, 10, 10, BLACK)
    assert.equal(100, ink(c))
  end)

  it("aligns text", function()
    local function columns(align)
      local c, lo, hi = canvas.new(100, 30), 100, 0
      c:text(50, 20, "bag", { size = 15, align = align })
      for k = 1, #c.data, 3 do
        local x = (k - 1) // 3 % 100
        if c.data[k] < 200 then lo, hi = math.min(lo, x), math.max(hi, x) end
      end
      return lo, hi
    end
    local lo, hi = columns "left"
    assert.is_true(lo >= 50 and lo <= 52 and hi > 60)
    lo, hi = columns "right"
    assert.is_true(hi <= 50 and hi >= 48 and lo < 40)
    lo, hi = columns "center"
    assert.is_true(math.abs((lo + hi + 1) / 2 - 50) <= 1)
  end)

  it("turns text upward", function()
    local c, lo, hi = canvas.new(30, 100), 100, 0
    c:text(20, 90, "bag", { size = 15, upward = true })
    for k = 1, #c.data, 3 do
      if c.data[k] < 200 then lo, hi = math.min(lo, (k - 1) // 90), math.max(hi, (k - 1) // 90) end
    end
    assert.is_true(hi <= 90 and hi >= 86 and lo < 75)
  end)
end)
