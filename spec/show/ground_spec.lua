local core = require "laterna.core"
local ground = require "laterna.show.ground"

describe("a ground", function()
  it("is nearest of what the mixture is, for every byte and alpha", function()
    local bytes = {}
    for v = 0, 255, 5 do
      for a = 0, 255 do bytes[#bytes + 1] = string.char(v, a) end
    end
    local x = core.from_string(table.concat(bytes), { 52, 256, 2 }, { dtype = "uint8" })
    local y = ground.lay(x, 0.2):totable() -- 153
    for v = 0, 51 do
      for a = 0, 255 do
        assert.equal((5 * v * a + 153 * (255 - a) + 127) // 255, y[v + 1][a + 1][1])
      end
    end
  end)

  it("takes alphas out of range for the nearest in it", function()
    local y = ground.lay(core.tensor { { { 0.5, 3 }, { 0.5, -3 } } }, -1):totable()
    assert.same({ { { 0.5 }, { -1 } } }, y)
  end)

  it("has squares on each picture of a batch, from its upper left corner", function()
    local y = ground.lay(core.zeros(2, 8, 16, 4):byte(), "chequered")
    assert.same({ 2, 8, 16, 3 }, y.shape)
    assert.equal(y[1]:to_string(), y[2]:to_string())
    for row, line in ipairs(y[1]:totable()) do
      for column, pixel in ipairs(line) do
        assert.equal(((row - 1) // 2 + (column - 1) // 2) % 2 == 0 and 204 or 153, pixel[2])
      end
    end
  end)
end)
