local font = require "laterna.show.font"

describe("the font", function()
  it("has every printable character of ASCII, inside its lines", function()
    local box = font.strokes "\u{1F45E}"
    for byte = 33, 126 do
      local strokes = font.strokes(string.char(byte))
      assert.are_not.same(box, strokes, string.char(byte))
      for _, stroke in ipairs(strokes) do
        for _, p in ipairs(stroke) do
          assert.is_true(p[2] >= -font.descent - 0.2 and p[2] <= 8, string.char(byte))
          assert.is_true(p[1] >= 0 and p[1] <= font.width(string.char(byte)) + 1e-9, string.char(byte))
        end
      end
    end
  end)

  it("draws no two characters alike", function()
    local seen = {}
    for byte = 33, 126 do
      local words = {}
      for _, stroke in ipairs(font.strokes(string.char(byte))) do
        for _, p in ipairs(stroke) do words[#words + 1] = ("%.3f,%.3f"):format(p[1], p[2]) end
        words[#words + 1] = ";"
      end
      local key = table.concat(words, " ")
      assert.is_nil(seen[key], string.char(byte))
      seen[key] = true
    end
  end)

  it("gives digits one width", function()
    for digit = 0, 9 do assert.equal(font.width "0", font.width(tostring(digit))) end
  end)

  it("writes accents without their marks and the unknown as boxes", function()
    assert.same(font.strokes "Kafer", font.strokes "Käfer")
    assert.same(font.strokes "\255", font.strokes "\254")
  end)

  it("breaks at spaces", function()
    assert.same({ "ankle boot" }, font.wrap("ankle boot", 60, 3))
    assert.same({ "ankle", "boot" }, font.wrap("ankle  boot ", 40, 3))
    assert.same({}, font.wrap("", 40, 3))
    assert.same({}, font.wrap("   ", 40, 3))
  end)

  it("marks what it cuts, and keeps every line inside the width", function()
    local text = "a large striped circle above a square, at night"
    for lines = 1, 4 do
      for width = 20, 120, 10 do
        local out = font.wrap(text, width, lines)
        assert.is_true(#out <= lines)
        for _, line in ipairs(out) do assert.is_true(font.width(line) <= width) end
        local all = table.concat(out):gsub(" ", "")
        assert.is_true(all == text:gsub(" ", "") .. "" or (#out == lines and all:sub(-3) == "…"))
      end
    end
    assert.equal("a…", font.wrap("a b", font.width "a…", 1)[1])
  end)

  it("breaks words that are longer than a line, and loses no letter", function()
    local out = font.wrap("Donaudampfschifffahrt", 40, 20)
    assert.equal("Donaudampfschifffahrt", table.concat(out))
    assert.is_true(#out > 1)
    assert.is_true(#font.wrap("wide", 0.1, 3) <= 3)
  end)
end)
