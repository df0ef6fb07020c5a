local core = require "laterna.core"

-- The same in plain loops: one picture as nested lists, and a row of its map.
local function naive(picture, m)
  local h, w, c, out = #picture, #picture[1], #picture[1][1], {}
  local alpha = c == 2 or c == 4
  local function pixel(y, x)
    if y >= 0 and y < h and x >= 0 and x < w then return picture[y + 1][x + 1], 1 end
    return picture[math.max(0, math.min(h - 1, y)) + 1][math.max(0, math.min(w - 1, x)) + 1], alpha and 0 or 1
  end
  for y = 0, h - 1 do
    out[y + 1] = {}
    for x = 0, w - 1 do
      local from_x, from_y = x - (w - 1) / 2, y - (h - 1) / 2
      local at_x = m[1] * from_x + m[2] * from_y + m[3] + (w - 1) / 2
      local at_y = m[4] * from_x + m[5] * from_y + m[6] + (h - 1) / 2
      local sums, total = {}, 0
      for k = 1, c do sums[k] = 0 end
      for dy = 0, 1 do
        for dx = 0, 1 do
          local py, px = math.floor(at_y) + dy, math.floor(at_x) + dx
          local v, there = pixel(py, px)
          local part = (1 - math.abs(at_y - py)) * (1 - math.abs(at_x - px)) * there
          if alpha then part = part * (v[c] + 1) / 2 end
          total = total + part
          for k = 1, c do sums[k] = sums[k] + part * v[k] end
        end
      end
      if alpha then
        for k = 1, c do sums[k] = total < 0.5 / 255 and -1 or k == c and 2 * total - 1 or sums[k] / total end
      end
      out[y + 1][x + 1] = sums
    end
  end
  return out
end

local function difference(a, b)
  if type(a) == "number" then return math.abs(a - b) end
  assert.equal(#a, #b)
  local most = 0
  for k = 1, #a do most = math.max(most, difference(a[k], b[k])) end
  return most
end

local function affine(...) return core.tensor { { ... } } end

describe("warp_pictures", function()
  it("shows what plain loops show, for 1 to 4 channels", function()
    local g = core.generator(1)
    for _, shape in ipairs { { 5, 7, 1 }, { 6, 4, 2 }, { 5, 5, 3 }, { 7, 6, 4 }, { 1, 1, 4 }, { 1, 9, 3 } } do
      local h, w, c = table.unpack(shape)
      local x = core.rand({ 6, h, w, c }, { generator = g }) * 2 - 1
      if c == 2 or c == 4 then -- a third of the pixels cannot be seen, a third not be seen through
        local alpha = (core.rand({ 6, h, w, 1 }, { generator = g }) * 3 - 1):clamp(0, 1)
        x = core.cat({ x:narrow(4, 1, c - 1), alpha * 2 - 1 }, 4)
      end
      local maps = core.randn({ 6, 6 }, { generator = g })
      local y = core.warp_pictures(x, maps)
      assert.same(x.shape, y.shape)
      local got, from, m = y:totable(), x:totable(), maps:totable()
      for i = 1, 6 do assert.is_true(difference(got[i], naive(from[i], m[i])) < 2e-5) end
    end
  end)

  it("keeps every bit where nothing moves, and where pictures move by whole pixels", function()
    local x = core.rand({ 1, 4, 5, 4 }, { generator = core.generator(2) }) * 2 - 1
    assert.equal(x:to_string(), core.warp_pictures(x, affine(1, 0, 0, 0, 1, 0)):to_string())
    local y = core.warp_pictures(x, affine(1, 0, 1, 0, 1, -2))
    assert.equal(x:narrow(2, 1, 2):narrow(3, 2, 4):to_string(),
      y:narrow(2, 3, 2):narrow(3, 1, 4):to_string())
  end)

  it("mirrors, and turns by a right angle", function()
    local x = core.rand({ 1, 4, 4, 3 }, { generator = core.generator(3) }) * 2 - 1
    assert.equal(x:flip(3):to_string(), core.warp_pictures(x, affine(-1, 0, 0, 0, 1, 0)):to_string())
    assert.equal(x:transpose(2, 3):flip(3):to_string(), core.warp_pictures(x, affine(0, 1, 0, -1, 0, 0)):to_string())
  end)

  it("goes on with the edge outside, and with nothing where there is alpha", function()
    local x = core.tensor { { { { -0.5 }, { 0.25 } } } }
    assert.same({ { { { 0.25 }, { 0.25 } } } }, core.warp_pictures(x, affine(1, 0, 9, 0, 1, 0)):totable())
    assert.same({ { { { 0.25 }, { 0.25 } } } }, core.warp_pictures(x, affine(1, 0, 3e38, 0, 1, 0)):totable())
    x = core.tensor { { { { -0.5, 1 }, { 0.25, 1 } } } }
    assert.same({ { { { 0.25, 1 }, { -1, -1 } } } }, core.warp_pictures(x, affine(1, 0, 1, 0, 1, 0)):totable())
  end)

  it("lets no hidden colour through", function()
    local x = core.tensor { { { { 0.5, 0.5, 0.5, 1 }, { -1, 1, -1, -1 }, { 1, 1, 1, -1 } } } }
    local y = core.warp_pictures(x, affine(1, 0, 0.5, 0, 1, 0)):totable()[1][1]
    assert.same({ { 0.5, 0.5, 0.5, 0 }, { -1, -1, -1, -1 }, { -1, -1, -1, -1 } }, y)
    -- in place too
    assert.same({ -1, -1, -1, -1 }, core.warp_pictures(x, affine(1, 0, 0, 0, 1, 0)):totable()[1][1][2])
  end)

  it("gives the same bits with one thread and with several", function()
    local before = core.threads()
    local x = core.randn({ 5, 33, 31, 4 }, { generator = core.generator(4) })
    local maps, bits = core.randn({ 5, 6 }, { generator = core.generator(5) }), {}
    for _, n in ipairs { 1, 2, 3 } do
      core.threads(n)
      bits[n] = core.warp_pictures(x, maps):to_string()
    end
    core.threads(before)
    assert.equal(bits[1], bits[2])
    assert.equal(bits[1], bits[3])
  end)

  it("takes none", function()
    assert.same({ 0, 3, 3, 1 }, core.warp_pictures(core.zeros(0, 3, 3, 1), core.zeros(0, 6)).shape)
    assert.same({ 2, 0, 3, 1 }, core.warp_pictures(core.zeros(2, 0, 3, 1), core.zeros(2, 6)).shape)
  end)

  it("refuses other types and shapes, and numbers that are not finite", function()
    local x = core.zeros(2, 3, 3, 1)
    for pattern, f in pairs {
      ["#1 to 'warp_pictures' %(x"] = function() core.warp_pictures(x:byte(), core.zeros(2, 6)) end,
      ["#1 to 'warp_pictures' %(x: expected 4"] = function() core.warp_pictures(x[1], core.zeros(2, 6)) end,
      ["#2 to 'warp_pictures' %(maps: expected %(2,6%), got %(3,6%)"] = function()
        core.warp_pictures(x, core.zeros(3, 6))
      end,
      ["#2 to 'warp_pictures' %(maps: expected %(2,6%), got %(2,5%)"] = function()
        core.warp_pictures(x, core.zeros(2, 5))
      end,
      ["maps: expected finite numbers, got inf in row 2"] = function()
        core.warp_pictures(x, core.cat({ core.zeros(1, 6), core.full({ 1, 6 }, math.huge) }, 1))
      end,
    } do
      assert.error_matches(f, pattern)
    end
  end)
end)
