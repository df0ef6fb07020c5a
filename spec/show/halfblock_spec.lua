local halfblock = require "laterna.show.halfblock"

local function grey(w, h, ...) return { h = h, w = w, c = 1, bytes = string.char(...) } end

describe("half-blocks", function()
  it("put two rows into one line of cells", function()
    local text = halfblock(grey(1, 2, 255, 0), 80, "halfblock")
    assert.equal("\27[48;2;0;0;0m\27[38;2;255;255;255m▀\27[0m\n", text)
  end)

  it("leave the lower half of an odd last row alone", function()
    assert.equal("\27[38;2;7;7;7m▀\27[0m\n", halfblock(grey(1, 1, 7), 80, "halfblock"))
  end)

  it("repeat no colour that is set already", function()
    local text = halfblock(grey(3, 2, 9, 9, 8, 1, 1, 1), 80, "halfblock")
    assert.equal("\27[48;2;1;1;1m\27[38;2;9;9;9m▀▀\27[38;2;8;8;8m▀\27[0m\n", text)
  end)

  it("fit the width they are given, keeping the proportions", function()
    local p = { h = 20, w = 40, c = 1, bytes = ("\100"):rep(800) }
    local lines = 0
    for line in halfblock(p, 10, "halfblock"):gmatch "[^\n]+" do
      lines = lines + 1
      assert.equal(10, select(2, line:gsub("▀", "")))
    end
    assert.equal(3, lines) -- 5 rows of pixels
  end)

  it("find the nearest of 256 colours", function()
    local function number(r, g, b)
      local p = { h = 1, w = 1, c = 3, bytes = string.char(r, g, b) }
      return tonumber(halfblock(p, 80, "256"):match "\27%[38;5;(%d+)m▀\27%[0m\n")
    end
    assert.equal(16, number(0, 0, 0))
    assert.equal(231, number(255, 255, 255))
    assert.equal(196, number(255, 0, 0))
    assert.equal(244, number(128, 128, 128))
    assert.equal(232, number(8, 8, 8))
    assert.equal(67, number(95, 135, 175))
  end)

  it("do with spaces where the locale has no half-blocks", function()
    assert.equal("\27[48;2;1;1;1m    \27[48;2;2;2;2m  \27[0m\n", halfblock(grey(3, 1, 1, 1, 2), 80, "halfblock", true))
    assert.equal("\27[48;2;2;2;2m  \27[0m\n", halfblock(grey(3, 1, 1, 1, 4), 3, "halfblock", true))
  end)
end)
